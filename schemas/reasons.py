"""Why a decision was taken: an enumeration of codes, each with the values it compares and a sentence.

A reason on the wire is `{"code": …, values…}`. The table is closed: a code that is not here, or a
value too many or too few, is our bug. The sentence is what `explain` says, filled with the values in words: a
number of days comes with its unit, as one day is no "1 days".
"""

from typing import Any, NamedTuple, get_args

from schemas.account import HoldReason
from schemas.dead_letters import CODES
from schemas.errors import InvariantBroken
from schemas.fields import HASH, LABEL, MOST_FOLLOWERS, REASON_CODE, UTC_INSTANT
from schemas.inputs import Answer

Reason = dict[str, Any]


class Wording(NamedTuple):
    """The values of a reason in the order of its sentence, and the sentence."""

    values: tuple[str, ...]
    sentence: str


REASONS: dict[str, Wording] = {
    "threshold-reached": Wording(
        ("followers", "op", "threshold", "phase"),
        "{followers} followers are {op} {threshold}, the threshold of phase {phase}, which is in force.",
    ),
    "dwell-over": Wording(
        ("since", "dwell_days"), "Every count taken since {since} has reached it, for {dwell_days}."
    ),
    "below-every-phase": Wording(
        ("followers", "below"),
        "{followers} followers are below {below}, under which no phase in force that covers the account stands.",
    ),
    "suspected-purge": Wording(
        ("highest", "followers", "within_days"),
        "The count fell from {highest} to {followers} within {within_days}: a suspected purge.",
    ),
    "displayed": Wording(("occurred_at",), "The name is displayed since {occurred_at}."),
    "deadline-passed": Wording(("deadline_at",), "The grace period ended at {deadline_at}."),
    "no-answer": Wording(("notified_at",), "The account was told at {notified_at} and did not answer."),
    "answered": Wording(("answer", "occurred_at"), "The account answered {answer} at {occurred_at}."),
    "last-answer": Wording(("answer",), "The last answer of the account was {answer}."),
    "reminder-due": Wording(
        ("deadline_at", "days_left"), "The account has {days_left} left, until {deadline_at}."
    ),
    "no-open-grace": Wording((), "No grace period is open, so this has no effect and is not remembered."),
    "count-recorded": Wording(("followers",), "The count of {followers} followers is recorded."),
    "profile-recorded": Wording((), "The profile is recorded."),
    "display-recorded": Wording(("displayed",), "Whether the name is displayed is recorded: {displayed}."),
    "account-deleted": Wording((), "The account is deleted."),
    "out-of-scope": Wording((), "No phase in force covers the account by its profile."),
    "policy-changed": Wording((), "No phase in force stands for the obligation any more."),
    "waived": Wording(("reason_code",), "The duty is waived for this account (case {reason_code})."),
    "waived-until": Wording(
        ("reason_code", "until"), "The duty is waived for this account until {until} (case {reason_code})."
    ),
    "waiver-ended": Wording((), "The waiver has ended."),
    "waiver-revoked": Wording(("reason_code",), "The waiver is revoked (case {reason_code})."),
    "held": Wording(("reason_code",), "An adjudication holds the clock (case {reason_code})."),
    "released": Wording(("reason_code",), "The adjudication's hold ended (case {reason_code})."),
    "extended": Wording(("reason_code", "until"), "The deadline is moved to {until} (case {reason_code})."),
    "not-extended": Wording(
        ("until", "deadline_at"), "{until} is not later than the deadline {deadline_at}, which stays."
    ),
    "account-suspended": Wording((), "The account is suspended, so the clock stands."),
    "account-active": Wording((), "The account is active again."),
    "clock-stopped": Wording(("by",), "The clock already stood ({by})."),
    "time-left": Wording(("left_s",), "The clock had stopped with {left_s} left."),
    "at-least-min-days": Wording(("min_days",), "After a hold the account has at least {min_days} left."),
    "phase-began": Wording((), "A phase of the policy begins at this instant."),
    "phase-ended": Wording((), "A phase of the policy ends at this instant."),
    "book-adopted": Wording(("book",), "The policy book {book} is adopted."),
    "row-forgotten": Wording(
        ("followers", "observed_at"),
        "Nothing but counts was known, the last {followers} at {observed_at}: the row is forgotten.",
    ),
    "older-observation": Wording(("observed_at",), "Observed before the last count taken, at {observed_at}."),
    "too-old": Wording((), "Observed more than 30 days before the time of the partition."),
    "quiet": Wording((), "The count crosses no line and is no daily sample."),
    "older-fact": Wording(
        ("occurred_at",), "A fact of this type that occurred later, at {occurred_at}, was taken."
    ),
    "repeated-fact": Wording((), "The last fact taken of this type has the same event id."),
    "unreadable": Wording(("dead_letter",), "The record cannot be read: {dead_letter}."),
}


_FOLLOWERS = {"type": "integer", "minimum": 0, "maximum": MOST_FOLLOWERS}
_WHOLE = {"type": "integer", "minimum": 0}
_INSTANT = {"type": "string", "format": "date-time", "pattern": UTC_INSTANT}

VALUES: dict[str, dict[str, Any]] = {
    "followers": _FOLLOWERS,
    "threshold": _FOLLOWERS,
    "below": _FOLLOWERS,
    "highest": _FOLLOWERS,
    "op": {"type": "string", "enum": [">=", ">"]},
    "phase": {"type": "string", "pattern": LABEL},
    "days_left": _WHOLE,
    "dwell_days": _WHOLE,
    "min_days": _WHOLE,
    "within_days": _WHOLE,
    "left_s": _WHOLE,
    "since": _INSTANT,
    "until": _INSTANT,
    "occurred_at": _INSTANT,
    "observed_at": _INSTANT,
    "notified_at": _INSTANT,
    "deadline_at": _INSTANT,
    "answer": {"type": "string", "enum": list(get_args(Answer))},
    "displayed": {"type": "boolean"},
    "by": {"type": "string", "enum": list(get_args(HoldReason))},
    "reason_code": {"type": "string", "pattern": REASON_CODE},
    "book": {"type": "string", "pattern": HASH},
    "dead_letter": {"type": "string", "enum": list(CODES)},
}
"""What each value is, as JSON Schema; a name means the same in every reason."""


_GRACE = ("phase.{phase}.grace.deadline", "phase.{phase}.grace.min_days", "phase.{phase}.grace.days")
_SCOPE = ("scope.owners", "phase.{phase}.subjects", "scope.min_subject_share", "scope.exempt_daily_life")

CLAUSES: dict[str, tuple[str, ...]] = {
    "threshold-reached": (
        "phase.{phase}.threshold",
        "phase.{phase}.op",
        "phase.{phase}.from",
        "phase.{phase}.until",
        *_SCOPE,
    ),
    "dwell-over": ("confirm.dwell_days",),
    "below-every-phase": (
        "phase.{covering}.threshold",
        "phase.{covering}.op",
        "confirm.hysteresis_pct",
        "below.pending",
        "below.measures",
    ),
    "suspected-purge": ("purge.drop_share", "purge.within_days"),
    "displayed": ("display.where",),
    "deadline-passed": _GRACE,
    "no-answer": ("measures.impose", "notice.channel"),
    "answered": ("measures.on_decline",),
    "last-answer": ("measures.on_decline",),
    "reminder-due": ("phase.{phase}.grace.reminders_days_before",),
    "no-open-grace": (),
    "count-recorded": (),
    "profile-recorded": (),
    "display-recorded": (),
    "account-deleted": (),
    "out-of-scope": tuple(path.replace("{phase}", "{in_force}") for path in _SCOPE),
    "policy-changed": ("phase.{phase}.until",),
    "waived": (),
    "waived-until": (),
    "waiver-ended": (),
    "waiver-revoked": (),
    "held": (),
    "released": (),
    "extended": (),
    "not-extended": (),
    "account-suspended": (),
    "account-active": (),
    "clock-stopped": (),
    "time-left": (),
    "at-least-min-days": ("phase.{phase}.grace.min_days",),
    "phase-began": ("phase.{beginning}.from",),
    "phase-ended": ("phase.{ending}.until",),
    "book-adopted": (),
    "row-forgotten": ("watch.floor_share",),
    "older-observation": (),
    "too-old": (),
    "quiet": ("watch.floor_share",),
    "older-fact": (),
    "repeated-fact": (),
    "unreadable": (),
}
"""The leaves of the policy on which each reason rests, as key paths; none where an input alone decides.

In place of a phase's id stands which phases are meant: `{phase}` the one that is named, `{covering}`
those in force that cover the account, `{in_force}` all in force, `{beginning}` and `{ending}` those
that begin or end at the instant of the decision."""


_FORMS = {code: dict.fromkeys(sorted({"code", *wording.values}), code) for code, wording in REASONS.items()}
"""Of each code its names in canonical order, to be filled with values."""


def reason(code: str, **values: Any) -> Reason:
    """Return one reason as it stands on the wire, in canonical order.

    Raises:
        InvariantBroken: the code is not in the table, or its values are others.
    """
    form = _FORMS.get(code, {})
    given = {**form, **values}
    if not len(values) + 1 == len(form) == len(given):
        raise InvariantBroken(f"reason {code!r} with values {sorted(values)} is not in the table")
    return given


def sentence(given: Reason) -> str:
    """Return the sentence of a reason, filled with its values."""
    return REASONS[given["code"]].sentence.format(**given)
