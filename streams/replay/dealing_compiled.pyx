# cython: language_level=3, boundscheck=False, wraparound=False
"""`streams.replay.dealing`: lines that are counts, read and dealt without a Python object for each."""

from array import array

from cpython cimport array as arrays
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp

from schemas.columns_compiled cimport Column
from schemas.counts_compiled cimport (
    MOST_KEY,
    Count,
    Text,
    is_text,
    past_count,
    past_space,
    past_space_before,
    text_of,
    write_key,
)

from schemas.fields import MOST_BYTES
from streams.replay.shares import Dealt, Share

cdef Py_ssize_t most_bytes = MOST_BYTES


cdef class _Share:
    cdef Column keys
    cdef Column values
    cdef arrays.array at
    cdef arrays.array before
    cdef arrays.array places

    def __cinit__(self):
        self.keys, self.values = Column(), Column()
        self.at, self.before, self.places = array("q"), array("q"), array("q")


cdef inline bint _add(arrays.array numbers, int64_t number) except -1:
    cdef Py_ssize_t count = len(numbers)
    arrays.resize_smart(numbers, count + 1)
    numbers.data.as_longlongs[count] = number
    return True


cdef inline const unsigned char* _past(const unsigned char* at, const char* text, Py_ssize_t size, const unsigned char* end) noexcept nogil:
    """Return where a text ends that stands here, and white space behind it; NULL where another one does."""
    if end - at < size or memcmp(at, text, size) != 0:
        return NULL
    return past_space_before(end, at + size)


cdef const unsigned char* _past_head(const unsigned char* at, const unsigned char* end) noexcept nogil:
    """Return where the value of a line begins that says nothing before it but the topic."""
    at = _past(past_space_before(end, at), b"{", 1, end)
    if at != NULL:
        at = _past(at, b'"topic"', 7, end)
    if at != NULL:
        at = _past(at, b":", 1, end)
    if at != NULL:
        at = _past(at, b'"follower-counts"', 17, end)
    if at != NULL:
        at = _past(at, b",", 1, end)
    if at != NULL:
        at = _past(at, b'"value"', 7, end)
    return _past(at, b":", 1, end) if at != NULL else NULL


cdef uint32_t _hash(const unsigned char* key, Py_ssize_t size) noexcept nogil:
    """Return what `schemas.partitioner.murmur2` returns."""
    cdef uint32_t mix = 0x5BD1E995U, mixed = 0x9747B28CU ^ <uint32_t>size, word
    cdef Py_ssize_t place = 0, byte
    while size - place >= 4:
        word = key[place] | key[place + 1] << 8 | key[place + 2] << 16 | <uint32_t>key[place + 3] << 24
        word *= mix
        mixed = mixed * mix ^ (word ^ word >> 24) * mix
        place += 4
    if place < size:
        for byte in range(size - place):
            mixed ^= <uint32_t>key[place + byte] << 8 * byte
        mixed *= mix
    mixed = (mixed ^ mixed >> 13) * mix
    return mixed ^ mixed >> 15


cdef dict _by_number(list shares, bint is_late):
    cdef _Share share
    cdef dict found = {}
    for number, share in enumerate(shares):
        if share is not None and share.keys.count:
            before = share.before if is_late else None
            found[number] = Share(share.keys, share.values, share.at, before, share.places)
    return found


def deal(bytes text not None, Py_ssize_t start, Py_ssize_t partitions, own):
    cdef const unsigned char* first = <const unsigned char*>PyBytes_AS_STRING(text)
    cdef const unsigned char* end = first + PyBytes_GET_SIZE(text)
    cdef const unsigned char* at = first + start
    cdef const unsigned char* line_end
    cdef const unsigned char* value
    cdef const unsigned char* behind
    cdef unsigned char key[MOST_KEY]
    cdef Count count
    cdef Text platform
    cdef _Share share
    cdef Py_ssize_t lines = 0, key_size
    cdef int64_t latest = 0
    cdef bint is_late = False
    cdef list shares = None
    cdef set platforms = set()
    platform.start, platform.size = b"", -1
    while at < end:
        line_end = <const unsigned char*>memchr(at, c"\n", end - at)
        if line_end == NULL:
            line_end = end
        value = _past_head(at, line_end)
        if value == NULL:
            break
        behind = past_count(value, &count)
        if behind == NULL or behind > line_end or behind - value > most_bytes:
            break
        at = _past(past_space_before(line_end, behind), b"}", 1, line_end)
        if at != line_end:
            break
        if shares is None:  # not before: most lines of a file that are no counts stand together
            shares = [_Share() if number in own else None for number in range(partitions)]
            latest = count.at
        is_late |= count.at < latest
        if not is_text(count.platform, platform):
            platform = count.platform
            platforms.add(text_of(platform))
        key_size = write_key(&count, key)
        share = shares[(_hash(key, key_size) & 0x7FFFFFFF) % partitions if partitions > 1 else 0]
        if share is not None:
            share.keys.put(key, key_size)
            share.values.put(value, behind - value)
            _add(share.at, count.at)
            _add(share.before, latest)
            _add(share.places, lines)
        latest = max(latest, count.at)
        lines += 1
        at = min(line_end + 1, end)
        start = at - first
    if shares is None:
        return None
    return Dealt(start, lines, latest, platforms, _by_number(shares, is_late))
