"""Why an account stands as it stands: its decisions as sentences, the clauses behind them, what would lift them.

Pure: entries of a journal in, an `Explanation` out.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from schemas.errors import OperatorError
from schemas.fields import ACCOUNT_ID
from schemas.instant import of_option, parse, text
from schemas.journal import EntryContent
from schemas.policy import Phase, Policy
from streams.core.decider import BEFORE_TIME
from streams.core.sealing import shown_stage
from streams.explain.clauses import Circumstances, Clauses
from streams.explain.form import Ahead, Decided, Explanation, PhaseNow, Sentence, State, Watched
from streams.explain.journal import Taken, Told, read
from streams.explain.lift import Change, Situation, Step, ahead, changes_of
from streams.explain.state import phase_now, since, state_of
from streams.explain.words import moment, number, output_words, reason_words

OVERDUE = "It is due, and will be decided with the next tick."
"""Of what fell due between two ticks."""

_PLATFORM = re.compile(r"[a-z0-9_]{1,40}")


def parse_at(said: str | None) -> int | None:
    """Return the instant of `--at`; `OperatorError` where it is none."""
    return of_option("--at", said)


def key_of(account: str) -> bytes:
    """Return the key of an account that a command names.

    Raises:
        OperatorError: there can be no such account.
    """
    platform, _, account_id = account.partition(":")
    if _PLATFORM.fullmatch(platform) is None or re.fullmatch(ACCOUNT_ID, account_id) is None:
        raise OperatorError(
            f"{account!r} is no account. Write it as platform:account_id, as in "
            "`nameplate explain weibo:acc-1 --journal JOURNAL`."
        )
    return account.encode()


def explain(
    entries: Iterable[tuple[bytes, EntryContent]],
    account: str,
    at: int | None = None,
    partitions: int | None = None,
) -> Explanation:
    """Explain an account at an instant.

    Args:
        entries: The accepted entries of a journal, as `streams.verify.read_journal` yields them.
        account: `platform:account_id`.
        at: In µs; None: where the journal ends.
        partitions: How many the journal has, where the entries are only those of the account's partition.

    Raises:
        OperatorError: the account is none that there can be, or the journal is empty.
        AuditError: the chain or the account's rows are broken.
    """
    key_of(account)
    partition, told, is_own = read(entries, account, at, partitions)
    if told is None or partition is None:
        raise OperatorError(
            "The journal holds no entry, so there is nothing to explain. Name the journal.jsonl that "
            "`nameplate replay FILE --out DIR` writes, or what `nameplate journal export FILE` wrote."
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
                f"It has {', '.join(sorted(self.book.policies))}: name an account of one of them, as in "
                "`nameplate explain PLATFORM:ACCOUNT --journal JOURNAL`."
            )
        decisions = tuple(self._decided(taken) for taken in self.told.taken)
        phases = (
            tuple(self._phase(self.policy, phase) for phase in self.policy.phases)
            if self.policy is not None
            else ()
        )
        coming, changes = self._what_comes()
        return Explanation(
            account=self.account,
            at=text(self.at) if self.at != BEFORE_TIME else None,
            watched=self._watched(),
            notes=tuple(self._notes()),
            partition=self.partition if self.is_own else None,
            policy_version=self.policy.version if self.policy is not None else None,
            book=self.book.hash if self.book is not None else None,
            state=self._state(),
            decisions=decisions,
            phases=phases,
            ahead=coming,
            changes=changes,
            clauses=self.clauses.cited,
        )

    def _watched(self) -> Watched:
        if self.row is not None:
            return "now"
        if self.told.taken:
            return "no-more"
        return "not-yet" if self.told.later is not None else "never"

    # Notes ---------------------------------------------------------------------------------------

    def _notes(self) -> Iterator[str]:
        told, asked = self.told, self.asked
        if told.ended == BEFORE_TIME:
            yield "Nothing in the journal has moved its time yet."
        elif asked is not None and asked > told.ended:
            yield f"The journal ends at {moment(told.ended)}: what came after is not in it, so this is the state then."
        elif told.began is not None and self.at < told.began:
            yield f"The journal begins at {moment(told.began)}: before that nothing was decided."
        for run in told.lost:
            yield f"An operator journaled {run.topic} from {run.start} up to {run.end} as lost: nobody read them."
        if not self.is_own:
            yield "The journal holds only some partitions, so the account may be in one that is not here."
        if self.book is None:
            yield "No policy book was adopted by then: nothing is decided before the first one."
        elif self.policy is None:
            yield f"The policy book in force has no platform {self.platform}: no duty stands there."
        elif not self.policy.enabled:
            yield f"The policy of {self.platform} is disabled: it decides nothing."
        yield from self._notes_on_watching()

    def _notes_on_watching(self) -> Iterator[str]:
        match self._watched():
            case "now":
                return
            case "no-more":
                last = self.told.taken[-1]
                yield f"The account is not watched any more: its row was forgotten at {moment(last.at)}."
            case "not-yet":
                later = moment(self.told.later if self.told.later is not None else self.at)
                yield f"The account was not watched yet: the first decision about it came at {later}."
            case "never":
                yield "The account was never watched: no count of it was high enough and no fact of it came."
        if self.book is not None and self.policy is not None and self.policy.enabled:
            (clause,) = self.clauses.cite(self.book, ("watch.floor_share",))
            floor = number(self.policy.watch_from)
            yield f"It is watched from a count of {floor} followers on, or from its first fact on [{clause}]."

    # Decisions -----------------------------------------------------------------------------------

    def _decided(self, taken: Taken) -> Decided:
        decision, book = taken.decision, taken.book
        policy = book.policies.get(self.platform)
        outputs = decision["outputs"]
        effective = outputs[0]["effective_at"] if outputs else decision["cause"].get("due", decision["T"])
        about = Circumstances(policy, taken.after, _phase_of(taken), parse(effective))
        return Decided(
            T=decision["T"],
            effective_at=effective,
            cause=decision["cause"],
            cause_sentence=taken.cause_sentence,
            reasons=tuple(
                Sentence(
                    given["code"], reason_words(given), given, self.clauses.of_reason(book, given, about)
                )
                for given in decision["reasons"]
            ),
            outputs=tuple(
                Sentence(
                    said["type"],
                    output_words(said["type"], said),
                    {name: value for name, value in said.items() if name != "reasons"},
                    self.clauses.of_output(book, said["type"], about._replace(display=said.get("display"))),
                )
                for said in outputs
            ),
            stage=shown_stage(policy, taken.after, taken.at) if taken.after is not None else None,
            policy_version=policy.version if policy is not None else None,
            book=book.hash,
            entry=taken.n,
            entry_hash=taken.hash,
            place=taken.place,
        )

    # State ---------------------------------------------------------------------------------------

    def _state(self) -> State | None:
        if self.row is None:
            return None
        return state_of(self.policy, self.row, self.at, since(self.told, self.platform, self.at))

    def _phase(self, policy: Policy, phase: Phase) -> PhaseNow:
        now = phase_now(policy, phase, self.row, self.at)
        if self.book is None:
            return now
        paths = (f"phase.{phase.id}.{leaf}" for leaf in ("threshold", "op", "from", "until"))
        about = Circumstances(policy, self.row, phase.id, self.at)
        return msgspec.structs.replace(
            now,
            clauses=self.clauses.cite(self.book, paths),
            scope_clauses=() if now.covers else self.clauses.of_scope(self.book, about),
        )

    # What comes ----------------------------------------------------------------------------------

    def _what_comes(self) -> tuple[tuple[Ahead, ...], tuple[Change, ...]]:
        if self.book is None or self.at == BEFORE_TIME:
            return (), ()
        here = Situation(self.book, self.platform, self.account_id, self.row, self.at, self.told.decided_upto)
        return tuple(_ahead(step, self.at) for step in ahead(here)), changes_of(here)


def _ahead(step: Step, at: int) -> Ahead:
    said = [output_words(saying.type, saying.fields) for saying in step.decision.said]
    words = said or [reason_words(given) for given in step.decision.reasons]
    if step.due.due <= at:
        words.insert(0, OVERDUE)
    return Ahead(text(step.due.due), step.due.kind, tuple(words))


def _phase_of(taken: Taken) -> str | None:
    """Return the phase that the obligation of a decision names: of what is said, else after it, else before."""
    for said in taken.decision["outputs"]:
        return str(said["phase"])
    for row in (taken.after, taken.before):
        if row is not None and row.obligation is not None:
            return row.obligation.phase
    return None
