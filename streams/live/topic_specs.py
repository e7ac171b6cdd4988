"""What each topic must be, and what is to do about a broker that has something else; pure.

What a topic has beyond the settings named here is its cluster's business and stays as it is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas import topics
from schemas.errors import OperatorError

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
MIB = 1 << 20

# "Delete" goes by the time of arrival, not by what the sender's clock says: a history of 2023 published
# today would be gone within minutes, and a record dated ahead would keep its segment for good.
_BY_ARRIVAL = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
# A whole segment is deleted at once, and only when it is closed: a day's grain is fine enough.
_DAILY = {"segment.ms": str(DAY_MS)}
# A record over 64 KiB is a dead letter (contract, section 2), so it has to arrive; the book may have 1 MiB.
_ROOM = {"max.message.bytes": str(MIB * 3 // 2)}
_KEEP_ALL = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    # An election that may lose the tail would take back what was already built on.
    "unclean.leader.election.enable": "false",
}
_COMPACT = {
    "cleanup.policy": "compact",
    # Who was away for less than this still sees that a key has gone.
    "delete.retention.ms": str(7 * DAY_MS),
}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What one topic must be."""

    short: str
    """Its name in replay files and journals, for example `clock`."""
    name: str
    """Its name on the broker, for example `nameplate.clock.v1`."""
    partitions: int
    config: Mapping[str, str]
    """Topic settings by Kafka's names; those not named are the cluster's defaults."""
    why: str
    """One sentence: what it holds, and why it is kept as it is."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a broker has under a topic's name."""

    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What stands between a broker and one spec."""

    kind: Literal["create", "alter", "keep"]
    spec: TopicSpec
    settings: tuple[tuple[str, str | None, str], ...]
    """(name, value now or None, value wanted) of each setting that differs; for a new topic all of them."""


def wanted(prefix: str, partitions: int, *, changelog: str | None = None) -> tuple[TopicSpec, ...]:
    """Return what every topic must be: the ten of the contract and the changelog of the rolling table.

    Args:
        prefix: Begins every name, its dot included: `nameplate.`
        partitions: Of each topic but the policy book, which every partition reads whole.
        changelog: The full name that Faust gives the table's changelog; by default prefix + `rows-changelog`.

    Raises:
        OperatorError: no partitions, or a name that Kafka does not take.
    """
    if partitions < 1:
        raise OperatorError(
            f"{partitions} partitions: give 1 or more, as in `nameplate topics plan --partitions 4`."
        )
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", prefix):
        raise OperatorError(
            f"The prefix {prefix!r} does not suit Kafka: at most 200 letters, digits, dots, dashes and"
            " underscores, as in `nameplate topics plan --prefix nameplate.`"
        )
    specs = [
        TopicSpec(
            short, topics.full_name(short, prefix), 1 if short == topics.BOOKS else partitions, config, why
        )
        for short, (config, why) in _KINDS.items()
    ]
    config, why = _CHANGELOG
    specs.append(TopicSpec("rows-changelog", changelog or f"{prefix}rows-changelog", partitions, config, why))
    return tuple(specs)


def _deleted_after(days: int, **more: str) -> dict[str, str]:
    return _BY_ARRIVAL | _DAILY | {"retention.ms": str(days * DAY_MS)} | more


_LONG = _deleted_after(5 * 365)
_KINDS: Mapping[str, tuple[Mapping[str, str], str]] = {
    topics.COUNTS: (
        _deleted_after(7) | _ROOM,
        "The firehose; 7 days bridge a long outage, and what mattered is in the journal.",
    ),
    topics.FACTS: (
        _deleted_after(90) | _ROOM,
        "Profiles, answers, displays, adjudications; 90 days let an auditor compare runs with raw inputs.",
    ),
    topics.CLOCK: (
        _deleted_after(7),
        "Ticks, dated by the broker as well as by their writer: T is the lower of the two.",
    ),
    topics.BOOKS: (
        _KEEP_ALL | _ROOM,
        "The published policy books; every decision names one, so all are kept.",
    ),
    topics.DISCLOSURE: (_LONG, "Duties to disclose; kept 5 years for those who read late."),
    topics.GRACE: (_LONG, "Grace periods; kept 5 years for those who read late."),
    topics.RESTRICTIONS: (_LONG, "Restrictions; kept 5 years for those who read late."),
    topics.JOURNAL: (
        _KEEP_ALL | {"max.message.bytes": str(2 * MIB)},
        "Every decision, hash-chained: the truth of the system, kept whole; entries are below 2 MiB.",
    ),
    topics.STATUS: (
        # A state that has been replaced is gone after a week at the latest, also where little is written.
        _COMPACT | {"max.compaction.lag.ms": str(7 * DAY_MS)},
        "The state of each watched account now; only the newest value of a key is kept.",
    ),
    topics.DEAD_LETTERS: (
        _deleted_after(30),
        "Hash, length and reason of what could not be read; 30 days to find the sender.",
    ),
}
_CHANGELOG = (
    # A cache of the journal that a restart reads to the end: small segments and early cleaning keep it short.
    _COMPACT
    | {"segment.bytes": str(64 * MIB), "segment.ms": str(DAY_MS // 24), "min.cleanable.dirty.ratio": "0.2"},
    "The rows of the rolling table; a cache of the journal, which may be deleted at any time.",
)


def compare(specs: Iterable[TopicSpec], found: Mapping[str, Found]) -> list[Change]:
    """Say for each spec what must be done, given what a broker has.

    Args:
        specs: What the topics must be.
        found: What there is, by name on the broker; a missing name is a missing topic.

    Raises:
        OperatorError: a partition count differs. A key's history would go on in another partition,
            and its journal with it, so the count of a topic never changes.
    """
    changes = []
    wrong = []
    for spec in specs:
        now = found.get(spec.name)
        if now is None:
            changes.append(Change("create", spec, _differing(spec.config, {})))
            continue
        if now.partitions != spec.partitions:
            wrong.append(f"{spec.name} has {now.partitions} partitions, not {spec.partitions}")
        settings = _differing(spec.config, now.config)
        changes.append(Change("alter" if settings else "keep", spec, settings))
    if wrong:
        raise OperatorError(
            f"The partition count of a journaled stream can never change: {'; '.join(wrong[:3])}"
            f"{f'; {len(wrong) - 3} more' if wrong[3:] else ''}. Nothing was changed. Ask for the count"
            " that is there with --partitions, or start a new stream under another prefix with"
            " `nameplate topics apply --prefix PREFIX`."
        )
    return changes


def _differing(want: Mapping[str, str], have: Mapping[str, str]) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((key, have.get(key), want[key]) for key in sorted(want) if have.get(key) != want[key])
