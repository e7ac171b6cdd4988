"""`nameplate topics acls`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.topics import DEFAULT_PREFIX
from streams.cli.app import (
    LOCAL,
    Bootstrap,
    ClientConfig,
    Format,
    Group,
    Insecure,
    Prefix,
    listed,
    reach,
    topics,
)

if TYPE_CHECKING:
    from streams.live.acls import Acl, Change

acls = typer.Typer(no_args_is_help=True, help="Who may do what with the topics, as code.")
topics.add_typer(acls, name="acls")

Grants = Annotated[
    list[str],
    typer.Option(
        "--grant",
        metavar="ROLE=User:NAME",
        help="admin, policy, worker, producer, consumer or auditor. May be said again.",
    ),
]
ConsumerGroup = Annotated[str, typer.Option(metavar="NAME", help="That of those who consume the outputs.")]


@acls.command("plan")
def acls_plan(
    grants: Grants,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    group: Group = "nameplate",
    consumer_group: ConsumerGroup = "effects",
    listing: Format = "table",
) -> None:
    """Show which rights would be given, and who has others."""
    from streams.live.acls import plan

    needed = _needed(grants, prefix, group, consumer_group)
    _list(listing, plan(reach(bootstrap, client_config, insecure), needed, prefix))


@acls.command("apply")
def acls_apply(
    grants: Grants,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    group: Group = "nameplate",
    consumer_group: ConsumerGroup = "effects",
    listing: Format = "table",
) -> None:
    """Give the rights that are not there. Nothing is taken away."""
    from streams.live.acls import apply

    needed = _needed(grants, prefix, group, consumer_group)
    _list(listing, apply(reach(bootstrap, client_config, insecure), needed, prefix))


def _needed(grants: Iterable[str], prefix: str, group: str, consumer_group: str) -> "list[tuple[str, Acl]]":
    from streams.live.acls import rights

    pairs = [(role, principal) for role, _, principal in (grant.partition("=") for grant in grants)]
    return rights(pairs, prefix, group=f"{prefix}{group}", consumer_group=consumer_group)


def _list(listing: Format, changes: "Iterable[Change]") -> None:
    rows = [
        (one.change, one.role, one.acl.principal, one.acl.operation, one.acl.kind, one.acl.name)
        for one in changes
    ]
    listed(listing, ("change", "role", "principal", "may", "what", "name"), rows)
