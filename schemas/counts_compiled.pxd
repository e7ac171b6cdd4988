"""What `streams.core.quiet_compiled` takes from the reader, without a Python object in between."""

from libc.stdint cimport int64_t


cdef struct Text:
    const unsigned char* start
    Py_ssize_t size


cdef struct Count:
    Text event_id
    Text platform
    Text account_id
    int64_t followers
    int64_t at  # µs


cdef bint is_plain(const unsigned char* at, Py_ssize_t size, Count* count) noexcept nogil
cdef bint has_key(Count* count, const unsigned char* key, Py_ssize_t size) noexcept nogil
cdef bint is_text(Text one, Text other) noexcept nogil
cdef str text_of(Text text)
