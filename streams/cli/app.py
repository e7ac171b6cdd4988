"""The application, its groups of commands, and the options that several commands have."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from schemas.topics import DEFAULT_PREFIX
from streams.cli.screen import err, listed, out, say_json

if TYPE_CHECKING:
    from streams.live.access import Access

__all__ = [
    "DATA",
    "LOCAL",
    "Bootstrap",
    "ClientConfig",
    "Data",
    "Files",
    "Format",
    "Insecure",
    "JournalOf",
    "Policies",
    "Prefix",
    "Until",
    "app",
    "broker",
    "err",
    "is_bootstrap",
    "journal",
    "listed",
    "out",
    "policy",
    "reach",
    "say_json",
    "topics",
]

HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=HELP
)
broker = typer.Typer(no_args_is_help=True, help="A local Apache Kafka without Docker.")
topics = typer.Typer(no_args_is_help=True, help="The topics as code.")
policy = typer.Typer(no_args_is_help=True, help="Policy books.")
journal = typer.Typer(no_args_is_help=True, help="The journal on the broker.")
for group, name in ((broker, "broker"), (topics, "topics"), (policy, "policy"), (journal, "journal")):
    app.add_typer(group, name=name)

LOCAL = "127.0.0.1:9092"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,\[\]/]+):[0-9]{1,5}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,200}")


def is_bootstrap(said: str | None) -> str | None:
    """Return what an option says of a broker's addresses; a wrong call where they are none."""
    hosts = [] if said is None else said.split(",")
    for host in hosts:
        if _HOST.fullmatch(host.strip()) is None:
            raise typer.BadParameter(f"{host!r} is no address of a broker. Write it like {LOCAL}.")
    return said


def reach(bootstrap: str, client_config: Path | None, insecure: bool) -> "Access":
    """Return the broker that the options of a command say, and how it is spoken to.

    Raises:
        OperatorError: the file of settings cannot be used.
    """
    from streams.live.access import read_access  # noqa: PLC0415 - only what needs a broker loads it

    return read_access(bootstrap, client_config, insecure=insecure)


def _is_prefix(said: str) -> str:
    if _PREFIX.fullmatch(said) is None:
        raise typer.BadParameter(
            f"{said!r} does not suit Kafka: at most 200 letters, digits, dots, dashes and underscores. "
            f"Write it like {DEFAULT_PREFIX}"
        )
    return said


Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Replay files: JSON Lines, plain or .gz, in this order."),
]
Bootstrap = Annotated[
    str,
    typer.Option(
        envvar="NAMEPLATE_BOOTSTRAP",
        metavar="HOST:PORT",
        callback=is_bootstrap,
        help="The broker; more are separated by commas.",
    ),
]
ClientConfig = Annotated[
    Path | None,
    typer.Option(
        envvar="NAMEPLATE_CLIENT_CONFIG",
        metavar="FILE",
        help="How the broker is spoken to, by Kafka's own names: security.protocol, sasl.password, …",
        show_default="plaintext",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        envvar="NAMEPLATE_INSECURE",
        help="Let plaintext leave this machine.",
        show_default=False,
    ),
]
JournalOf = Annotated[
    str | None,
    typer.Option(
        "--bootstrap",
        metavar="HOST:PORT",
        callback=is_bootstrap,
        help="Read the journal from a broker instead; without a file, by default NAMEPLATE_BOOTSTRAP.",
    ),
]
Group = Annotated[
    str,
    typer.Option(envvar="NAMEPLATE_GROUP", metavar="NAME", help="Workers of one group share the work."),
]
Prefix = Annotated[
    str,
    typer.Option(
        envvar="NAMEPLATE_PREFIX",
        metavar="PREFIX",
        callback=_is_prefix,
        help="Before each topic's short name.",
    ),
]
Policies = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Directory of policy files.", show_default="the shipped book"),
]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to list.")]
Data = Annotated[Path, typer.Option(metavar="DIR", help="Where the local broker keeps its data.")]
DATA = Path(".nameplate/broker")
Until = Annotated[
    str | None, typer.Option(metavar="INSTANT", help="Where the time goes at the end, RFC 3339.")
]


def _say_version(asked: bool) -> None:
    if asked:
        try:
            out.print(f"nameplate {version('nameplate')}")
        except PackageNotFoundError:
            out.print("nameplate, not installed: run from its source")
        raise typer.Exit


@app.callback()
def nameplate(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say the version.")
    ] = False,
) -> None:
    """Streams that turn follower counts into disclosure duties: explained, journaled, free of names."""
