"""What accounts there are: how many followers they have, how they grow, what they are about.

Calibrated with the catalogue of public facts, `facts/policies.md`, section 11; [Sn] is its list of
sources. Nothing is known there of how subjects, owners and growth differ from account to account, nor
how many accounts stand near a line: those shares are assumed, and chosen so that things happen.

| what | figure | source |
|---|---|---|
| who is generated at all | "head authors", 20,000 followers and more | [S40] |
| tail below the lowest line | N(>x) ~ x^-0.83; Xiaohongshu 1.0 | [S40], [S44] |
| tail from there to three times the highest line | x^-1.0 | [S43] |
| tail beyond | x^-1.22; Douyin 1.55 | [S41], [S42] with [S46] |
| growth a month | 1 %: between 5 % a year and 5 % a month, bots included | [S45], [S40], [S52] |
| growth is a random factor of less spread for larger accounts | no figure | [S48] |
| clean-up by the platform | some percent of all, more than half of a few (1.30M to 0.50M) | [S37], [S51] |
"""

from bisect import bisect_right
from itertools import pairwise
from random import Random

from schemas import topics
from schemas.account import Profile, Row
from schemas.inputs import Owner
from schemas.instant import SECOND
from schemas.policy import Policy, PolicyBook
from streams.core.scope import covers
from streams.generate.settings import Settings

LEAST = 20_000
LARGEST = 5_000
"""The largest account, in multiples of the smallest: a hundred million."""
TAIL = (0.83, 1.0, 1.22)
"""Exponents below the lowest line, from there to three times the highest, and beyond."""
TAIL_OF = {"douyin": (0.83, 1.0, 1.55), "xiaohongshu": (1.0, 1.0, 1.22)}

NEARNESS = (0.9, 1.15)
"""How an account that starts near a line stands to it."""
GROWTH = (0.0004, 0.0012)
"""Mean and spread over the accounts of the growth a day."""
NOISE = 0.02
"""Spread of the daily growth of the smallest account; it falls with the fourth root of the size."""
LEAPING = (0.04, 1.05, 1.6)
"""Share of accounts that go viral on one day, and by what factor."""
CLEANED = (0.01, 0.06)
"""What a clean-up by the platform takes of everybody."""
CLEANED_OUT = (0.02, 0.2, 0.65)
"""Share of accounts of which it takes much, and how much: who had bought followers."""

OWNERS: dict[Owner, int] = {"individual": 80, "organisation": 14, "government": 3, "news_media": 3}
EVERYDAY = ("beauty", "food", "games", "pets", "sports", "travel")
"""Subjects that no policy lists."""

HOUR = 3600 * SECOND


class Account:
    """One account; what changes in the run is how many follow it, and what was said of it."""

    __slots__ = (
        *("platform", "id", "policy", "drift", "noise", "hour", "offset", "minute", "middle", "what"),
        *("followers", "low", "high", "held", "gone", "known", "profile", "told", "busy_until"),
    )

    def __init__(self, platform: str, name: str, policy: Policy, followers: int, draw: Random) -> None:
        self.platform = platform
        self.id = name
        self.policy = policy
        self.followers = followers
        self.low = self.high = 0
        """The counts between which no line lies; at first none, so that the first count is a crossing."""
        self.drift = draw.gauss(*GROWTH)
        self.noise = NOISE * min(1.0, (LEAST / max(1, self.followers)) ** 0.25)
        self.hour = draw.randrange(24)
        second = draw.randrange(3600)
        self.offset = second * SECOND
        self.minute = f"{second // 60:02}:{second % 60:02}Z"
        """When in the hour of the day the account is counted."""
        self.middle = f'","platform":"{platform}","account_id":"{name}","followers":'
        self.what = (topics.COUNTS, platform, "")
        self.held: list[bytes] = []
        """Counts that are late: they come behind the next one."""
        self.gone = False
        """Whether it is deleted: then it is not counted, and says nothing."""
        self.known = False
        """Whether its profile was said: from its first count near a line on."""
        self.profile = Profile()
        self.told = self.busy_until = 0
        """From when and until when its life after its last crossing goes, in µs."""

    @property
    def key(self) -> str:
        """`platform:account_id`."""
        return f"{self.platform}:{self.id}"

    def find_band(self) -> None:
        """Note between which lines the count stands now."""
        lines = self.policy.lines
        place = bisect_right(lines, self.followers)
        self.low = lines[place - 1] if place else 0
        self.high = lines[place] if place < len(lines) else 2**53

    def told_at(self, at: int) -> int | None:
        """Return the first instant from `at` on at which a phase may be reached; None for never."""
        row = Row(profile=self.profile)
        begins = [
            max(at, phase.begins)
            for phase in self.policy.phases
            if phase.reached(self.followers)
            and covers(self.policy, phase, row)
            and (phase.until is None or at < phase.until)
        ]
        return min(begins, default=None)


def population(settings: Settings, book: PolicyBook, draw: Random) -> list[Account]:
    """Return the accounts, as they are before the first day, in the order in which they are counted."""
    platforms = settings.platforms_of(book)
    names = draw.sample(range(2**40), settings.accounts)
    accounts = []
    for number, name in enumerate(names):
        platform = platforms[number % len(platforms)]
        policy = book.policies[platform]
        accounts.append(
            Account(platform, f"a{name:010x}", policy, starting(policy, settings.near, draw), draw)
        )
    return sorted(accounts, key=lambda account: (account.hour, account.offset))


def starting(policy: Policy, near: float, draw: Random) -> int:
    """Return how many followers an account starts with: by the tail of its platform, or near a line."""
    if draw.random() < near:
        return int(draw.choice(policy.phases).threshold * draw.uniform(*NEARNESS))
    thresholds = [phase.threshold for phase in policy.phases]
    least = max(1, min(LEAST, min(thresholds) // 2))
    starts = [least, min(thresholds), 3 * max(thresholds)]
    return min(int(_of_tail(draw, starts, TAIL_OF.get(policy.platform, TAIL))), least * LARGEST)


def _of_tail(draw: Random, starts: list[int], exponents: tuple[float, ...]) -> float:
    """Return a size of a Pareto tail whose exponent changes where a piece starts."""
    share = 1.0 - draw.random()  # of all accounts that are larger: never 0
    above = 1.0
    for (start, end), exponent in zip(pairwise(starts), exponents, strict=False):
        at_end = above * (end / start) ** -exponent
        if share > at_end:
            return float(start * (share / above) ** (-1 / exponent))
        above = at_end
    return float(starts[-1] * (share / above) ** (-1 / exponents[-1]))


def profile(draw: Random, listed: list[str]) -> Profile:
    """Return what the platform says of an account when it comes near a line.

    Args:
        draw: Where chance comes from.
        listed: The subjects that any policy lists.
    """
    return Profile(
        owner=draw.choices(tuple(OWNERS), tuple(OWNERS.values()))[0],
        self_media=draw.random() < 0.97,
        daily_life=draw.random() < 0.2,
        verified=draw.random() < 0.9,
        subjects=subjects(draw, listed),
    )


def subjects(draw: Random, listed: list[str]) -> tuple[tuple[str, int], ...]:
    """Return one to four subjects with shares in ten-thousandths that add up to one at most.

    The first, with a third and more, is mostly one that some policy lists.
    """
    main = draw.choice(listed if listed and draw.random() < 0.8 else EVERYDAY)
    shares = {main: draw.randint(3_000, 9_500)}
    for name in draw.sample((*listed, *EVERYDAY), draw.randrange(4)):
        shares.setdefault(name, draw.randint(1, max(1, (10_000 - sum(shares.values())) // 2)))
    return tuple(sorted(shares.items()))


def leaps(
    settings: Settings, accounts: list[Account], draw: Random
) -> dict[int, list[tuple[Account, float]]]:
    """Return by day which accounts' counts change at once, and by what factor: viral days and clean-ups."""
    found: dict[int, list[tuple[Account, float]]] = {}
    share, least, most = LEAPING
    for account in accounts:
        if draw.random() < share:
            found.setdefault(draw.randrange(settings.days), []).append((account, draw.uniform(least, most)))
    share, least, most = CLEANED_OUT
    days = {
        platform: draw.randint(settings.days // 3, settings.days * 4 // 5)
        for platform in dict.fromkeys(account.platform for account in accounts)
    }
    for account in accounts:
        lost = draw.uniform(least, most) if draw.random() < share else draw.uniform(*CLEANED)
        found.setdefault(days[account.platform], []).append((account, 1 - lost))
    return found
