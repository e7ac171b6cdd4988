"""A search is only as good as what it finds: each planted flaw, and the property that finds it."""

import pytest

from .__main__ import told
from .flaws import FLAWS, HARMLESS
from .moves import Moves
from .search import Search


def search(flaw):
    with flaw.planted() as hands:
        return Search(Moves(flaw.world, hands)).run()


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.name)
def test_a_planted_flaw_is_found(flaw):
    found = search(flaw)
    assert found.violation is not None, f"{found.states} states, and nothing was found"
    assert told(found)


@pytest.mark.parametrize("flaw", HARMLESS, ids=lambda flaw: flaw.name)
def test_a_rule_that_another_one_makes_up_for_is_not_missed(flaw):
    found = search(flaw)
    assert found.violation is None, told(found)
    assert found.is_complete
