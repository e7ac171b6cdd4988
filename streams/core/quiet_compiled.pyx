# cython: language_level=3, boundscheck=False, wraparound=False
"""`streams.core.quiet_python`, compiled."""

from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from schemas.columns_compiled cimport Column
from schemas.counts_compiled cimport Count, Text, has_key, is_plain, is_text, text_of


def pass_quiet(
    Column keys not None,
    Column values not None,
    size_t index,
    dict bands,
    dict asleep,
    int64_t T,
    int64_t before,
    bint moves,
):
    cdef Count count
    cdef Text platform
    cdef PyObject* found
    cdef PyObject* sleeping = NULL
    cdef tuple band
    cdef int64_t latest
    cdef size_t end = min(keys.count, values.count)
    platform.start, platform.size = b"", -1
    while index < end:
        if not is_plain(values.text + values.start(index), values.sizes[index], &count):
            break
        if not has_key(&count, keys.text + keys.start(index), keys.sizes[index]):
            break
        key = keys.at(index)
        found = PyDict_GetItem(bands, key)
        if found == NULL:
            if not is_text(count.platform, platform):
                platform = count.platform
                sleeping = PyDict_GetItem(asleep, text_of(platform))
            found = sleeping
            if found == NULL:
                break
        band = <tuple>found
        if count.followers < <int64_t>band[0] or count.followers > <int64_t>band[1]:
            break
        if count.at >= <int64_t>band[2] or count.at >= before:
            break
        latest = count.at if moves and count.at > T else T
        if latest > <int64_t>band[3]:
            break
        T = latest
        index += 1
    return index, T
