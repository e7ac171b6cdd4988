# cython: language_level=3, boundscheck=False, wraparound=False
"""`schemas.columns_python`, compiled: the texts stand one after the other, and none is a Python object."""

import sys
from array import array
from collections.abc import Iterable

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython cimport array as arrays
from cpython.buffer cimport PyBUF_READ
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport INT32_MAX, int32_t, int64_t
from libc.string cimport memcpy

cdef bint is_big_endian = sys.byteorder == "big"


cdef class Column:
    def __cinit__(self, items=()):
        self._widen(4)
        self._lengthen(64)
        self.text[0] = 0
        for item in items:
            self.append(item)

    def __dealloc__(self):
        PyMem_Free(self.text)
        PyMem_Free(self.sizes)
        PyMem_Free(self.ends)

    cdef bint _widen(self, Py_ssize_t room) except -1:
        """Make room for so many texts."""
        cdef void* sizes = PyMem_Realloc(self.sizes, room * sizeof(int32_t))
        if sizes == NULL:
            raise MemoryError
        self.sizes = <int32_t*>sizes
        cdef void* ends = PyMem_Realloc(self.ends, room * sizeof(Py_ssize_t))
        if ends == NULL:
            raise MemoryError
        self.ends = <Py_ssize_t*>ends
        self._room = room
        return True

    cdef bint _lengthen(self, Py_ssize_t room) except -1:
        """Make room for so many bytes, and for a zero behind them."""
        cdef void* text = PyMem_Realloc(self.text, room + 1)
        if text == NULL:
            raise MemoryError
        self.text = <unsigned char*>text
        self._text_room = room
        return True

    cdef bint put(self, const void* text, Py_ssize_t size) except -1:
        """Append a text, null where its size is -1."""
        if size > INT32_MAX:
            raise OverflowError("a text of a column has less than 2 GiB")
        self.reserve(1, size)
        if size > 0:
            memcpy(self.text + self.used, text, size)
            self.used += size
            self.text[self.used] = 0
        self.sizes[self.count] = <int32_t>size
        self.ends[self.count] = self.used
        self.count += 1
        return True

    cdef bint reserve(self, Py_ssize_t count, Py_ssize_t size) except -1:
        """Make room for so many more texts of so many bytes together."""
        if count > self._room - self.count:
            self._widen(max(2 * self._room, self.count + count))
        if size > self._text_room - self.used:
            self._lengthen(max(2 * self._text_room, self.used + size))
        return True

    cdef Py_ssize_t start(self, Py_ssize_t place) noexcept:
        return self.ends[place - 1] if place > 0 else 0

    cdef object at(self, Py_ssize_t place):
        if self.sizes[place] < 0:
            return None
        return PyBytes_FromStringAndSize(<const char*>self.text + self.start(place), self.sizes[place])

    def append(self, item):
        cdef bytes text
        if item is None:
            self.put(NULL, -1)
        else:
            text = item
            self.put(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    def extend(self, Column others not None):
        self._take(others, 0, others.count)

    cdef bint _take(self, Column others, Py_ssize_t first, Py_ssize_t end) except -1:
        cdef Py_ssize_t start = others.start(first), size = others.start(end) - start, place
        cdef Py_ssize_t moved = self.used - start, count = self.count
        self.reserve(end - first, size)
        for place in range(first, end):
            self.sizes[count] = others.sizes[place]
            self.ends[count] = others.ends[place] + moved
            count += 1
        memcpy(self.text + self.used, others.text + start, size)
        self.used += size
        self.text[self.used] = 0
        self.count = count
        return True

    def truncate(self, Py_ssize_t count):
        if 0 <= count < self.count:
            self.used = self.start(count)
            self.text[self.used] = 0
            self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        cdef Column part
        cdef Py_ssize_t at
        if isinstance(place, slice):
            start, stop, step = place.indices(self.count)
            if step != 1:
                raise ValueError("a part of a column is of consecutive texts")
            part = Column.__new__(Column)
            part._take(self, start, max(start, stop))
            return part
        at = place
        if at < 0:
            at += self.count
        if not 0 <= at < self.count:
            raise IndexError(place)
        return self.at(at)

    def __iter__(self):
        cdef Py_ssize_t place = 0
        while place < self.count:
            yield self.at(place)
            place += 1

    def __eq__(self, others):
        return isinstance(others, Iterable) and list(self) == list(others)

    @property
    def size(self):
        return self.used

    def feed(self, take):
        with PyMemoryView_FromMemory(<char*>self.text, self.used, PyBUF_READ) as view:  # kept, it shows nothing
            take(view)

    @property
    def lengths(self):
        packed = PyBytes_FromStringAndSize(<const char*>self.sizes, self.count * sizeof(int32_t))
        if not is_big_endian:
            return packed
        turned = array("i", packed)
        turned.byteswap()
        return turned.tobytes()


def numbers(int64_t start, int64_t end):
    cdef arrays.array found = array("q")
    cdef int64_t place
    arrays.resize(found, max(0, end - start))
    for place in range(max(0, end - start)):
        found.data.as_longlongs[place] = start + place
    return found
