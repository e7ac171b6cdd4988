"""Why an account stands as it stands: its decisions as sentences, the clauses behind them, what would lift them.

Pure: entries of a journal in, an `Explanation` out. Its fields are the stable names of the JSON form.

- explain_journal   what the journal says of the account
- explain_words     sentences
- explain_clauses   leaves of the policy and their sources
- explain_lift      what would change it, and what changes it by itself; explain_needs asks the questions
- explain_screen    how it looks
"""

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from schemas.account import NO_COUNT, Profile, Row
from schemas.errors import OperatorError
from schemas.fields import ACCOUNT_ID
from schemas.instant import parse, text
from schemas.journal import EntryContent
from schemas.policy import Phase, Policy, PolicyBook
from streams.core.decider import BEFORE_TIME
from streams.core.deadlines import phase_bounds
from streams.core.scope import WHOLE, covers, dwell_end, is_below
from streams.core.sealing import stage_of
from streams.explain_clauses import Circumstances, Clause, Clauses
from streams.explain_journal import Taken, Told, read
from streams.explain_lift import Change, Situation, Step, ahead, changes_of
from streams.explain_words import cause_words, moment, number, output_words, reason_words

_ACCOUNT = re.compile(r"([a-z0-9_]{1,40}):(.+)", re.DOTALL)


class Sentence(msgspec.Struct, frozen=True):
    """A reason or an output: its code or type, what it says, and the clauses behind it."""

    code: str
    sentence: str
    values: dict[str, Any]
    """As the journal has them."""
    clauses: tuple[int, ...]


class Decided(msgspec.Struct, frozen=True):
    """One decision of the account."""

    T: str
    effective_at: str
    """The due instant, or T."""
    cause: dict[str, Any]
    """As the journal has it."""
    cause_sentence: str
    reasons: tuple[Sentence, ...]
    outputs: tuple[Sentence, ...]
    stage: str | None
    """Afterwards; None where the account is not watched any more."""
    policy_version: str | None
    book: str
    entry: int
    entry_hash: str
    """Of the entry's bytes: what a complaint names."""
    index: int
    """Of the decision in its entry, from 0."""


class PhaseNow(msgspec.Struct, frozen=True):
    """One phase of the policy, held against the account."""

    id: str
    threshold: int
    op: str
    begins: str
    until: str | None
    in_force: bool
    covers: bool
    """Whether it covers the account by its profile."""
    reached: bool | None
    """Whether the last count taken has reached it; None without a count."""
    below: bool | None
    """Whether that count has fallen below it, hysteresis included."""
    dwell_ends: str | None
    """When it is reached for long enough, where the policy asks for a dwell."""
    clauses: tuple[int, ...]


class State(msgspec.Struct, frozen=True):
    """The account at the instant."""

    stage: str
    since: str
    followers: int | None
    observed_at: str | None
    obligation_id: str | None
    phase: str | None
    notified_at: str | None
    deadline_at: str | None
    """In grace and stopped; stopped: as it stood when the clock stopped."""
    left_s: int | None
    """Seconds until the deadline; of a stopped clock what was left when it stopped."""
    answer: str | None
    holds: tuple[str, ...]
    """Why the clock stands."""
    stopped_at: str | None
    reminders: tuple[str, ...]
    """Still to come."""
    measures: tuple[str, ...]
    profile: dict[str, Any] | None
    """As said; None where no profile is known."""
    displayed: bool
    waived: bool
    waived_until: str | None


class Ahead(msgspec.Struct, frozen=True):
    """What comes by itself, if nothing more is said."""

    at: str
    kind: str
    sentences: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """An account at an instant, and why."""

    account: str
    at: str | None
    """The instant that is explained: the one asked for, or the last of the journal."""
    watched: Literal["now", "no-more", "not-yet", "never"]
    notes: tuple[str, ...]
    partition: int | None
    policy_version: str | None
    book: str | None
    state: State | None
    decisions: tuple[Decided, ...]
    phases: tuple[PhaseNow, ...]
    ahead: tuple[Ahead, ...]
    changes: tuple[Change, ...]
    clauses: tuple[Clause, ...]


def parse_at(said: str | None) -> int | None:
    """Return the instant of `--at`.

    Raises:
        OperatorError: it is none.
    """
    if said is None:
        return None
    try:
        return parse(said)
    except ValueError as error:
        raise OperatorError(f"--at {said}: {error}. Write it like 2024-01-02T00:00:00Z.") from error


def explain(
    entries: Iterable[tuple[bytes, EntryContent]], account: str, at: int | None = None
) -> Explanation:
    """Explain an account at an instant.

    Args:
        entries: The accepted entries of a journal, as `streams.verify.read_journal` yields them.
        account: `platform:account_id`.
        at: In µs; None: where the journal ends.

    Raises:
        OperatorError: the account is none that there can be, or the journal is empty.
        AuditError: the chain or the account's rows are broken.
    """
    found = _ACCOUNT.fullmatch(account)
    if found is None or re.fullmatch(ACCOUNT_ID, found[2]) is None:
        raise OperatorError(
            f"{account!r} is no account. Write it as platform:account_id, for example weibo:acc-1."
        )
    partition, told, is_own = read(entries, account, at)
    if told is None or partition is None:
        raise OperatorError(
            "The journal holds no entry. Name the journal.jsonl of a replay's --out, or of `nameplate journal export`."
        )
    return _Explainer(account, partition, told, at, is_own=is_own).explanation()


class _Explainer:
    """Puts one explanation together; lives for one call."""

    def __init__(self, account: str, partition: int, told: Told, asked: int | None, *, is_own: bool) -> None:
        self.account = account
        self.platform, _, self.account_id = account.partition(":")
        self.partition = partition
        self.told = told
        self.asked = asked
        self.is_own = is_own
        self.at = told.ended if asked is None else min(asked, told.ended)
        self.book = told.book_at(self.at)
        self.row = told.row_at(self.at)
        self.clauses = Clauses(self.platform)

    @property
    def policy(self) -> Policy | None:
        return self.book.policies.get(self.platform) if self.book is not None else None

    def explanation(self) -> Explanation:
        if self.book is not None and self.policy is None and not self.told.taken:
            raise OperatorError(
                f"{self.account}: the policy book has no platform {self.platform!r}. "
                f"It has {', '.join(sorted(self.book.policies))}: name an account of one of them."
            )
        decisions = tuple(self._decided(taken) for taken in self.told.taken)
        phases = tuple(self._phase(phase) for phase in self.policy.phases) if self.policy is not None else ()
        coming, changes = self._what_comes()
        return Explanation(
            account=self.account,
            at=text(self.at) if self.at != BEFORE_TIME else None,
            watched=self._watched(),
            notes=tuple(self._notes(changes)),
            partition=self.partition if self.is_own else None,
            policy_version=self.policy.version if self.policy is not None else None,
            book=self.book.hash if self.book is not None else None,
            state=self._state(self.row) if self.row is not None else None,
            decisions=decisions,
            phases=phases,
            ahead=coming,
            changes=changes,
            clauses=self.clauses.cited,
        )

    def _watched(self) -> Literal["now", "no-more", "not-yet", "never"]:
        if self.row is not None:
            return "now"
        if self.told.taken:
            return "no-more"
        return "not-yet" if self.told.later is not None else "never"
