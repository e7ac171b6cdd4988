"""A simulator is only as good as what it finds: each planted bug, by the seed that found it."""

import pytest

from .flaws import FLAWS
from .outcome import outcome_of


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.name)
def test_a_planted_flaw_is_found(flaw):
    with flaw.planted():
        outcome = outcome_of(flaw.spec)
    assert outcome.violation is not None
    assert outcome.violation.which == flaw.which
