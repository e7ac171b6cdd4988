"""Counts dealt to partitions, with what each partition has to know of the others: how late it is for all."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from schemas.counts import read_counts
from schemas.errors import InvariantBroken
from schemas.partitioner import places_of
from streams.replay.files import Chunk, Others, Plain, Written, cut, plain


class Share(NamedTuple):
    """The counts of one partition."""

    keys: list[bytes]
    values: list[bytes]
    at: list[int]
    """The instant of each, in µs."""
    latest_before: list[int] | None = None
    """Of each the latest instant of those before it, in all partitions; None where no instant goes back."""
    places: Sequence[int] = ()
    """Of each where it stands among those of all partitions; nothing where there is but one."""

    def part(self, start: int, end: int) -> "Share":
        """Return some consecutive ones."""
        before = self.latest_before
        return Share(
            self.keys[start:end],
            self.values[start:end],
            self.at[start:end],
            before[start:end] if before is not None else None,
            self.places[start:end],
        )


class Dealt(NamedTuple):
    """Consecutive counts by partition."""

    shares: Mapping[int, Share]
    """Of each partition that has any."""
    latest: int
    """The latest instant of all."""
    platforms: Collection[str] = ()
    """All that are named; none where there is but one partition, as nobody has to know."""


def deal(block: Plain, partitions: int) -> Dealt:
    """Deal counts as Kafka would."""
    keys, at, platforms = block.counts
    if partitions == 1:
        return Dealt({0: Share(keys, block.values, at)}, max(at))
    before = _latest_before(at)
    shares = {
        number: Share(
            [keys[place] for place in own],
            [block.values[place] for place in own],
            [at[place] for place in own],
            [before[place] for place in own] if before is not None else None,
            own,
        )
        for number, own in enumerate(places_of(keys, partitions))
        if own
    }
    return Dealt(shares, max(at), platforms)


def _latest_before(at: list[int]) -> list[int] | None:
    """Return of each instant the latest before it, the first's own for the first; None where none goes back."""
    if sorted(at) == at:  # a fifth of the price of what follows
        return None
    return [at[0], *accumulate(at[:-1], max)]


class _Routed(msgspec.Struct, array_like=True):
    places: bytes
    latest_before: bytes | None


class _Route(msgspec.Struct, array_like=True):
    count: int
    latest: int = 0
    platforms: list[str] = []
    shares: dict[int, _Routed] | None = None


_routes = msgspec.msgpack.Decoder(list[_Route])


Piece = Others | Written | tuple[Dealt, Written]
"""Consecutive lines: to be read one by one, or counts that are dealt, with their lines."""


def dealt_chunk(chunk: Chunk, partitions: int) -> list[Piece]:
    """Return the lines of a chunk, in order, with all counts dealt that are sound and plain."""
    return [
        (deal(block, partitions), block.written) if isinstance(block, Plain) else block
        for piece in cut(chunk)
        for block in (plain(piece) if isinstance(piece, Written) else (piece,))
    ]


def routes_of(pieces: Iterable[Piece]) -> bytes:
    """Return what others have to know of a chunk, beside its bytes, to take their own counts out of it."""
    routes = []
    for piece in pieces:
        if isinstance(piece, Written):
            routes.append(_Route(len(piece.values)))
        elif not isinstance(piece, Others):
            dealt, written = piece
            shares = {
                number: _Routed(
                    array("I", share.places).tobytes(),
                    array("q", share.latest_before).tobytes() if share.latest_before is not None else None,
                )
                for number, share in dealt.shares.items()
            }
            routes.append(_Route(len(written.values), dealt.latest, sorted(dealt.platforms), shares))
    return msgspec.msgpack.encode(routes)


def routed(chunk: Chunk, said: bytes, own: Iterable[int]) -> Iterator[Piece]:
    """Return the lines of a chunk that another has dealt, in order, with the shares of some partitions.

    Args:
        chunk: The chunk.
        said: What `routes_of` says of it.
        own: The partitions.
    """
    routes = iter(_routes.decode(said))
    for piece in cut(chunk):
        if isinstance(piece, Others):
            yield piece
            continue
        start = 0
        while start < len(piece.values):
            route = next(routes)
            written = piece.part(start, start + route.count)
            start += route.count
            if route.shares is None:
                yield written
            else:
                shares = {
                    number: _share(written.values, route.shares[number])
                    for number in own
                    if number in route.shares
                }
                yield Dealt(shares, route.latest, route.platforms), written


def _share(values: list[bytes], route: _Routed) -> Share:
    places = array("I", route.places).tolist()
    own = [values[place].strip() for place in places]
    counts = read_counts(own)
    if counts is None:
        raise InvariantBroken("counts that were dealt as plain are none")
    before = None if route.latest_before is None else array("q", route.latest_before).tolist()
    return Share(counts.keys, own, counts.at, before, places)
