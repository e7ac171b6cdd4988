"""What other compiled modules take of a column, without a Python object in between."""

from libc.stdint cimport int32_t


cdef class Column:
    cdef Py_ssize_t count
    cdef Py_ssize_t used
    cdef unsigned char* text  # all texts one after the other, and a zero byte
    cdef int32_t* sizes  # -1: null
    cdef Py_ssize_t* ends  # of each text in `text`
    cdef Py_ssize_t _room
    cdef Py_ssize_t _text_room

    cdef bint _widen(self, Py_ssize_t room) except -1
    cdef bint _lengthen(self, Py_ssize_t room) except -1
    cdef bint _take(self, Column others, Py_ssize_t first, Py_ssize_t end) except -1
    cdef bint reserve(self, Py_ssize_t count, Py_ssize_t size) except -1
    cdef bint put(self, const void* text, Py_ssize_t size) except -1
    cdef Py_ssize_t start(self, Py_ssize_t place) noexcept
    cdef object at(self, Py_ssize_t place)
