"""The hypothetical records that `explain` puts before the core: one for each thing that may be said of an account.

What a need would do is not known here. The counts are those on either side of each line of the policy,
because between two lines nothing can change (contract, section 3, "What is taken").
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args

import msgspec

from schemas import topics
from schemas.account import NO_COUNT, UNKNOWN_PROFILE, Row
from schemas.fields import MOST_FOLLOWERS, WHOLE
from schemas.inputs import Owner, Status
from schemas.instant import DAY, after, text
from schemas.policy import Policy
from schemas.wire import canonical, decode
from streams.core.decide import Input
from streams.explain.words import number, percent, profile_words

Kind = Literal["profile", "display", "answer", "adjudication", "count"]

FACT_TYPES: dict[str, str] = {
    "profile": "profile-changed",
    "display": "name-display-changed",
    "answer": "answer-given",
    "adjudication": "adjudication-made",
}
RULINGS = {
    "waive": "an adjudication that waives the duty for good",
    "revoke": "an adjudication that revokes the waiver",
    "hold": "an adjudication that holds the clock",
    "release": "an adjudication that releases the hold",
}
CASE = "explain"
"""Stands for the case of an adjudication that nobody made."""


class Need(msgspec.Struct, frozen=True):
    """One thing that may be said of an account."""

    kind: Kind
    words: str
    says: dict[str, Any]
    """The fields of such a record as on the wire; of a count only `followers`."""
    difference: int | None = None
    """Of a count: how many followers more than now, negative for fewer; None where no count is known."""
    is_whole: bool = False
    """A whole profile, for accounts that no single change of theirs would cover."""

    @property
    def is_more(self) -> bool:
        """Whether it is a count over the last one."""
        return self.difference is None or self.difference > 0


def needs_of(policy: Policy, row: Row | None) -> Iterator[Need]:
    """Yield what may be said of an account, the counts by how far they are from the last one."""
    for displayed in (True, False):
        words = "the name is displayed" if displayed else "the name is no longer displayed"
        yield Need("display", words, {"displayed": displayed})
    for answer in ("agree", "decline"):
        yield Need("answer", f"the account answers {answer}", {"answer": answer})
    for ruling, words in RULINGS.items():
        yield Need("adjudication", words, {"ruling": ruling, "reason_code": CASE})
    if row is not None and row.obligation is not None:
        until = text(after(row.obligation.deadline_at, DAY))
        says = {"ruling": "extend", "until": until, "reason_code": CASE}
        yield Need("adjudication", "an adjudication that extends it, for example by a day", says)
    yield from _profiles(policy, row)
    yield from _counts(policy, row)


def _profiles(policy: Policy, row: Row | None) -> Iterator[Need]:
    profile = (row.profile if row is not None else None) or UNKNOWN_PROFILE
    yield from (_profile(owner=owner) for owner in get_args(Owner) if owner != profile.owner)
    yield from (_profile(status=status) for status in get_args(Status) if status != profile.status)
    yield _profile(self_media=not profile.self_media)
    yield _profile(daily_life=not profile.daily_life)
    if profile.subjects:
        yield Need("profile", "the profile says: no share of a listed subject any more", {"subjects": {}})
    for says, words in _subjects(policy):
        yield Need("profile", f"the profile says: {words}", says)
    says, words = next(_subjects(policy), ({}, ""))
    active = {"owner": policy.scope.owners[0] if policy.scope.owners else "individual"}
    whole = {**active, "self_media": True, "daily_life": False, "status": "active", **says}
    said = profile_words({name: value for name, value in whole.items() if name != "subjects"})
    yield Need("profile", ", ".join(filter(None, (f"the profile says: {said}", words))), whole, is_whole=True)


def _profile(**says: Any) -> Need:
    return Need("profile", f"the profile says: {profile_words(says)}", says)


def _subjects(policy: Policy) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield for each list of subjects a share that is just enough, first of the scope's."""
    share = policy.scope.min_subject_share / WHOLE
    lists = (policy.scope.subjects, *(phase.subjects or () for phase in policy.phases))
    for subjects in dict.fromkeys(lists):
        if subjects:
            listed = ", ".join(name.replace("_", " ") for name in subjects)
            yield {"subjects": {subjects[0]: share}}, f"{listed} at least {percent(share)} together"


def _counts(policy: Policy, row: Row | None) -> Iterator[Need]:
    now = row.followers if row is not None else NO_COUNT
    sides = {count for line in policy.lines for count in (line - 1, line)}
    for count in sorted(sides, key=lambda count: (abs(count - now), count)):
        if not 0 <= count <= MOST_FOLLOWERS or count == now:
            continue
        is_more = count > now
        if is_more != (count in policy.lines):  # the near side of a line that is crossed changes nothing
            continue
        bound = f"a count of {number(count)} or {'more' if is_more else 'less'}"
        if now == NO_COUNT:
            yield Need("count", bound, {"followers": count})
            continue
        words = f"{number(abs(count - now))} followers {'more' if is_more else 'fewer'} ({bound})"
        yield Need("count", words, {"followers": count}, count - now)


def record_of(need: Need, platform: str, account_id: str, row: Row | None, at: int) -> Input:
    """Return the record that would say it: as early as it would be taken at an instant."""
    who = {"event_id": _unused(row), "platform": platform, "account_id": account_id}
    key = f"{platform}:{account_id}".encode()
    if need.kind == "count":
        observed_at = max(at, row.observed_at) if row is not None else at
        value = {**who, **need.says, "observed_at": text(observed_at)}
        return decode(topics.COUNTS, key, canonical(value), (platform,))  # type: ignore[return-value]
    kind = FACT_TYPES[need.kind]
    taken = next((fact[1] for fact in row.facts if fact[0] == kind), at) if row is not None else at
    value = {**who, **need.says, "type": kind, "occurred_at": text(max(at, taken))}
    return decode(topics.FACTS, key, canonical(value), (platform,))  # type: ignore[return-value]


def _unused(row: Row | None) -> str:
    """Return an event id that no fact of the account has."""
    used = {fact[2] for fact in row.facts} if row is not None else set()
    event_id = CASE
    while event_id in used:
        event_id += "'"
    return event_id
