"""To which partition a key goes: as Kafka's default partitioner sends it.

Source:
    Apache Kafka, `BuiltInPartitioner.partitionForKey` and `Utils.murmur2` (the 32-bit MurmurHash2
    with Kafka's seed; the sign bit is masked away before the remainder).
"""

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
