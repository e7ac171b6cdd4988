"""The clauses behind a decision: leaves of the policy as it stood in the book then, each with its source.

A leaf is numbered where it is first cited, so that a sentence can point at it and every source is said once.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.account import Row
from schemas.policy import Phase, Policy, PolicyBook, Source
from schemas.reasons import CLAUSES, Reason
from streams.core.scope import covering, phases_in_force

CLAUSES_OF_OUTPUT: dict[str, tuple[str, ...]] = {
    "disclosure-required": ("display.{shown}", "display.where", "notice.channel"),
    "disclosure-met": (),
    "disclosure-cancelled": (),
    "grace-started": (
        "phase.{phase}.grace.deadline",
        "phase.{phase}.grace.min_days",
        "phase.{phase}.grace.days",
    ),
    "grace-reminder": (),
    "grace-extended": (),
    "grace-suspended": (),
    "grace-resumed": (),
    "grace-ended": (),
    "restriction-imposed": ("measures.impose", "measures.untouched"),
    "restriction-lifted": (),
}
"""The leaves on which an output rests beside those of its reasons; `{shown}` is whose name is to be displayed."""

SURENESS = {
    "notice": "the platform's own notice",
    "notice_via_repost": "the platform's notice, read in a repost",
    "news": "reported by the press",
    "law": "law",
    "inferred": "inferred from what is known",
    "assumed": "assumed: no text says it",
}
UNSOURCED = "the policy names no source"
UNSTATED = "what Nameplate takes where a policy says nothing"


class Clause(msgspec.Struct, frozen=True):
    """One leaf of a policy as it stood when it was applied, and where it comes from."""

    number: int
    """From 1, in the order in which clauses are cited."""
    path: str
    """Key path, such as `phase.p1.threshold`."""
    value: Any
    """As written: instants as text, shares as decimals."""
    platform: str
    policy_version: str
    book: str
    status: str | None
    """notice, notice_via_repost, news, law, inferred, assumed; None where the policy states no source."""
    sureness: str
    """The status in words."""
    text: str | None
    publisher: str | None
    date: str | None
    """The day of the source, `YYYY-MM-DD`."""


class Circumstances(NamedTuple):
    """What a key path of `CLAUSES` leaves open: which phases are meant, and whose name."""

    policy: Policy | None
    row: Row | None
    """The account after the decision."""
    phase: str | None
    """The phase that the obligation names."""
    effective_at: int
    display: str | None = None
    """What is to be displayed, where an output says it."""


class Clauses:
    """The clauses cited so far, each once for each book.

    Args:
        platform: Whose policy is cited.
    """

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._cited: dict[tuple[str, str], Clause] = {}
        self._tables: dict[str, dict[str, Any]] = {}

    @property
    def cited(self) -> tuple[Clause, ...]:
        """All of them, in the order of their numbers."""
        return tuple(self._cited.values())

    def of_reason(self, book: PolicyBook, given: Reason, about: Circumstances) -> tuple[int, ...]:
        """Cite the leaves behind a reason; return their numbers."""
        named = given.get("phase", about.phase)
        return self._cite_all(book, CLAUSES[given["code"]], about._replace(phase=named))

    def of_output(self, book: PolicyBook, kind: str, about: Circumstances) -> tuple[int, ...]:
        """Cite the leaves behind an output; return their numbers."""
        return self._cite_all(book, CLAUSES_OF_OUTPUT[kind], about)

    def of_scope(self, book: PolicyBook, about: Circumstances) -> tuple[int, ...]:
        """Cite the leaves that say whom a phase covers; return their numbers."""
        templates = (path.replace("{in_force}", "{phase}") for path in CLAUSES["out-of-scope"])
        return self._cite_all(book, templates, about)

    def cite(self, book: PolicyBook, paths: Iterable[str]) -> tuple[int, ...]:
        """Cite leaves by their key paths; those that the policy leaves open have no number."""
        policy = book.policies.get(self._platform)
        if policy is None:
            return ()
        numbers = (self._number(book, policy, path) for path in paths)
        return tuple(dict.fromkeys(number for number in numbers if number))

    def _cite_all(self, book: PolicyBook, templates: Iterable[str], about: Circumstances) -> tuple[int, ...]:
        return self.cite(book, (path for template in templates for path in key_paths(template, about)))

    def _number(self, book: PolicyBook, policy: Policy, path: str) -> int:
        if path.endswith(".subjects") and self._leaf(book, policy, path) is None:
            path = "scope.subjects"
        cited = self._cited.get((book.hash, path))
        if cited is not None:
            return cited.number
        value = self._leaf(book, policy, path)
        if value is None:
            return 0
        source = policy.source_of(path)
        clause = Clause(
            number=len(self._cited) + 1,
            path=path,
            value=value,
            platform=policy.platform,
            policy_version=policy.version,
            book=book.hash,
            status=source.status if source is not None else None,
            sureness=self._sureness(book, path, source),
            text=source.text if source is not None else None,
            publisher=source.publisher if source is not None else None,
            date=source.date if source is not None else None,
        )
        self._cited[book.hash, path] = clause
        return clause.number

    def _sureness(self, book: PolicyBook, path: str, source: Source | None) -> str:
        if source is not None:
            return SURENESS[source.status]
        stated = leaf_of(by_phase(book.tables["policies"][self._platform]), path) is not None
        return UNSOURCED if stated else UNSTATED

    def _leaf(self, book: PolicyBook, policy: Policy, path: str) -> Any:
        tables = self._tables.get(book.hash)
        if tables is None:
            tables = self._tables[book.hash] = written(policy)
        return leaf_of(tables, path)


def written(policy: Policy) -> dict[str, Any]:
    """Return the tables of a policy as its file would say them, defaults filled in, phases by their ids."""
    return by_phase(policy.model_dump(mode="json", by_alias=True))


def by_phase(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a policy, its phases by their ids as in key paths."""
    return {**tables, "phase": {phase["id"]: phase for phase in tables["phase"]}}


def leaf_of(tables: dict[str, Any], path: str) -> Any:
    """Return the leaf of a key path, None where nothing stands there."""
    here: Any = tables
    for key in path.split("."):
        here = here.get(key) if isinstance(here, dict) else None
    return here


def key_paths(template: str, about: Circumstances) -> tuple[str, ...]:
    """Return the key paths of a template: one for each phase that it means, none where it means none."""
    head, brace, rest = template.partition("{")
    if not brace:
        return (template,)
    name, _, tail = rest.partition("}")
    return tuple(f"{head}{word}{tail}" for word in _meant(name, about))


def _meant(name: str, about: Circumstances) -> tuple[str, ...]:
    policy, row, at = about.policy, about.row, about.effective_at
    if policy is None:
        return ()
    phases: tuple[Phase, ...] = ()
    match name:
        case "phase":
            return (about.phase,) if about.phase is not None else ()
        case "shown":
            shown = (("individual", policy.display.individual), ("organisation", policy.display.organisation))
            return tuple(owner for owner, display in shown if display == about.display)
        case "covering":
            phases = covering(policy, row, at) if row is not None else ()
        case "in_force":
            phases = phases_in_force(policy, at)
        case "beginning":
            phases = tuple(phase for phase in policy.phases if phase.begins == at)
        case "ending":
            phases = tuple(phase for phase in policy.phases if phase.until == at)
    return tuple(phase.id for phase in phases)
