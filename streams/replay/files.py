"""Replay files: JSON Lines, plain or `.gz`, several one after the other (contract, section 6).

Theory of operation. A file is read in chunks of whole lines. Nearly every line says nothing but the topic
`follower-counts` and a count, and all of a file are written in one way; so a chunk is cut where one such
line ends and the next begins, which leaves the values of the counts, and they are read at once, in columns.
Whatever else stands between two cuts is read line by line, and so are counts that are not sound and plain.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from schemas import topics
from schemas.counts import read_counts
from schemas.errors import OperatorError
from schemas.inputs import Counts
from streams.replay.line import Line, read_line

__all__ = [
    "Chunk",
    "Line",
    "Opened",
    "Others",
    "Plain",
    "Written",
    "cut",
    "plain",
    "rare_topics",
    "read_blocks",
    "read_chunks",
    "read_lines",
]

Opened = Callable[[Callable[[], int]], None]
"""Given, when a file is opened, what can be asked at any time how many of its bytes are read."""

CHUNK_BYTES = 128 * 1024
"""How much of a file is looked at together: some hundred lines, so that all that is made of them fits in a cache."""
FEW = 64
"""Counts that are looked at together where one among more of them is not plain."""

_RARE = (b'"clock"', b'"policy-book"', b"\\")  # a backslash may spell either in another way
_END = b"}\n"
"""What stands behind a value where the line says nothing else."""
_COUNT = re.compile(rb'\{"topic": ?"follower-counts", ?"value": ?(?=\{)')


def _unseen(_: Callable[[], int]) -> None:
    pass


class Chunk(NamedTuple):
    """Consecutive whole lines of a file."""

    path: Path
    first: int
    """Number of the first line in its file, from 1."""
    text: bytes
    ends: int
    """How many line ends the text has: the last line of a file may have none."""


class Others(NamedTuple):
    """Consecutive lines that are not all written like a count."""

    path: Path
    first: int
    texts: list[bytes]

    def lines(self) -> Iterator[Line]:
        """Return their records, one by one."""
        return _lines(self.path, self.first, self.texts)


class Written(NamedTuple):
    """Consecutive lines that are written like a count and nothing else; nobody has read them yet."""

    path: Path
    first: int
    form: bytes
    """What stands before each value."""
    values: list[bytes]

    def lines(self) -> Iterator[Line]:
        """Return their records, one by one."""
        return _lines(self.path, self.first, [b"%b%b}" % (self.form, value) for value in self.values])

    def part(self, start: int, end: int) -> "Written":
        """Return some consecutive ones."""
        return Written(self.path, self.first + start, self.form, self.values[start:end])


class Plain(NamedTuple):
    """Consecutive counts, sound and plain, of lines that say nothing else: nearly all there are."""

    written: Written
    values: list[bytes]
    counts: Counts

    def lines(self) -> Iterator[Line]:
        """Return the same records, one by one."""
        return self.written.lines()


def read_blocks(paths: Iterable[Path], opened: Opened = _unseen) -> Iterator[Line | Plain]:
    """Return the records of replay files, in order, plain counts in blocks.

    Raises:
        OperatorError: a file cannot be read, or a line is not of the form; it names both.
    """
    for chunk in read_chunks(paths, opened):
        for piece in cut(chunk):
            for block in piece.lines() if isinstance(piece, Others) else plain(piece):
                if isinstance(block, Written):
                    yield from block.lines()
                else:
                    yield block


def read_lines(paths: Iterable[Path], opened: Opened = _unseen) -> Iterator[Line]:
    """Return the records of replay files, in order.

    Raises:
        OperatorError: a file cannot be read, or a line is not of the form; it names both.
    """
    for path, first, text, _ in read_chunks(paths, opened):
        yield from _lines(path, first, _split(text))


def rare_topics(paths: Iterable[Path], opened: Opened = _unseen) -> set[str]:
    """Return which of the topics `clock` and `policy-book` any line names, at the price of a look at the bytes.

    Raises:
        OperatorError: a file cannot be read, or a line that may name one is not of the form.
    """
    found = set()
    for path, first, text, _ in read_chunks(paths, opened):
        if not _may_be_rare(text):
            continue
        for number, line_text in enumerate(_split(text), first):
            line = read_line(path, number, line_text) if _may_be_rare(line_text) else None
            if line is not None and line.topic in (topics.CLOCK, topics.BOOKS):
                found.add(line.topic)
    return found


def _may_be_rare(text: bytes) -> bool:
    return any(mark in text for mark in _RARE)


def read_chunks(paths: Iterable[Path], opened: Opened = _unseen) -> Iterator[Chunk]:
    """Return the text of files in whole lines.

    Raises:
        OperatorError: a file cannot be read.
    """
    for path in paths:
        number = 0
        try:
            with path.open("rb") as stored:
                opened(stored.tell)
                file = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored
                while text := file.read(CHUNK_BYTES):
                    text += file.readline()
                    ends = text.count(b"\n")
                    yield Chunk(path, number + 1, text, ends)
                    number += ends
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, gzip.BadGzipFile):
                why = "it is no gzip file"  # the library would say with which bytes it begins
            else:
                why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            where = f" after line {number}" if number else ""
            raise OperatorError(
                f"{path}: cannot be read{where} ({why}). Check the path, its permissions and whether the file is "
                "complete, then run the command again."
            ) from None


def cut(chunk: Chunk) -> Iterator[Written | Others]:
    """Return the lines of a chunk, in order; this costs little, as nothing is read."""
    path, number, text, ends = chunk
    written = _COUNT.search(text)
    form = written[0] if written is not None else b""
    before, *values = (_END + text).split(_END + form) if form else (_END + text,)
    if not values:
        yield Others(path, number, _split(text))
        return
    if before:  # another line stands before the first count
        others = _split(before[len(_END) :] + _END)
        yield Others(path, number, others)
        number += len(others)
    last = b""
    if values[-1].endswith(_END):
        values[-1] = values[-1][: -len(_END)]
    else:  # another line, or the last one of a file
        last = values.pop()
    done = 0
    for place in _places_of_more(values, ends):
        value, _, more = values[place].partition(b"\n")
        counts = [*values[done:place], value[:-1]]
        if not value.endswith(b"}"):
            counts, more = values[done:place], form + values[place]
        yield Written(path, number, form, counts)
        others = _split(more + _END)
        yield Others(path, number + len(counts), others)
        number += len(counts) + len(others)
        done = place + 1
    yield Written(path, number, form, values[done:])
    if last:
        yield Others(path, number + len(values) - done, _split(form + last))


def _places_of_more(values: list[bytes], ends: int) -> list[int]:
    """Return behind which counts other lines stand."""
    if ends == len(values):
        return []
    return [place for place, value in enumerate(values) if b"\n" in value]


def plain(written: Written) -> Iterator[Plain | Written]:
    """Read counts; those that stand close to one that is not plain come back as they are."""
    values = written.values
    if not values:
        return
    read = read_counts(values)
    if read is not None:
        yield Plain(written, list(map(bytes.strip, values)), read)
    elif len(values) <= FEW:
        yield written
    else:
        for start in range(0, len(values), FEW):
            yield from plain(written.part(start, start + FEW))


def _split(text: bytes) -> list[bytes]:
    return BytesIO(text).readlines()


def _lines(path: Path, first: int, texts: Iterable[bytes]) -> Iterator[Line]:
    for number, text in enumerate(texts, first):
        line = read_line(path, number, text)
        if line is not None:
            yield line
