# cython: language_level=3, boundscheck=False, wraparound=False
"""The keys and values of Kafka's records, out of the bytes of their batch."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t

from schemas.columns_compiled cimport Column

cdef enum:
    LEAST_BYTES = 7  # of a record: its size, attributes, two deltas, two sizes, no headers


cdef struct Bytes:
    const unsigned char* at
    const unsigned char* end


cdef inline bint _varint(Bytes* rest, int64_t* number) noexcept nogil:
    """Take a signed number off the front; return whether there was one."""
    cdef uint64_t found = 0
    cdef int shift = 0
    while rest.at < rest.end and shift < 64:
        found |= <uint64_t>(rest.at[0] & 0x7F) << shift
        rest.at += 1
        if rest.at[-1] < 0x80:
            number[0] = <int64_t>(found >> 1) ^ -<int64_t>(found & 1)
            return True
        shift += 7
    return False


cdef inline bint _text(Bytes* rest, Bytes* text, bint may_be_null) noexcept nogil:
    """Take a text with its length before it off the front; one that is null begins nowhere."""
    cdef int64_t size
    if not _varint(rest, &size) or size > rest.end - rest.at or size < (-1 if may_be_null else 0):
        return False
    text.at = rest.at if size >= 0 else NULL
    if size > 0:
        rest.at += size
    text.end = rest.at
    return True


cdef inline bint _record(Bytes* rest, int64_t place, Bytes* key, Bytes* value) noexcept nogil:
    """Take one whole record off the front; return whether it is sound and the one of this place."""
    cdef int64_t number
    cdef Bytes record, ignored
    if not _varint(rest, &number) or not 0 < number <= rest.end - rest.at:
        return False
    record.at, record.end = rest.at + 1, rest.at + number
    if rest.at[0] > 0x7F:  # attributes, which have no meaning yet: a byte to Kafka, a varint to aiokafka
        return False
    rest.at = record.end
    if not _varint(&record, &number) or not _varint(&record, &number) or number != place:
        return False
    if not _text(&record, key, True) or not _text(&record, value, True) or not _varint(&record, &number):
        return False
    while number > 0 and _text(&record, &ignored, False) and _text(&record, &ignored, True):
        number -= 1
    return number == 0 and record.at == record.end


cdef inline bint _put(Column column, Bytes text) except -1:
    return column.put(text.at, text.end - text.at if text.at != NULL else -1)


def read_records(
    bytes batch not None,
    Py_ssize_t start,
    Py_ssize_t end,
    Py_ssize_t count,
    Column keys not None,
    Column values not None,
):
    cdef Bytes rest, key, value
    cdef Py_ssize_t place
    if not 0 <= start <= end <= PyBytes_GET_SIZE(batch) or not 0 <= count <= (end - start) // LEAST_BYTES:
        return False
    rest.at = <const unsigned char*>PyBytes_AS_STRING(batch) + start
    rest.end = <const unsigned char*>PyBytes_AS_STRING(batch) + end
    keys.reserve(count, 0)
    values.reserve(count, end - start)
    for place in range(count):
        if not _record(&rest, place, &key, &value):
            return False
        _put(keys, key)
        _put(values, value)
    return rest.at == rest.end
