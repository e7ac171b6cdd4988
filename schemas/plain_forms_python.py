"""Forms as regular expressions: what `schemas.plain_forms_compiled` does where that was not built.

A form is what may stand at one place. What one takes it keeps, as nothing that comes next in canonical JSON can be
taken for a part of it: possessive, and linear in the length.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple


class Form(NamedTuple):
    """What may stand at one place."""

    pattern: re.Pattern[bytes]

    def is_of(self, written: bytes) -> bool:
        """Return whether bytes are of this form from their beginning to their end."""
        return self.pattern.fullmatch(written) is not None


def text(said: bytes) -> Form:
    """Return the form of these bytes."""
    return Form(re.compile(re.escape(said)))


def run(of: bytes, least: int, most: int) -> Form:
    """Return the form of so many bytes that are each among some."""
    return Form(re.compile(b"[%b]{%d,%d}+" % (re.escape(of), least, most)))


def instant() -> Form:
    """Return the form of an instant as we write it; that the day exists is not looked at."""
    return Form(re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6}+(?<!0))?+Z"))


def row(forms: Sequence[Form]) -> Form:
    """Return the form of one after the other."""
    return Form(re.compile(b"".join([form.pattern.pattern for form in forms])))


def either(forms: Sequence[Form]) -> Form:
    """Return the form of any one of some, the first that fits."""
    return Form(re.compile(b"(?>%b)" % b"|".join([form.pattern.pattern for form in forms])))


def several(form: Form, least: int) -> Form:
    """Return the form of one and the same again and again with a comma between, none or at least one."""
    again = b"%b(?:,%b)*+" % (form.pattern.pattern, form.pattern.pattern)
    return Form(re.compile(again if least else b"(?:%b)?+" % again))
