"""All accounts' lives as one stream of replay lines, by time.

Theory of operation. Each account is counted once a day at its own second, so an hour's counts come out
in order by themselves; what else happens waits in an agenda by the hour. The lines of an hour are sorted
and handed out, and forgotten: a population of any length takes the memory of its accounts. The order is
that of `--time records` (contract, section 6) for every number of partitions: facts before counts of
the same instant, and what is late, doubled or broken directly behind a record of its topic and key.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from operator import attrgetter, itemgetter
from random import Random

from schemas import instant, topics
from schemas.account import Profile
from schemas.dead_letters import CODES
from schemas.fields import WHOLE
from schemas.instant import DAY, SECOND
from schemas.policy import PolicyBook
from streams.generate.damage import WAYS, broken_line
from streams.generate.lives import ACTIVE, DELETED, LIVES, PROFILE, PURGE, TURNS, Event, life
from streams.generate.population import HOUR, Account, leaps, population, profile
from streams.generate.settings import Settings
from streams.generate.tally import Crossing, Tally, What
from streams.policies.load import load_book, shipped_book_dir

Placed = tuple[int, What, bytes]
"""A line with its place (four times its instant, and the rank of its topic) and what it is."""

TICK, FACT, COUNT = range(3)
"""Ranks at one instant."""
TURNING = 0.2
"""Share of the accounts near a line to which something happens for reasons of its own. Assumed."""
FLEEING_TO = (0.6, 0.995)
"""Where an owner who removes followers stops, as a share of the lowest line: 957,000 of a million [S17]."""
REST = 10 * DAY
"""How long after its last step a life is over, so that the next crossing may begin another."""

_COUNT_VALUE = slice(len('{"topic":"follower-counts","value":'), -len("}\n"))
_FLAGS = ("self_media", "daily_life", "verified")
_A_TICK: What = (topics.CLOCK, "", "")


def generate(
    settings: Settings, book: PolicyBook | None = None, tally: Tally | None = None
) -> Iterator[bytes]:
    r"""Return the lines of a replay file, each with its `\n`, in the order in which they are observed.

    Args:
        settings: What is generated; the same settings and book give the same bytes in every process.
        book: Whose platforms and lines; None: the shipped one.
        tally: Where to count what is yielded.

    Raises:
        OperatorError: the book has no policy of a platform that is named.
    """
    run = _Run(settings, book or load_book(shipped_book_dir()))
    return _counted(run, settings.records, tally or Tally())


def _counted(run: "_Run", records: int | None, tally: Tally) -> Iterator[bytes]:
    """Yield the lines of a run, so many at most, and count them."""
    tally.begin(run.start, run.thresholds, [account.followers for account in run.accounts])
    left = records
    for at, placed in run.hours():
        if left is not None:
            del placed[left:]
            left -= len(placed)
        tally.count(at, map(itemgetter(1), placed))
        tally.cross(run.crossings, placed[-1][0] // 4 if placed else at)
        run.crossings.clear()
        yield from map(itemgetter(2), placed)
        if left == 0:
            break
    tally.at_end = [account.followers for account in run.accounts]


class _Run:
    """One run through the days: the accounts as they stand, and what is planned for them."""

    def __init__(self, settings: Settings, book: PolicyBook) -> None:
        self._settings = settings
        self._draw = Random(f"nameplate {settings.seed}")  # noqa: S311 - a made-up population, no secret
        self.accounts = population(settings, book, self._draw)
        self.platforms = settings.platforms_of(book)
        self._phases = {
            name: {phase.threshold: phase for phase in book.policies[name].phases} for name in self.platforms
        }
        self.thresholds = {name: tuple(phases) for name, phases in self._phases.items()}
        scopes = (book.policies[name].scope for name in self.platforms)
        self._listed = sorted({subject for scope in scopes for subject in scope.subjects})
        self.start = settings.start // HOUR * HOUR
        self._end = self.start + settings.days * DAY
        self._by_hour: list[list[Account]] = [[] for _ in range(24)]
        for account in self.accounts:
            self._by_hour[account.hour].append(account)
        self._leaps = leaps(settings, self.accounts, self._draw)
        self._agenda: dict[int, list[tuple[Account, int, Event, str]]] = defaultdict(list)
        """By hour: whose turn it is, when it is told, what happens, and whether it is late."""
        self._counts = self._facts = self._owed_unknown_types = 0
        self.crossings: list[Crossing] = []
        """Those of the last hour."""

    def hours(self) -> Iterator[tuple[int, list[Placed]]]:
        """Yield each hour's first instant and its lines, in order."""
        for hour in range(24 * self._settings.days):
            at = self.start + hour * HOUR
            for account, factor in self._leaps.pop(hour // 24, ()) if hour % 24 == 0 else ():
                account.followers = int(account.followers * factor)
            placed = self._ticks(at)
            self._count(at, self._by_hour[hour % 24], placed)
            self._happen(hour, placed)
            placed.sort(key=itemgetter(0))
            yield at, placed

    def _ticks(self, at: int) -> list[Placed]:
        if self._settings.ticks is None:
            return []
        apart = self._settings.ticks * SECOND
        first = self.start - (self.start - at) // apart * apart  # the first one in this hour
        return [
            (
                tick * 4 + TICK,
                _A_TICK,
                f'{{"topic":"clock","value":{{"at":"{instant.text(tick)}"}}}}\n'.encode(),
            )
            for tick in range(first, at + HOUR, apart)
        ]

    # Counts -------------------------------------------------------------------------------------

    def _count(self, hour_at: int, accounts: list[Account], placed: list[Placed]) -> None:
        """Count the accounts of an hour. All the time goes here: one record is one turn of the loop."""
        draw = self._draw.random
        odd = self._settings.late + self._settings.doubled + self._settings.broken
        hour = instant.text(hour_at)[: len("2024-01-01T00:")]
        place = hour_at * 4 + COUNT
        number = self._counts
        for account in accounts:
            before = account.followers
            followers = before + int(before * (account.drift + account.noise * (draw() - 0.5)))
            account.followers = followers
            if not account.low <= followers < account.high:
                self._cross(account, hour_at + account.offset, placed)
            number += 1
            line = (
                f'{{"topic":"follower-counts","value":{{"event_id":"c{number}{account.middle}{followers},'
                f'"observed_at":"{hour}{account.minute}"}}}}\n'
            ).encode()
            chance = draw()
            if chance < odd or account.held:
                self._place_oddly(account, place + account.offset * 4, line, chance, placed)
            else:
                placed.append((place + account.offset * 4, account.what, line))
        self._counts = number

    def _place_oddly(
        self, account: Account, place: int, line: bytes, chance: float, placed: list[Placed]
    ) -> None:
        """Place a count that is late, doubled or broken, or behind which late ones wait."""
        settings = self._settings
        if chance < settings.late:
            account.held.append(line)
            return
        placed.append((place, account.what, line))
        chance -= settings.late
        if chance < settings.doubled:
            placed.append((place, (topics.COUNTS, account.platform, "doubled"), line))
        elif chance < settings.doubled + settings.broken:
            code = self._draw.choice(CODES)
            if code in WAYS[topics.COUNTS]:
                copy = broken_line(topics.COUNTS, account.key, line[_COUNT_VALUE].decode(), code)
                placed.append((place, (topics.COUNTS, account.platform, code), copy))
            else:
                self._owed_unknown_types += 1  # the next fact pays it
        placed += [(place, (topics.COUNTS, account.platform, "late"), held) for held in account.held]
        account.held.clear()

    def _cross(self, account: Account, at: int, placed: list[Placed]) -> None:
        """Find where an account stands after its count crossed a line, and what that leads to."""
        low, is_first = account.low, account.high == 0
        account.find_band()
        was_below = account.low > low
        for line, phase in self._phases[account.platform].items():
            if not is_first and phase.reached(low) != phase.reached(account.low):
                self.crossings.append((at, line, account.platform, "up" if was_below else "down"))
        if not account.known and account.followers >= account.policy.watch_from:
            self._introduce(account, at, placed)
        told = account.told_at(at) if was_below and account.known else None
        if told is not None and not account.told <= told < account.busy_until:
            events = list(life(LIVES, told, self._draw))
            account.told = told
            account.busy_until = (events[-1].at if events else told) + REST
            self._plan(account, events)

    def _introduce(self, account: Account, at: int, placed: list[Placed]) -> None:
        """Say the profile of an account that comes near a line, in the same hour and just before its count."""
        account.known = True
        account.profile = profile(self._draw, self._listed)
        said = at - self._draw.randint(0, min(600, account.offset // SECOND)) * SECOND
        self._say(account, said, Event(said, PROFILE, _profile_says(account.profile)), "", placed)
        if self._draw.random() < TURNING and at < self._end:
            self._plan(
                account,
                life(TURNS, self._draw.randrange(at // SECOND, self._end // SECOND) * SECOND, self._draw),
            )

    # Facts --------------------------------------------------------------------------------------

    def _plan(self, account: Account, events: Iterable[Event]) -> None:
        """Put the events of a life into the agenda; one that is late is told right behind the next one."""
        late: list[Event] = []
        events = list(events)
        for event in events:
            if event is not events[-1] and self._draw.random() < self._settings.late:
                late.append(event)
                continue
            hour = (event.at - self.start) // HOUR
            self._agenda[hour].append((account, event.at, event, ""))
            self._agenda[hour] += [(account, event.at, held, "late") for held in late]
            late.clear()

    def _happen(self, hour: int, placed: list[Placed]) -> None:
        """Let happen what the agenda has for an hour."""
        for account, told, event, odd in self._agenda.pop(hour, ()):
            if event.type == PURGE:
                lowest = self.thresholds[account.platform][0]
                account.followers = min(account.followers, int(lowest * self._draw.uniform(*FLEEING_TO)))
                continue
            counted = self._by_hour[account.hour]
            if account.gone and event.says == ACTIVE:
                account.gone = False
                insort(counted, account, key=attrgetter("offset"))
            if account.gone:
                continue
            if event.says == DELETED:
                account.gone = True
                counted.remove(account)
            self._say(account, told, event, odd, placed)

    def _say(self, account: Account, told: int, event: Event, odd: str, placed: list[Placed]) -> None:
        """Place a fact, and a second one behind it where it is doubled or broken."""
        settings, platform = self._settings, account.platform
        self._facts += 1
        value = (
            f'{{"event_id":"f{self._facts}","platform":"{platform}","account_id":"{account.id}",'
            f'"occurred_at":"{instant.text(event.at)}","type":"{event.type}",{event.says}}}'
        )
        line = f'{{"topic":"account-facts","value":{value}}}\n'.encode()
        place = told * 4 + FACT
        placed.append((place, (event.type, platform, odd), line))
        chance = self._draw.random()
        if chance < settings.doubled:
            placed.append((place, (event.type, platform, "doubled"), line))
            return
        code = self._draw.choice(WAYS[topics.FACTS]) if chance < settings.doubled + settings.broken else None
        if code is None and self._owed_unknown_types:
            self._owed_unknown_types -= 1
            code = "unknown-type"
        if code is not None:
            placed.append(
                (place, (event.type, platform, code), broken_line(topics.FACTS, account.key, value, code))
            )


def _profile_says(said: Profile) -> str:
    """Return a whole profile as the members of a JSON object; shares as decimals, never through a float."""
    shares = ",".join(f'"{name}":{Decimal(share) / WHOLE:f}' for name, share in said.subjects)
    flags = ",".join(f'"{name}":{str(getattr(said, name)).lower()}' for name in _FLAGS)
    return f'"owner":"{said.owner}","subjects":{{{shares}}},{flags},"status":"{said.status}"'
