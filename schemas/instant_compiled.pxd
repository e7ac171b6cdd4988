"""What other compiled modules take of the reader, without a Python object in between."""

from libc.stdint cimport int64_t


cdef const unsigned char* past_instant(const unsigned char* at, int64_t* instant) noexcept nogil


cdef inline bint is_digit(unsigned char byte) noexcept nogil:
    return c"0" <= byte <= c"9"
