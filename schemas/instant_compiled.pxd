"""What other compiled modules take of the reader, without a Python object in between."""

from libc.stdint cimport int64_t


cdef const unsigned char* past_instant(const unsigned char* at, int64_t* instant) noexcept nogil
