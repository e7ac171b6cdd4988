"""What the programs of a race are fed: counts in the contract's format, the same bytes for everybody.

A load has two parts: a short one, with which a program warms up, and the one that is measured. At the end of each
part every partition gets a mark: the first count of an account that stands over the line. Whoever has told the marks
has taken everything before them. All instants are yesterday's or earlier and rise, so that nothing is a dead letter.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, islice
from typing import NamedTuple

from bench.peers.meter import LINE, PARTITIONS
from schemas.instant import DAY, text
from schemas.partitioner import partition_of
from streams.live.rows import Message

WARM = 2_000
"""Counts of the first part, without its marks."""
PLATFORM = "bilibili"
ACCOUNTS = 20_000
SAMPLED_DAYS = 25
"""A count may be 30 days old."""

NO_HEADERS: list[tuple[str, bytes | None]] = []

Count = tuple[str, int, int]
"""An account, its followers, and when they were counted, in µs."""


class Part(NamedTuple):
    """Some counts, by partition, and what is to be said of them."""

    messages: dict[int, list[Message]]
    counts: int
    crossings: int


class Load(NamedTuple):
    """What one program is fed."""

    warm: Part
    measured: Part


def quiet(counts: int) -> Iterator[Count]:
    """Yield counts of 20,000 accounts, a few of which are counted much more often than others; few cross the line."""
    chance = random.Random(1)  # noqa: S311 - the same for everybody
    followers: dict[int, int] = {}
    at = _yesterday()
    for number in range(counts):
        account = int(chance.paretovariate(0.5)) % ACCOUNTS
        before = followers.get(account)
        if before is None:  # one in five is near the line or over it
            before = chance.randrange(400_000) + (300_000 if chance.random() < 0.2 else 0)
        now = followers[account] = max(0, before + int(chance.gauss(50, 2000)))
        yield f"acct-{account:06}", now, at + number * 10_000


def wakes(counts: int) -> Iterator[Count]:
    """Yield counts that are each the first of an account, over the line: every one is a decision with a notice."""
    at = _yesterday()
    for number in range(counts):
        yield f"acct-{number:08}", 1_000_000 + number, at + number * 1000


def samples(counts: int) -> Iterator[Count]:
    """Yield counts that are each the first of an account on a new day, near the line: every one writes its row."""
    accounts = -(-counts // SAMPLED_DAYS)
    at = _yesterday() - (SAMPLED_DAYS - 1) * DAY
    for number in range(counts):
        day, account = divmod(number, accounts)
        yield f"acct-{account:06}", 450_000 + day, at + day * DAY + account * 1000


def load_of(stream: Callable[[int], Iterator[Count]], counts: int) -> Load:
    """Return a load with so many counts to be measured, marks included."""
    last: dict[str, int] = {}
    numbers = count()
    source = stream(WARM + counts - PARTITIONS)
    warm = _part(chain(islice(source, WARM), _marks("warm")), last, numbers)
    return Load(warm, _part(chain(source, _marks("last")), last, numbers))


def _part(counts: Iterable[Count], last: dict[str, int], numbers: Iterator[int]) -> Part:
    messages: dict[int, list[Message]] = {number: [] for number in range(PARTITIONS)}
    crossings = taken = 0
    for taken, (account, followers, at) in enumerate(counts, 1):  # noqa: B007 - how many there were
        key = f"{PLATFORM}:{account}".encode()
        value = (
            f'{{"event_id":"e{next(numbers):09}","platform":"{PLATFORM}","account_id":"{account}",'
            f'"followers":{followers},"observed_at":"{text(at)}"}}'
        )
        messages[partition_of(key, PARTITIONS)].append((key, value.encode(), NO_HEADERS))
        crossings += (last.get(account, 0) >= LINE) != (followers >= LINE)
        last[account] = followers
    return Part(messages, taken, crossings)


def _marks(name: str) -> Iterator[Count]:
    """Yield one count over the line for each partition."""
    missing = set(range(PARTITIONS))
    for number in count():
        account = f"{name}-{number:04}"
        partition = partition_of(f"{PLATFORM}:{account}".encode(), PARTITIONS)
        if partition in missing:
            missing.remove(partition)
            yield account, 2 * LINE, _yesterday() + DAY - 1
        if not missing:
            return


def _yesterday() -> int:
    """Return the instant at which yesterday began, in UTC."""
    today: int = time.time_ns() // 1000 // DAY * DAY
    return today - DAY
