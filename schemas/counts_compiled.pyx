# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""`schemas.counts_python`, compiled: a count costs no Python object but those that it is asked for.

What is read here is ASCII without escapes: an object with the five fields in any order, white space where JSON has it,
an instant with `Z` or an offset. Whatever else a count may look like, and whatever is wrong with one, is left to the
full path, which says why. A test holds the two against each other.

Memory: behind all that is looked at there is a zero byte, be it of a `bytes` object or of a column. It is in no class
and in no name, so whoever looks at one byte after the other, and goes on only past those that fit, stops there at the
latest. In a column the next value comes before that: what goes on into it does not end where its own value ends.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy, strncmp

from schemas.instant_compiled cimport past_instant

from schemas.fields import MOST_BYTES, MOST_FOLLOWERS
from schemas.inputs import FollowerCountChanged

cdef Py_ssize_t most_bytes = MOST_BYTES
cdef int64_t most_followers = MOST_FOLLOWERS

cdef enum:
    EVENT_ID = 1
    PLATFORM = 2
    ACCOUNT_ID = 4
    FOLLOWERS = 8
    OBSERVED_AT = 16
    ALL = 31

# Classes of bytes
cdef enum:
    VISIBLE = 1  # but for the quote and the backslash
    OF_ID = 2
    DIGIT = 4
    SPACE = 8
    ALPHANUMERIC = 16

cdef unsigned char CLASSES[256]


cdef void _classify() noexcept:
    cdef int byte
    for byte in range(256):
        CLASSES[byte] = 0
        if 0x21 <= byte <= 0x7E and byte != c'"' and byte != c"\\":
            CLASSES[byte] |= VISIBLE
        if c"a" <= byte <= c"z" or c"0" <= byte <= c"9":
            CLASSES[byte] |= OF_ID | ALPHANUMERIC
        if byte == c"_" or byte == c"-":
            CLASSES[byte] |= OF_ID
        if c"0" <= byte <= c"9":
            CLASSES[byte] |= DIGIT
        if byte == c" " or byte == c"\t" or byte == c"\n" or byte == c"\r":
            CLASSES[byte] |= SPACE


_classify()


cdef const unsigned char* past_space(const unsigned char* at) noexcept nogil:
    while CLASSES[at[0]] & SPACE:
        at += 1
    return at


cdef const unsigned char* past_space_before(const unsigned char* end, const unsigned char* at) noexcept nogil:
    while at < end and CLASSES[at[0]] & SPACE:
        at += 1
    return at


cdef inline const unsigned char* _past_text(const unsigned char* at, unsigned char kind, Text* text) noexcept nogil:
    """Return where a text of bytes of one class ends, NULL where there is none."""
    if at[0] != c'"':
        return NULL
    at += 1
    text.start = at
    while CLASSES[at[0]] & kind:
        at += 1
    text.size = at - text.start
    return at + 1 if at[0] == c'"' else NULL


cdef inline const unsigned char* _past_number(const unsigned char* at, int64_t* number) noexcept nogil:
    cdef const unsigned char* start = at
    cdef int64_t found = 0
    while CLASSES[at[0]] & DIGIT and at - start < 17:
        found = found * 10 + (at[0] - c"0")
        at += 1
    number[0] = found
    if at == start or found > most_followers or (start[0] == c"0" and at - start > 1):
        return NULL
    return at  # a further digit is no comma


cdef inline const unsigned char* _past_quoted_instant(const unsigned char* at, int64_t* instant) noexcept nogil:
    if at[0] != c'"':
        return NULL
    at = past_instant(at + 1, instant)
    return at + 1 if at != NULL and at[0] == c'"' else NULL


cdef inline int _field(const unsigned char* at, Py_ssize_t* size) noexcept nogil:
    """Return which field has the name that begins here, and the size of that; 0 for none."""
    cdef int field
    cdef const char* name
    cdef unsigned char letter = at[1] if at[0] == c'"' else 0
    if letter == c"e":
        field, name, size[0] = EVENT_ID, b'"event_id"', 10
    elif letter == c"p":
        field, name, size[0] = PLATFORM, b'"platform"', 10
    elif letter == c"a":
        field, name, size[0] = ACCOUNT_ID, b'"account_id"', 12
    elif letter == c"f":
        field, name, size[0] = FOLLOWERS, b'"followers"', 11
    elif letter == c"o":
        field, name, size[0] = OBSERVED_AT, b'"observed_at"', 13
    else:
        return 0
    return field if strncmp(<const char*>at, name, size[0]) == 0 else 0


cdef const unsigned char* past_count(const unsigned char* at, Count* count) noexcept nogil:
    """Return where a count ends that begins here, NULL where it is not sound and plain; `count` says what it says."""
    cdef Py_ssize_t size
    cdef int seen = 0, field
    if at[0] != c"{":
        return NULL
    at += 1
    while True:
        at = past_space(at)
        field = _field(at, &size)
        if not field or seen & field:
            return NULL
        seen |= field
        at = past_space(at + size)
        if at[0] != c":":
            return NULL
        at = past_space(at + 1)
        if field == EVENT_ID:
            at = _past_text(at, VISIBLE, &count.event_id)
        elif field == PLATFORM:
            at = _past_text(at, OF_ID, &count.platform)
        elif field == ACCOUNT_ID:
            at = _past_text(at, OF_ID, &count.account_id)
        elif field == FOLLOWERS:
            at = _past_number(at, &count.followers)
        else:
            at = _past_quoted_instant(at, &count.at)
        if at == NULL:
            return NULL
        at = past_space(at)
        if at[0] == c"}":
            break
        if at[0] != c",":
            return NULL
        at += 1
    if seen != ALL or not 1 <= count.event_id.size <= 128 or not 3 <= count.account_id.size <= 64:
        return NULL
    if count.platform.size > MOST_PLATFORM or not CLASSES[count.account_id.start[0]] & ALPHANUMERIC:
        return NULL
    return at + 1


cdef bint is_plain(const unsigned char* at, Py_ssize_t size, Count* count) noexcept nogil:
    """Return whether a value is a count, sound and plain; then `count` says what it says, while the bytes are there."""
    cdef const unsigned char* end = at + size
    if not 0 <= size <= most_bytes:
        return False
    at = past_space_before(end, at)  # or each of many blank values in a column would be looked at to the end of all
    if at == end:
        return False
    at = past_count(at, count)
    return at != NULL and past_space_before(end, at) == end


cdef Py_ssize_t write_key(Count* count, unsigned char* key) noexcept nogil:
    """Write `platform:account_id`, at most MOST_KEY bytes, and return its size."""
    cdef Py_ssize_t half = count.platform.size
    memcpy(key, count.platform.start, half)
    key[half] = c":"
    memcpy(key + half + 1, count.account_id.start, count.account_id.size)
    return half + 1 + count.account_id.size


cdef bint has_key(Count* count, const unsigned char* key, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t half = count.platform.size
    return (
        size == half + 1 + count.account_id.size
        and memcmp(key, count.platform.start, half) == 0
        and key[half] == c":"
        and memcmp(key + half + 1, count.account_id.start, count.account_id.size) == 0
    )


cdef bint is_text(Text one, Text other) noexcept nogil:
    return one.size == other.size and memcmp(one.start, other.start, one.size) == 0


cdef str text_of(Text text):
    return text.start[: text.size].decode("ascii")


cdef bint _says(object value, Count* count):
    if not PyBytes_CheckExact(value):
        return False
    return is_plain(<const unsigned char*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), count)


def read_count(key, value):
    cdef Count count
    if not PyBytes_CheckExact(key) or not _says(value, &count):
        return None
    if not has_key(&count, <const unsigned char*>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)):
        return None
    return FollowerCountChanged(
        text_of(count.event_id), text_of(count.platform), text_of(count.account_id), count.followers, count.at
    )
