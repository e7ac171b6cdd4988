"""Who may do what, as code: the rights of each role, what of them a broker lacks, and giving them.

Rights are given and never taken away here: what else somebody may do on these topics is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import TopicCollection
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from schemas import topics
from schemas.errors import OperatorError
from streams.live.access import Where
from streams.live.admin import NOT_ALLOWED, REQUEST_S, Admin
from streams.live.remedies import not_allowed
from streams.live.topic_specs import wanted

CHANGELOG = "rows-changelog"
EVERYTHING = (*topics.ALL, CHANGELOG)
WRITTEN_BY_WORKERS = (
    topics.CLOCK,
    *topics.OUTPUTS,
    topics.JOURNAL,
    topics.STATUS,
    topics.DEAD_LETTERS,
    CHANGELOG,
)
CONSUMED = (*topics.OUTPUTS, topics.STATUS)

RIGHTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "admin": {
        "create": EVERYTHING,
        "describe": EVERYTHING,
        "describe_configs": EVERYTHING,
        "alter_configs": EVERYTHING,
    },
    "policy": {"write": (topics.BOOKS,)},
    "worker": {"read": EVERYTHING, "write": WRITTEN_BY_WORKERS, "describe_configs": EVERYTHING},
    "producer": {"write": (topics.COUNTS, topics.FACTS)},
    "consumer": {"read": CONSUMED},
    "auditor": {"read": topics.ALL},
}
"""By role and operation, the topics. To read or to write is also to describe. Nobody may delete a topic: the journal
is kept for ever, and what must go, the broker's own superuser takes away."""


class Acl(NamedTuple):
    """One right."""

    principal: str
    """As Kafka writes it: `User:worker`."""
    operation: str
    kind: str
    """`topic` or `group`."""
    name: str


class Change(NamedTuple):
    """What stands between a broker and one right."""

    change: Literal["create", "keep", "other"]
    """`other`: somebody has it, and no role that was named needs it."""
    role: str | None
    acl: Acl


def rights(
    grants: Iterable[tuple[str, str]], prefix: str, *, group: str, consumer_group: str
) -> list[tuple[str, Acl]]:
    """Return the rights that principals need for their roles, each with its role.

    Args:
        grants: Pairs of role and principal.
        prefix: Before each topic's short name.
        group: Of the workers, with its prefix.
        consumer_group: Of those who consume the outputs.

    Raises:
        OperatorError: a role is none, or a principal is not of Kafka's form.
    """
    names = {spec.short: spec.name for spec in wanted(prefix, 1)}
    groups = {"worker": group, "consumer": consumer_group}
    found = []
    for role, principal in grants:
        if (
            role not in RIGHTS
            or not principal.removeprefix("User:").strip()
            or not principal.startswith("User:")
        ):
            raise OperatorError(
                f"--grant {role}={principal}: write ROLE=User:NAME with a role of {', '.join(RIGHTS)}, as in "
                "`nameplate topics acls plan --grant worker=User:worker`."
            )
        found += [
            (role, Acl(principal, operation, "topic", names[short]))
            for operation, shorts in RIGHTS[role].items()
            for short in shorts
        ]
        found += [(role, Acl(principal, "read", "group", groups[role]))] if role in groups else []
    return found


def compare(needed: Sequence[tuple[str, Acl]], found: Iterable[Acl]) -> list[Change]:
    """Say of each right whether it is there, and what is there besides; pure."""
    there = dict.fromkeys(found)
    changes = [Change("keep" if acl in there else "create", role, acl) for role, acl in needed]
    known = {acl for _, acl in needed}
    return changes + [Change("other", None, acl) for acl in there if acl not in known]


def plan(bootstrap: Where, needed: Sequence[tuple[str, Acl]], prefix: str) -> list[Change]:
    """Say what `apply` would do, and change nothing.

    Raises:
        OperatorError: the broker refuses, or has no authorizer.
        TransportError: no broker answers.
    """
    return compare(needed, _find(Admin(bootstrap), needed, prefix))


def apply(bootstrap: Where, needed: Sequence[tuple[str, Acl]], prefix: str) -> list[Change]:
    """Give the rights that are not there, and say what was done.

    Raises:
        OperatorError: the broker refuses, or has no authorizer.
        TransportError: no broker answers.
    """
    admin = Admin(bootstrap)
    changes = compare(needed, _find(admin, needed, prefix))
    new = [_binding(change.acl) for change in changes if change.change == "create"]
    for future in (admin.create_acls(new, request_timeout=REQUEST_S) if new else {}).values():
        admin.answer(future)
    return changes


def check_worker(bootstrap: Where, prefix: str, group: str) -> None:
    """See that the broker lets a worker do all that it needs; without a right it would wait, or stop halfway.

    Raises:
        OperatorError: a right is missing.
        TransportError: no broker answers.
    """
    admin = Admin(bootstrap)
    needed = [acl for _, acl in rights([("worker", "User:self")], prefix, group=group, consumer_group="")]
    named = list(dict.fromkeys(acl.name for acl in needed if acl.kind == "topic"))
    may = {"include_authorized_operations": True, "request_timeout": REQUEST_S}
    futures = {
        **admin.describe_topics(TopicCollection(named), **may),
        **admin.describe_consumer_groups([group], **may),
    }
    lacking = []
    for name, future in futures.items():
        described = admin.answer(future, *NOT_ALLOWED)
        given = {one.name.lower() for one in described.authorized_operations or ()} if described else ()
        lacking += [
            f"{acl.operation} {name}" for acl in needed if acl.name == name and acl.operation not in given
        ]
    if lacking:
        more = f" and {len(lacking) - 3} more" if lacking[3:] else ""
        raise OperatorError(not_allowed(f"nobody allowed us to {', '.join(lacking[:3])}{more}", bootstrap))


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(
        ResourceType[acl.kind.upper()],
        acl.name,
        ResourcePatternType.LITERAL,
        acl.principal,
        "*",
        AclOperation[acl.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _find(admin: Admin, needed: Sequence[tuple[str, Acl]], prefix: str) -> list[Acl]:
    """Return who may do what, by whatever pattern, with our topics and groups."""
    names = [("topic", spec.name) for spec in wanted(prefix, 1)]
    names += dict.fromkeys((acl.kind, acl.name) for _, acl in needed if acl.kind == "group")
    everyone = AclBindingFilter(
        ResourceType.ANY,
        None,
        ResourcePatternType.ANY,
        None,
        None,
        AclOperation.ANY,
        AclPermissionType.ALLOW,
    )
    bindings = admin.answer(admin.describe_acls(everyone, request_timeout=REQUEST_S))
    return [
        Acl(one.principal, one.operation.name.lower(), kind, name)
        for one in bindings
        for kind, name in names
        if one.restype.name.lower() == kind and _covers(one, name)
    ]


def _covers(binding: AclBinding, name: str) -> bool:
    if binding.resource_pattern_type == ResourcePatternType.PREFIXED:
        return name.startswith(binding.name)
    return binding.name in {name, "*"}
