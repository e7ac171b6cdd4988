"""What a policy says at one instant, in words: a card of sections, for a person and for a program alike.

Pure: a policy and an instant give a card. Every line of it names the leaves of the policy that it puts
into words, each with its value, how sure it is and where it stands, so the words can be checked; a line
without a leaf says what is the same under every policy (contract, section 3). `page` draws a card.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from schemas import instant
from schemas.policy import Phase, Policy, Source


class Leaf(msgspec.Struct, frozen=True):
    """One value of a policy, and where it stands; without a source these four are None."""

    leaf: str
    """Its key path, `phase.p1.threshold`."""
    value: Any
    """As a file writes it; instants as UTC text."""
    stated: bool
    """False: no file says it, it is the built-in default."""
    status: str | None
    """How sure it is: notice, notice_via_repost, news, law, inferred or assumed."""
    text: str | None
    """What stands there; the S-numbers of the policy catalogue are in it."""
    publisher: str | None
    date: str | None


class Line(msgspec.Struct, frozen=True):
    """One sentence about a policy, and the leaves that it puts into words."""

    about: str
    says: str
    leaves: tuple[Leaf, ...]


class Section(msgspec.Struct, frozen=True):
    """Lines under one title."""

    title: str
    lines: tuple[Line, ...]


class Card(msgspec.Struct, frozen=True):
    """What a policy says at one instant."""

    platform: str
    version: str
    enabled: bool
    at: str
    """The instant, RFC 3339 in UTC, as all instants of a card."""
    phases: dict[str, str]
    """The phases by id: in force, to come or over."""
    sections: tuple[Section, ...]


class _Said(NamedTuple):
    """A line before its leaves are looked up."""

    about: str
    says: str
    paths: tuple[str, ...] = ()


IN_FORCE, TO_COME, OVER = STATES = ("in force", "to come", "over")


def card(policy: Policy, at: int) -> Card:
    """Return what a policy says at an instant (microseconds).

    Phases come first: those in force, to come, over, each group by its begin.
    """
    phases = sorted(policy.phases, key=lambda phase: (STATES.index(state(phase, at)), phase.begins))
    said = [("decides nothing", _disabled(policy))]
    said += ((f"phase {phase.id}: {state(phase, at)}", _phase(phase, at)) for phase in phases)
    said += (
        ("who is covered", _scope(policy)),
        ("when a duty begins and ends", _confirm(policy)),
        ("what happens then", _answers(policy)),
        ("measures", _measures(policy)),
        ("display", _display(policy)),
        ("pledge, purges and watching", _rest(policy)),
        ("rules for everybody, without a line", _rules(policy, at)),
    )
    everything = policy.model_dump(mode="json", by_alias=True)
    stated = policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
    sections = []
    for title, lines in said:
        cited = tuple(
            Line(line.about, line.says, tuple(_leaf(policy, everything, stated, path) for path in line.paths))
            for line in lines
        )
        if cited:
            sections.append(Section(title, cited))
    states = {phase.id: state(phase, at) for phase in phases}
    when = instant.text(at)
    return Card(policy.platform, policy.version, policy.enabled, when, states, tuple(sections))


def state(phase: Phase, at: int) -> str:
    """Return whether a phase is in force, to come or over at an instant."""
    if phase.in_force(at):
        return IN_FORCE
    return TO_COME if at < phase.begins else OVER


def line_in_words(phase: Phase) -> str:
    """Return a threshold with its operator: "1,000,000 followers or more", "more than 1,000,000 followers"."""
    count = f"{phase.threshold:,} followers"
    return f"{count} or more" if phase.op == ">=" else f"more than {count}"


def _disabled(policy: Policy) -> Iterator[_Said]:
    if not policy.enabled:
        words = "loaded and checked only; what follows would hold if it were true"
        yield _Said("enabled", f"false: {words}", ("enabled",))


def _phase(phase: Phase, at: int) -> Iterator[_Said]:
    path = f"phase.{phase.id}"
    begins = instant.text(phase.begins)
    if phase.until is None:
        words = f"{'from' if at < phase.begins else 'since'} {begins}, open-ended"
        yield _Said(state(phase, at), words, (f"{path}.from",))
    else:
        words = f"from {begins} until {instant.text(phase.until)}, which is no longer in it"
        yield _Said(state(phase, at), words, (f"{path}.from", f"{path}.until"))
    yield _Said("line", line_in_words(phase), (f"{path}.threshold", f"{path}.op"))
    if phase.subjects is not None:
        yield _Said("subjects", f"its own: {_names(phase.subjects)}", (f"{path}.subjects",))
    grace, days = phase.grace, f"{_days(phase.grace.days)} after the notice"
    if grace.deadline is None:
        yield _Said("deadline", days, (f"{path}.grace.days",))
    else:
        left = (
            f"where it leaves at least {_days(grace.min_days)}" if grace.min_days else "where it is to come"
        )
        words = f"{instant.text(grace.deadline)} {left}, else {days}"
        if grace.deadline - at < grace.min_days * instant.DAY:
            words += " (so for an account told at this instant)"
        yield _Said("deadline", words, (f"{path}.grace.deadline", f"{path}.grace.days"))
    if grace.min_days:
        words = f"{_days(grace.min_days)}, for an absolute deadline to count, and when a hold ends"
        yield _Said("least left", words, (f"{path}.grace.min_days",))
    before = _listed(tuple(map(str, grace.reminders_days_before)))
    unit = "day" if grace.reminders_days_before == (1,) else "days"
    words = f"{before} {unit} before the deadline" if before else "none"
    yield _Said("reminders", words, (f"{path}.grace.reminders_days_before",))


_OWNERS = {
    "individual": "individuals",
    "organisation": "organisations",
    "government": "government",
    "news_media": "news media",
}


def _scope(policy: Policy) -> Iterator[_Said]:
    scope = policy.scope
    covered = _listed(tuple(words for owner, words in _OWNERS.items() if owner in scope.owners))
    exempt = _listed(tuple(words for owner, words in _OWNERS.items() if owner not in scope.owners))
    yield _Said("covered", f"self-media of {covered or 'nobody'}", ("scope.owners",))
    yield _Said("exempt", exempt or "nobody by owner", ("scope.owners",))
    words = "exempt where an account mainly shares it" if scope.exempt_daily_life else "not exempt"
    yield _Said("daily life", words, ("scope.exempt_daily_life",))
    words = _names(scope.subjects) if scope.subjects else "any: every account is covered"
    yield _Said("subjects", words, ("scope.subjects",))
    words = f"an account is covered when these make up {_percent(scope.min_subject_share)} of it or more"
    if not scope.subjects and all(phase.subjects is None for phase in policy.phases):
        words = f"{_percent(scope.min_subject_share)} or more, if subjects were listed; none are"
    yield _Said("share", words, ("scope.min_subject_share",))


def _confirm(policy: Policy) -> Iterator[_Said]:
    dwell, band = policy.confirm.dwell_days, policy.confirm.hysteresis
    words = f"when the counts have reached a line for {_days(dwell)}"
    yield _Said(
        "begins",
        words if dwell else "at once, with the first count that reaches a line",
        ("confirm.dwell_days",),
    )
    covering = "line in force that covers the account"
    words = f"no {covering} is reached any more"
    if band:
        words = f"the count is below {_percent(10_000 - band)} of every {covering}"
    yield _Said("fallen below", f"when {words}", ("confirm.hysteresis_pct",))


def _answers(policy: Policy) -> Iterator[_Said]:
    yield _Said("told by", _name(policy.notice.channel), ("notice.channel",))
    yield _Said("silence", "the measures at the deadline, for want of a reply")
    if policy.measures.on_decline == "at-once":
        words = "ends the grace at once, with the measures"
    else:
        words = "the clock runs on; the measures at the deadline, as declined"
    yield _Said("refusal", words, ("measures.on_decline",))
    yield _Said("agreement", "stops the clock: the name is the platform's to show now")
    yield _Said("displayed", "the duty is met, and measures in force are lifted")
    lifts = policy.below.measures == "lift"
    if policy.below.pending == "cancel":
        words = "ends the grace and the duty"
    elif lifts:
        words = "ends nothing yet; at the deadline a count still below ends the duty"
    else:
        words = "ends nothing; the measures come at the deadline all the same"
    yield _Said("a fall below, in grace", words, ("below.pending",))
    words = (
        "lifts them and ends the duty" if lifts else "lifts nothing: they stay until the name is displayed"
    )
    yield _Said("a fall below, under measures", words, ("below.measures",))


def _measures(policy: Policy) -> Iterator[_Said]:
    impose, untouched = policy.measures.impose, policy.measures.untouched
    none = "none: a deadline that passes is recorded, and nothing is withheld"
    yield _Said("imposed", _names(impose) if impose else none, ("measures.impose",))
    yield _Said("untouched", _names(untouched) if untouched else "nothing is named", ("measures.untouched",))


def _display(policy: Policy) -> Iterator[_Said]:
    display = policy.display
    yield _Said("individuals", _name(display.individual), ("display.individual",))
    yield _Said("organisations", _name(display.organisation), ("display.organisation",))
    yield _Said("where", _name(display.where), ("display.where",))
    words = f"viewers with any of: {', '.join(map(_name, policy.viewer.deny))}"
    words = words if policy.viewer.deny else "nobody"
    yield _Said("hidden from", words, ("viewer.deny",))


def _rest(policy: Policy) -> Iterator[_Said]:
    if policy.floor is not None:
        words = f"no line below {policy.floor.followers:,} followers"
        if policy.floor.override:
            words += "; set aside here on purpose"
            yield _Said("pledged", words, ("floor.followers", "floor.override"))
        else:
            yield _Said("pledged", words, ("floor.followers",))
    if policy.purge is not None:
        fall = (
            f"a fall by {_percent(policy.purge.drop_share)} or more within {_days(policy.purge.within_days)}"
        )
        paths = ("purge.drop_share", "purge.within_days")
        yield _Said("purges", f"{fall} is named a suspected purge in the reasons", paths)
    words = f"accounts of {policy.watch_from:,} followers or more"
    words = f"{words}, {_percent(policy.watch.floor_share)} of the lowest line"
    yield _Said("watched", words, ("watch.floor_share",))


def _rules(policy: Policy, at: int) -> Iterator[_Said]:
    for rule in sorted(policy.rules, key=lambda rule: rule.begins):
        is_to_come = at < rule.begins
        when = f"{rule.id}, {'from' if is_to_come else 'since'} {instant.text(rule.begins)}"
        about = TO_COME if is_to_come else IN_FORCE
        yield _Said(about, f"{when}: {rule.text}", (f"rule.{rule.id}.from", f"rule.{rule.id}.text"))


def _leaf(policy: Policy, everything: Any, stated: Any, path: str) -> Leaf:
    source: Source | None = policy.source_of(path)
    cited = (None,) * 4 if source is None else (source.status, source.text, source.publisher, source.date)
    return Leaf(path, _at(everything, path), _at(stated, path) is not None, *cited)


def _at(tables: Any, path: str) -> Any:
    """Return the value at a key path, phases and rules by id; None where there is none."""
    here = tables
    for part in path.split("."):
        if isinstance(here, list):
            here = next((row for row in here if row["id"] == part), None)
        else:
            here = None if here is None else here.get(part)
    return here


def _name(identifier: str) -> str:
    return identifier.replace("_", " ")


def _names(identifiers: Iterable[str]) -> str:
    return _listed(tuple(map(_name, identifiers)))


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _percent(units: int) -> str:
    """Return ten-thousandths as a percentage."""
    whole, rest = divmod(units, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + " %" if rest else f"{whole} %"
