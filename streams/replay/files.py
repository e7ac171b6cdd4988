"""Replay files: JSON Lines, plain or `.gz`, several one after the other (contract, section 6).

Theory of operation. A file is read in chunks of whole lines. As many of them as are counts that are sound, plain, and
all that their line says are read at once and dealt to their partitions; any other line is read by itself.
"""

import gzip
import zlib
from collections.abc import Callable, Container, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from schemas import topics
from schemas.errors import OperatorError
from streams.replay.dealing import deal
from streams.replay.line import Line, read_line
from streams.replay.shares import Dealt

__all__ = ["Block", "Line", "Opened", "rare_topics", "read_blocks", "read_lines"]

Opened = Callable[[Callable[[], int]], None]
"""Given, when a file is opened, what can be asked at any time how many of its bytes are read."""

CHUNK_BYTES = 128 * 1024
"""How much of a file is looked at together: some hundred lines, so that all that is made of them fits in a cache."""

_RARE = (b'"clock"', b'"policy-book"', b"\\")  # a backslash may spell either in another way


def _unseen(_: Callable[[], int]) -> None:
    pass


class Block(NamedTuple):
    """Consecutive lines that are counts, sound and plain, and say nothing else."""

    path: Path
    first: int
    """Number of the first line in its file, from 1."""
    text: bytes
    dealt: Dealt

    def lines(self) -> Iterator[Line]:
        """Return the same records, one by one."""
        return _lines(self.path, self.first, self.text)


def read_blocks(
    paths: Iterable[Path], opened: Opened = _unseen, partitions: int = 1, own: Container[int] = (0,)
) -> Iterator[Line | Block]:
    """Return the records of replay files, in order, plain counts in blocks.

    Args:
        paths: Of the files.
        opened: Told of each file when it is opened.
        partitions: To how many the counts of a block are dealt.
        own: Whose shares are wanted.

    Raises:
        OperatorError: a file cannot be read, or a line is not of the form; it names both.
    """
    for path, first, text in _chunks(paths, opened):
        number, start = first, 0
        while start < len(text):
            dealt = deal(text, start, partitions, own)
            if dealt is None:
                end = text.find(b"\n", start) + 1 or len(text)
                yield from _lines(path, number, text[start:end])
                number, start = number + 1, end
            else:
                yield Block(path, number, text[start : dealt.end], dealt)
                number, start = number + dealt.lines, dealt.end


def read_lines(paths: Iterable[Path], opened: Opened = _unseen) -> Iterator[Line]:
    """Return the records of replay files, in order.

    Raises:
        OperatorError: a file cannot be read, or a line is not of the form; it names both.
    """
    for path, first, text in _chunks(paths, opened):
        yield from _lines(path, first, text)


def rare_topics(paths: Iterable[Path], opened: Opened = _unseen) -> set[str]:
    """Return which of the topics `clock` and `policy-book` any line names, at the price of a look at the bytes.

    Raises:
        OperatorError: a file cannot be read, or a line that may name one is not of the form.
    """
    found = set()
    for path, first, text in _chunks(paths, opened):
        if not _may_be_rare(text):
            continue
        for number, line_text in enumerate(_split(text), first):
            line = read_line(path, number, line_text) if _may_be_rare(line_text) else None
            if line is not None and line.topic in (topics.CLOCK, topics.BOOKS):
                found.add(line.topic)
    return found


def _may_be_rare(text: bytes) -> bool:
    return any(mark in text for mark in _RARE)


def _chunks(paths: Iterable[Path], opened: Opened) -> Iterator[tuple[Path, int, bytes]]:
    """Return the text of files in whole lines, with the number of the first."""
    for path in paths:
        number = 0
        try:
            with path.open("rb") as stored:
                opened(stored.tell)
                file = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored
                while text := file.read(CHUNK_BYTES):
                    text += file.readline()
                    yield path, number + 1, text
                    number += text.count(b"\n")
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


def _split(text: bytes) -> list[bytes]:
    return BytesIO(text).readlines()


def _lines(path: Path, first: int, text: bytes) -> Iterator[Line]:
    for number, line_text in enumerate(_split(text), first):
        line = read_line(path, number, line_text)
        if line is not None:
            yield line
