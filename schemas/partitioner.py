"""To which partition a key goes: as Kafka's default partitioner sends it.

Source:
    Apache Kafka, `BuiltInPartitioner.partitionForKey` and `Utils.murmur2` (the 32-bit MurmurHash2
    with Kafka's seed; the sign bit is masked away before the remainder).
"""

import sys
from array import array
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_WORD = 0xFFFFFFFF
_LITTLE_ENDIAN = Struct("<I")


def murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash2 of a key, unsigned, with Kafka's seed."""
    length = len(key)
    whole = length & ~3
    mixed = _SEED ^ length
    for (word,) in _LITTLE_ENDIAN.iter_unpack(key[:whole]):
        part = word * _MIX & _WORD
        part = (part ^ part >> 24) * _MIX & _WORD
        mixed = mixed * _MIX & _WORD ^ part
    if whole != length:
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * _MIX & _WORD
    mixed = (mixed ^ mixed >> 13) * _MIX & _WORD
    return mixed ^ mixed >> 15


@lru_cache(maxsize=65_536)  # a hash is 1.3 us, and the same accounts come again and again
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key.

    Args:
        key: The bytes of the record's key.
        partitions: How many partitions the topic has; 1 or more.

    Examples:
        >>> partition_of(b"weibo:acc-a", 1)
        0
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions if partitions > 1 else 0


def places_of(keys: Sequence[bytes], partitions: int) -> list[list[int]]:
    """Return the places of the keys of each partition, as `partition_of`: many new accounts at a quarter of the price.

    Keys of one length are hashed side by side in one large integer, 64 bits for each, of which a step leaves 32.
    """
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for place, length in enumerate(map(len, keys)):
        alike[length].append(place)
    found: list[list[int]] = [[] for _ in range(partitions)]
    for length, places in alike.items():
        hashes = _side_by_side([keys[place] for place in places], length)
        for place, mixed in zip(places, hashes, strict=True):
            found[mixed % partitions].append(place)
    for own in found:
        own.sort()
    return found


def _side_by_side(keys: Sequence[bytes], length: int) -> Sequence[int]:
    """Return the `murmur2` of keys of one length, without the sign bit."""
    count, joined = len(keys), b"".join(keys)
    each = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    words = each * _WORD

    def word(start: int, end: int) -> int:
        lanes = bytearray(8 * count)
        for place in range(start, end):
            lanes[place - start :: 8] = joined[place::length]
        return int.from_bytes(lanes, "little")

    whole = length & ~3
    mixed = each * (_SEED ^ length)
    for start in range(0, whole, 4):
        part = word(start, start + 4) * _MIX & words
        part = (part ^ part >> 24 & words) * _MIX & words
        mixed = mixed * _MIX & words ^ part
    if whole != length:
        mixed = (mixed ^ word(whole, length)) * _MIX & words
    mixed = (mixed ^ mixed >> 13 & words) * _MIX & words
    mixed = (mixed ^ mixed >> 15 & words) & each * 0x7FFFFFFF
    hashes = array("Q", mixed.to_bytes(8 * count, "little"))
    if sys.byteorder == "big":
        hashes.byteswap()
    return hashes
