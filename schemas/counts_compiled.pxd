"""What other compiled modules take of the reader, without a Python object in between."""

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


cdef enum:
    MOST_PLATFORM = 40
    MOST_KEY = 40 + 1 + 64


cdef const unsigned char* past_space(const unsigned char* at) noexcept nogil
cdef const unsigned char* past_space_before(const unsigned char* end, const unsigned char* at) noexcept nogil
cdef const unsigned char* past_count(const unsigned char* at, Count* count) noexcept nogil
cdef Py_ssize_t write_key(Count* count, unsigned char* key) noexcept nogil
cdef bint is_plain(const unsigned char* at, Py_ssize_t size, Count* count) noexcept nogil
cdef bint has_key(Count* count, const unsigned char* key, Py_ssize_t size) noexcept nogil
cdef bint is_text(Text one, Text other) noexcept nogil
cdef str text_of(Text text)
