# cython: language_level=3, boundscheck=False
"""`schemas.plain_forms_python`, compiled.

Memory: behind the bytes that are looked at there is a zero byte, and no form holds one. So whoever looks at one byte
after the other, and goes on only past those that fit, stops there at the latest.
"""

from libc.string cimport strncmp

from schemas.instant_compiled cimport is_digit


cdef class Form:
    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        """Return where it ends if it begins here, NULL where something else does."""
        return NULL

    def is_of(self, bytes written not None):
        cdef const unsigned char* start = written
        return self.past(start) == start + len(written)


cdef class Text(Form):
    cdef bytes said

    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        cdef const char* said = self.said
        cdef Py_ssize_t size = len(self.said)
        return at + size if strncmp(<const char*>at, said, size) == 0 else NULL


cdef class Run(Form):
    cdef unsigned char of[256]
    cdef Py_ssize_t least, most

    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        cdef const unsigned char* start = at
        while self.of[at[0]] and at - start < self.most:
            at += 1
        return at if at - start >= self.least else NULL


cdef class Instant(Form):
    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        cdef int place
        cdef const char* form = b"0000-00-00T00:00:00"
        for place in range(19):
            if not (is_digit(at[place]) if form[place] == c"0" else at[place] == form[place]):
                return NULL
        at += 19
        if at[0] == c".":
            place = 1
            while is_digit(at[place]) and place < 7:
                place += 1
            if place == 1 or at[place - 1] == c"0":
                return NULL
            at += place
        return at + 1 if at[0] == c"Z" else NULL


cdef class Row(Form):
    cdef tuple forms

    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        for form in self.forms:
            at = (<Form>form).past(at)
            if at == NULL:
                break
        return at


cdef class Either(Form):
    cdef tuple forms

    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        cdef const unsigned char* end = NULL
        for form in self.forms:
            end = (<Form>form).past(at)
            if end != NULL:
                break
        return end


cdef class Several(Form):
    cdef Form form
    cdef bint may_be_none

    cdef const unsigned char* past(self, const unsigned char* at) noexcept:
        cdef const unsigned char* end = self.form.past(at)
        if end == NULL:
            return at if self.may_be_none else NULL
        while end[0] == c",":
            at = self.form.past(end + 1)
            if at == NULL:
                break
            end = at
        return end


def text(bytes said not None):
    cdef Text form = Text()
    form.said = said
    return form


def run(bytes of not None, Py_ssize_t least, Py_ssize_t most):
    cdef Run form = Run()
    cdef int byte
    for byte in range(256):
        form.of[byte] = byte in of
    form.least, form.most = least, most
    return form


def instant():
    return Instant()


def row(forms):
    cdef Row flat = Row()
    parts = []
    for form in forms:
        for part in (<Row>form).forms if isinstance(form, Row) else (form,):
            if parts and isinstance(part, Text) and isinstance(parts[-1], Text):
                last = parts.pop()
                part = text((<Text>last).said + (<Text>part).said)
            parts.append(part)
    flat.forms = tuple(parts)
    return flat


def either(forms):
    cdef Either form = Either()
    form.forms = tuple(forms)
    return form


def several(Form form not None, int least):
    cdef Several again = Several()
    again.form, again.may_be_none = form, least == 0
    return again
