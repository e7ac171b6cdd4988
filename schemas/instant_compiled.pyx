# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""`schemas.instant_python`, compiled: what is plain. Anything else, and whatever is wrong with one, is left to that.

Source:
    H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil and civil_from_days: years that
    begin in March, eras of 400 years.
"""

from libc.stdint cimport int64_t

from schemas import instant_python

cdef enum:
    SECOND_US = 1_000_000
    DAY_S = 86_400
    DAYS_OF_ERA = 146_097
    DAYS_TO_1970 = 719_468  # since the first of March of the year 0

cdef enum:
    LONGEST = 27  # 2024-01-02T03:04:05.123456Z


cdef inline int _digits(const unsigned char* at, int count) noexcept nogil:
    """Return the number of so many digits, -1 where there are others."""
    cdef int found = 0, place
    for place in range(count):
        if not is_digit(at[place]):
            return -1
        found = found * 10 + (at[place] - c"0")
    return found


cdef inline int64_t _days(int year, int month, int day) noexcept nogil:
    """Return the days since 1970 of a date of the Gregorian calendar."""
    cdef int moved = year - (month <= 2)
    cdef int era = moved // 400
    cdef int of_era = moved - era * 400
    cdef int of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * DAYS_OF_ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - DAYS_TO_1970


cdef inline int _days_of_month(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef const unsigned char* past_instant(const unsigned char* at, int64_t* instant) noexcept nogil:
    """Return where an RFC 3339 instant ends, NULL where there is none or the years are the first or last."""
    cdef int year, month, day, hour, minute, second, places = 0, offset = 0
    cdef int64_t micros = 0
    year = _digits(at, 4)
    if year < 2 or year > 9998 or at[4] != c"-":
        return NULL
    month = _digits(at + 5, 2)
    if month < 1 or month > 12 or at[7] != c"-":
        return NULL
    day = _digits(at + 8, 2)
    if day < 1 or day > _days_of_month(year, month) or at[10] != c"T":
        return NULL
    hour = _digits(at + 11, 2)
    if hour < 0 or hour > 23 or at[13] != c":":
        return NULL
    minute = _digits(at + 14, 2)
    if minute < 0 or minute > 59 or at[16] != c":":
        return NULL
    second = _digits(at + 17, 2)
    if second < 0 or second > 59:
        return NULL
    at += 19
    if at[0] == c".":
        at += 1
        while is_digit(at[0]) and places < 6:
            micros = micros * 10 + (at[0] - c"0")
            at += 1
            places += 1
        if places == 0:
            return NULL
        for places in range(places, 6):
            micros *= 10
    if at[0] == c"Z":
        at += 1
    elif at[0] == c"+" or at[0] == c"-":
        places = _digits(at + 1, 2)
        if places < 0 or places > 23 or at[3] != c":":
            return NULL
        offset = _digits(at + 4, 2)
        if offset < 0 or offset > 59:
            return NULL
        offset += 60 * places
        if at[0] == c"-":
            offset = -offset
        at += 6
    else:
        return NULL
    instant[0] = (_days(year, month, day) * DAY_S + (hour * 60 + minute - offset) * 60 + second) * SECOND_US + micros
    return at


cdef inline void _write(unsigned char* at, int number, int digits) noexcept nogil:
    cdef int place
    for place in range(digits - 1, -1, -1):
        at[place] = c"0" + number % 10
        number //= 10


cdef inline void _write_date(unsigned char* at, int64_t days) noexcept nogil:
    """Write the date of so many days since 1970, in the years 1 to 9999."""
    cdef int moved = <int>days + DAYS_TO_1970
    cdef int era = moved // DAYS_OF_ERA
    cdef int of_era = moved - era * DAYS_OF_ERA
    cdef int years = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef int of_year = of_era - (365 * years + years // 4 - years // 100)
    cdef int month = (5 * of_year + 2) // 153  # 0 is March
    _write(at, era * 400 + years + (month >= 10), 4)
    _write(at + 5, month + 3 if month < 10 else month - 9, 2)
    _write(at + 8, of_year - (153 * month + 2) // 5 + 1, 2)
    at[4] = at[7] = c"-"


def parse(text):
    cdef int64_t instant
    cdef bytes said
    cdef const unsigned char* start
    cdef const unsigned char* end
    if type(text) is str and (<str>text).isascii():
        said = (<str>text).encode("ascii")
        start = said
        end = past_instant(start, &instant)
        if end == start + len(said):
            return instant
    return instant_python.parse(text)


def text(int64_t instant):
    cdef unsigned char said[LONGEST]
    cdef int64_t day_us = DAY_S * <int64_t>SECOND_US
    cdef int64_t days = instant // day_us
    cdef int64_t rest = instant - days * day_us
    cdef int second, micro, size = 19
    if rest < 0:
        days, rest = days - 1, rest + day_us
    if not first_day <= days <= last_day:
        return instant_python.text(instant)
    second, micro = <int>(rest // SECOND_US), <int>(rest % SECOND_US)
    _write_date(said, days)
    said[10], said[13], said[16] = c"T", c":", c":"
    _write(said + 11, second // 3600, 2)
    _write(said + 14, second // 60 % 60, 2)
    _write(said + 17, second % 60, 2)
    if micro:
        said[19] = c"."
        _write(said + 20, micro, 6)
        size = 26
        while said[size - 1] == c"0":
            size -= 1
    said[size] = c"Z"
    return said[: size + 1].decode("ascii")


cdef int64_t first_day = _days(1, 1, 1), last_day = _days(9999, 12, 31)
