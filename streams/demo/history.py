"""What the demo publishes: the lines of a synthetic population or of files, in the order in which they are merged.

A worker in records time merges counts and facts by their own instants; a replay takes lines as they stand. So
the lines are put into that order and written down: what is left behind can be replayed to the same bytes.
"""

from base64 import b64encode
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas import topics
from schemas.errors import InputError, OperatorError
from schemas.instant import DAY
from schemas.partitioner import partition_of
from schemas.policy import PolicyBook
from schemas.wire import canonical, decode
from streams.core.decider import BEFORE_TIME
from streams.generate import Settings, generate
from streams.replay.files import Line, rare_topics, read_lines

PARTITIONS = 4
"""Of each topic: two for each worker."""

POPULATION = Settings(accounts=1_000, near=0.1, days=63)
"""Nine weeks, from before the first phases to after the second ones: 60,000 lines, published in 3 s, and
three hundred decisions to watch. Most accounts are far from any line, as in life."""

_ORDER = (topics.FACTS, topics.COUNTS)
"""At one instant the earlier one comes first (contract, section 6)."""


@dataclass(frozen=True)
class History:
    """What is published, and where its time goes."""

    lines: Sequence[Line]
    begins: int
    """The first instant that a line names, in µs."""
    until: int
    """The last one: where T goes at the end."""
    accounts: int
    platforms: int

    @property
    def days(self) -> float:
        """How long it is."""
        return (self.until - self.begins) / DAY

    def count(self, topic: str) -> int:
        """Return how many lines a topic has."""
        return sum(line.topic == topic for line in self.lines)


def write_population(file: Path, book: PolicyBook) -> tuple[Path]:
    """Write the lines of a synthetic population into a file; return it."""
    file.write_bytes(b"".join(generate(POPULATION, book)))
    return (file,)


def read_history(data: Sequence[Path], file: Path, platforms: Container[str]) -> History:
    """Read replay files, write their lines in order into a file, and return them.

    Raises:
        OperatorError: they are no replay files, are empty, or hold what no history of accounts holds.
    """
    if rare := sorted(rare_topics(data)):
        raise OperatorError(
            f"The demo plays counts and facts by their own instants under the shipped book, and a file of --data has"
            f" lines of {' and '.join(rare)}. Take them out, or decide it offline with"
            " `nameplate replay FILE --out DIR`."
        )
    dated = _dated(read_lines(data), platforms)
    instants = [at for at, _, _ in dated if at != BEFORE_TIME]
    if not instants:
        raise OperatorError(
            "No line of --data can be read as a count or a fact. See what becomes of each with "
            "`nameplate replay FILE --out DIR`."
        )
    dated.sort(key=lambda one: one[:2])
    lines = [line for _, _, line in dated]
    file.write_bytes(b"".join(map(_written, lines)))
    keys = {line.key for line in lines if line.key is not None}
    return History(
        lines, min(instants), max(instants), len(keys), len({key.partition(b":")[0] for key in keys})
    )


def _dated(lines: Iterable[Line], platforms: Container[str]) -> list[tuple[int, int, Line]]:
    """Return each line with its instant; one that cannot be read keeps its place behind the one before it."""
    dated = []
    last: dict[tuple[str, int], int] = {}
    for line in lines:
        place = line.topic, partition_of(line.key, PARTITIONS) if line.key is not None else 0
        try:
            at: int = decode(line.topic, line.key, line.value, platforms).at  # type: ignore[assignment]
        except InputError:
            at = last.get(place, BEFORE_TIME)
        last[place] = at
        # Where it stood is not where it goes now.
        dated.append(
            (at, _ORDER.index(line.topic), msgspec.structs.replace(line, partition=None, offset=None))
        )
    return dated


def _written(line: Line) -> bytes:
    """Return a line as it stands in a replay file, its value to the byte."""
    said = canonical({"topic": line.topic, "key": line.key.decode() if line.key is not None else None})
    if line.value is None or _is_json(line.value):
        return said[:-1] + b',"value":' + (line.value or b"null") + b"}\n"
    return said[:-1] + b',"raw_base64":"' + b64encode(line.value) + b'"}\n'


def _is_json(value: bytes) -> bool:
    """Return whether a value can stand in a line as it is."""
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return b"\n" not in value and value != b"null"
