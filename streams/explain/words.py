"""What a decision says, in words: instants and numbers as people read them, causes and outputs as sentences.

Only ids, numbers and enumerations go in, so only they come out.
"""

from collections.abc import Mapping
from typing import Any

from schemas import instant, topics
from schemas.instant import DAY, SECOND
from schemas.reasons import Reason, sentence

SHORT_HASH_DIGITS = 12
"""Of a hash inside a sentence; where it is to be contested it stands whole."""

OPS = {">=": "at least", ">": "more than"}
IN_DAYS = ("days_left", "dwell_days", "within_days", "min_days")
"""Values of reasons that are numbers of days."""
CAUSES = {
    "reminder": "A reminder came due at {due}.",
    "deadline": "The deadline {due} came.",
    "waiver-end": "The end of the waiver, {due}, came.",
    "phase-end": "The end of a phase, {due}, came.",
    "phase-begin": "The begin of a phase, {due}, came.",
    "dwell-end": "The end of the dwell, {due}, came.",
}
OUTPUTS = {
    "disclosure-required": "Disclosure required: {display} by {deadline_at}; the account is told by {notice_channel}.",
    "disclosure-met": "The duty is met: the name is {by}.",
    "disclosure-cancelled": "The duty is cancelled: {why}.",
    "grace-started": "The grace period runs from {notified_at} to {deadline_at}.",
    "grace-reminder": "The account is reminded: {days_left} until {deadline_at}.",
    "grace-extended": "The deadline moves from {previous_deadline_at} to {deadline_at}.",
    "grace-suspended": "The clock stops: {why}.",
    "grace-resumed": "The clock runs again, to {deadline_at}.",
    "grace-ended": "The grace period ends: {outcome}.",
    "restriction-imposed": "Restricted, {why}: {measures}. Untouched: {untouched}.",
    "restriction-lifted": "The restriction is lifted, {why}: {measures}.",
}


def number(count: int) -> str:
    """Return an integer with its thousands separated."""
    return f"{count:,}"


def moment(at: int) -> str:
    """Return an instant as people read it: UTC, seconds where there are any.

    Examples:
        >>> moment(1_500_000), moment(60_000_000)
        ('1970-01-01 00:00:01.5 UTC', '1970-01-01 00:01 UTC')
    """
    day, _, time = instant.text(at).removesuffix("Z").partition("T")
    return f"{day} {time.removesuffix(':00') if len(time) == len('00:00:00') else time} UTC"


def span(duration: int) -> str:
    """Return a duration by its two largest units.

    Examples:
        >>> span(0), span(DAY + 7_200 * SECOND), span(90 * SECOND)
        ('no time', '1 day 2 hours', '1 minute 30 seconds')
    """
    parts = []
    left = max(0, duration)
    for name, unit in (("day", DAY), ("hour", 3600 * SECOND), ("minute", 60 * SECOND), ("second", SECOND)):
        whole, left = divmod(left, unit)
        if whole:
            parts.append(f"{whole:,} {name}{'s' if whole > 1 else ''}")
    return " ".join(parts[:2]) or "no time"


def days(count: int) -> str:
    """Return a number of days in words."""
    return f"{count:,} day{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share between 0 and 1 as a percentage."""
    return f"{round(share * 100, 2):g} %"


def listed(names: Any) -> str:
    """Return identifiers as words, separated by commas."""
    return ", ".join(str(name).replace("_", " ") for name in names) or "none"


def readable(value: Any) -> str:
    """Return a value of a reason, of an output or of a policy as people read it; identifiers stay as they are."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return number(value)
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(map(readable, value)) or "none"
        case str() if value[10:11] == "T":
            try:
                return moment(instant.parse(value))
            except ValueError:
                return value
        case _:
            return str(value)


def reason_words(given: Reason) -> str:
    """Return the sentence of a reason with its values as people read them."""
    values = {name: readable(value) for name, value in given.items()}
    values |= {name: days(given[name]) for name in IN_DAYS if name in given}
    if "left_s" in given:
        values["left_s"] = span(given["left_s"] * SECOND)
    if "op" in given:
        values["op"] = OPS[given["op"]]
    if "book" in given:
        values["book"] = given["book"][:SHORT_HASH_DIGITS]
    return sentence({**values, "code": given["code"]})


def output_words(kind: str, fields: Mapping[str, Any]) -> str:
    """Return the sentence of an output.

    Args:
        kind: Its type.
        fields: Its fields as on the wire; further ones are not said.
    """
    values = {name: readable(value) for name, value in fields.items()}
    values |= {name: listed(fields[name]) for name in ("measures", "untouched") if name in fields}
    values |= {name: fields[name].replace("-", " ") for name in ("why", "outcome") if name in fields}
    values |= {
        name: fields[name].replace("_", " ") for name in ("display", "notice_channel") if name in fields
    }
    if "days_left" in fields:
        values["days_left"] = days(fields["days_left"])
    return OUTPUTS[kind].format(**values)


def cause_words(cause: Mapping[str, Any], at: str | None) -> str:
    """Return what caused a decision, as the journal shows it, in one sentence.

    Args:
        cause: The decision's cause.
        at: T of the decision, so that a fact of the same instant need not say it again.
    """
    if "due" in cause:
        return CAUSES[cause["kind"]].format(due=readable(cause["due"]))
    if "value" not in cause:
        return f"The policy book {cause['book'][:SHORT_HASH_DIGITS]} was adopted."
    value = cause["value"]
    if cause["topic"] == topics.COUNTS:
        observed = readable(value["observed_at"])
        return f"A count of {number(value['followers'])} followers, observed {observed}."
    occurred = "" if value["occurred_at"] == at else f", as of {readable(value['occurred_at'])}"
    return f"{fact_words(value)}{occurred}."


def fact_words(value: Mapping[str, Any]) -> str:
    """Return what a fact says, without its instant and without a full stop."""
    match value["type"]:
        case "profile-changed":
            return f"The profile says: {profile_words(value)}"
        case "answer-given":
            return f"The account answered {value['answer']}"
        case "name-display-changed":
            return "The name is displayed" if value["displayed"] else "The name is not displayed"
        case _:
            until = f" until {readable(value['until'])}" if "until" in value else ""
            return f"An adjudication: {value['ruling']}{until} (case {value['reason_code']})"


def profile_words(said: Mapping[str, Any]) -> str:
    """Return what is said of a profile; what is not said is left out."""
    words = []
    if "owner" in said:
        words.append(f"owner {said['owner'].replace('_', ' ')}")
    for name, yes, no in (
        ("self_media", "self-media", "no self-media"),
        ("daily_life", "daily life", "not daily life"),
        ("verified", "verified", "not verified"),
    ):
        if name in said:
            words.append(yes if said[name] else no)
    if "status" in said:
        words.append(said["status"])
    if "subjects" in said:
        shares = (f"{name.replace('_', ' ')} {percent(share)}" for name, share in said["subjects"].items())
        words.append(", ".join(shares) or "no subjects")
    return ", ".join(words) or "nothing new"
