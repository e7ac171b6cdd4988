"""The real machines of the ledger keep the six properties in every state of these worlds."""

from functools import cache

import pytest

from . import likeness, worlds
from .__main__ import told
from .moves import Moves
from .search import Search, alike


@cache
def searched(world):
    """Return what the search of a world came to, and which effects it performed."""
    moves = Moves(world)
    return Search(moves).run(), moves.done


@pytest.mark.parametrize("world", worlds.IN_TESTS, ids=lambda world: world.name)
def test_the_six_properties_hold_in_every_state(world):
    found, _ = searched(world)
    assert found.violation is None, told(found)
    assert found.is_complete


EFFECTS = """Append ApplyRows BackOff CheckInputs Commit ComputeRoot Leave Publish ReadJournal ReadTails Ready Rebuild
Recover Seek Stop WriteApplied WriteHead WriteRows"""


def test_the_worlds_reach_every_effect():
    done = {effect for world in worlds.IN_TESTS for effect in searched(world)[1]}
    assert set(EFFECTS.split()) <= done


@pytest.mark.parametrize("world", worlds.ALIKE_IN_TESTS, ids=lambda world: world.name)
def test_of_states_that_are_alike_one_is_enough(world):
    found = alike(Moves(world), world.faults)
    assert found.differs is None


def test_a_likeness_that_leaves_out_too_much_is_noticed(monkeypatch):
    monkeypatch.setattr(likeness, "table_seen", lambda table, _: table.rows)
    assert alike(Moves(worlds.ALIKE_IN_TESTS[0]), 1).differs is not None
