"""What a scenario expects, read: outputs, silences and the last status of an account."""

from typing import Any, NamedTuple

from scenario_words import Who, Words

from schemas.instant import DAY, FIRST, LAST, parse

STAGES = ("clear", "confirming", "grace", "stopped", "restricted", "met", "waived", "unknown", "forgotten")
CANCELLED = ("account-deleted", "waived", "out-of-scope", "policy-changed", "fell-below")


class Form(NamedTuple):
    """How an output is written: its first word's field and choices, and the named fields behind it."""

    field: str = ""
    choices: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


OUTPUTS = {
    "disclosure-required": Form(
        "phase",
        required=("deadline",),
        optional=("followers", "observed", "threshold", "op", "display", "channel"),
    ),
    "disclosure-met": Form(),
    "disclosure-cancelled": Form("why", CANCELLED),
    "grace-started": Form(),
    "grace-reminder": Form("days_left", optional=("deadline",)),
    "grace-extended": Form(required=("from", "to")),
    "grace-suspended": Form("why", ("agreed", "held", "account-suspended")),
    "grace-resumed": Form(required=("deadline",)),
    "grace-ended": Form("outcome", ("met", "cancelled", "expired", "declined")),
    "restriction-imposed": Form("why", ("no-reply", "declined"), optional=("measures", "untouched")),
    "restriction-lifted": Form("why", ("displayed", *CANCELLED), optional=("measures",)),
}
COMMON = ("effective", "version")
FIELDS = {
    "deadline": "deadline_at",
    "observed": "observed_at",
    "effective": "effective_at",
    "from": "previous_deadline_at",
    "to": "deadline_at",
    "channel": "notice_channel",
    "version": "policy_version",
}
"""Named fields whose word is shorter than their name in the output."""

PURGE = "suspected-purge"
_INSTANTS = ("deadline", "observed", "effective", "from", "to")
_LISTS = ("measures", "untouched")
_NUMBERS = ("followers", "threshold")


class Expected(NamedTuple):
    """One decision that says something: who, when, and its outputs in their order."""

    at: str
    who: Who
    outputs: tuple[dict[str, Any], ...]
    purge: tuple[int, int] | None
    line: int


class Silence(NamedTuple):
    """A silence that matters. `kind`: nothing, sleeps (nor any decision), or the type that is not heard."""

    who: Who | None
    kind: str
    start: int
    end: int
    line: int


class Status(NamedTuple):
    """What the last account-status of an account says."""

    who: Who
    stage: str
    fields: dict[str, Any]
    line: int


def read_expected(words: Words) -> Expected:
    at, who = words.instant(), words.account()
    outputs, purge = [], None
    while True:
        if words.took(PURGE):
            purge = words.number_of("highest count"), words.took("to") and words.number_of("count")
        else:
            outputs.append(_output(words))
        if not words.took("+"):
            break
    words.end("an output")
    return Expected(at, who, tuple(outputs), purge, words.number)


def _output(words: Words) -> dict[str, Any]:
    kind = words.one_of("output", OUTPUTS)
    form = OUTPUTS[kind]
    output: dict[str, Any] = {"type": kind}
    if form.field == "days_left":
        output["days_left"] = words.number_of("number of days left")
        if not (words.took("days", "left") or words.took("day", "left")):
            words.refuse("a reminder is written grace-reminder 3 days left.")
    elif form.choices:
        output[form.field] = words.one_of(form.field, form.choices)
    elif form.field:
        output[form.field] = words.take(f"its {form.field}")
    said = set()
    allowed = (*form.required, *form.optional, *COMMON)
    while words.next not in ("", "+"):
        name = words.one_of(f"field of {kind}", allowed)
        said.add(name)
        output[FIELDS.get(name, name)] = _value(words, name)
    for name in form.required:
        if name not in said:
            words.refuse(f'{kind} needs its "{name}".')
    return output


def _value(words: Words, name: str) -> Any:
    if name in _INSTANTS:
        return words.instant()
    if name in _NUMBERS:
        return words.number_of(name)
    word = words.take(f"its {name}")
    if name in _LISTS:
        return [] if word == "none" else word.split(",")
    return word


def read_silence(words: Words, known: set[Who]) -> Silence:
    who = None if words.took("everybody") else _known(words, known)
    if words.took("sleeps"):
        kind = "sleeps"
    elif words.took("hears", "nothing"):
        kind = "nothing"
    elif words.took("hears", "no"):
        kind = words.one_of("output", OUTPUTS)
    else:
        words.refuse(
            "a silence is written acc-a hears nothing, acc-a hears no grace-reminder or acc-a sleeps."
        )
    start, end = FIRST, LAST
    if words.took("on"):
        start = parse(words.instant())
        end = start + DAY - 1
    if words.took("from"):
        start = parse(words.instant())
    if words.took("to"):
        end = parse(words.instant(end_of_day=True))
    words.end("a silence")
    if end < start:
        words.refuse("ends before it begins.")
    return Silence(who, kind, start, end, words.number)


def read_status(words: Words, known: set[Who]) -> Status:
    who = _known(words, known)
    stage = words.one_of("stage", STAGES)
    fields: dict[str, Any] = {}
    while words.next:
        name = words.one_of(
            "field of a status", ("phase", "deadline", "followers", "observed", "displayed", "measures")
        )
        value = _value(words, name)
        fields[FIELDS.get(name, name)] = value == "yes" if name == "displayed" else value
    return Status(who, stage, fields, words.number)


def _known(words: Words, known: set[Who]) -> Who:
    who = words.account()
    if who not in known:
        words.refuse(f"no event is about {who}.")
    return who
