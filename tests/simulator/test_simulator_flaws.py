"""A simulator is only as good as what it finds: bugs planted where no explorer looks, each by its seed."""

import pytest

from .flaws import FLAWS
from .outcome import outcome_of

OURS = [flaw for flaw in FLAWS if flaw.law]
"""The others are the explorer's, too, and are planted in its tests; here by `python -m tests.simulator flaws`."""


@pytest.mark.parametrize("flaw", OURS, ids=lambda flaw: flaw.name)
def test_a_planted_flaw_is_found(flaw):
    with flaw.planted():
        outcome = outcome_of(flaw.spec)
    assert outcome.violation is not None
    assert outcome.violation.which == flaw.which
