"""The fold: any cut, any split and any owner decide the same."""

import pytest
from driving import Partition, entries_of
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import worlds

TIMES = ["records", "clock"]
both_times = pytest.mark.parametrize("time", TIMES)
TINY = 1
"""A cut after every decision."""


def whole(world, time, **how):
    records, _, until = world
    return Partition(time, **how).take(records).finish(until)


@both_times
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_resumed_after_any_entry_it_decides_as_if_it_had_never_stopped(time, data):
    world = records, books, until = data.draw(worlds(time))
    expected = whole(world, time)
    with entries_of(TINY):
        stopped = whole(world, time)
        assert stopped.decisions == expected.decisions
        assert stopped.published == expected.published
        for place, stand in enumerate(stopped.stands[:-1]):
            resumed = Partition.resumed(stand, time, books).take(records).finish(until)
            rest = [d for work in stopped.works[place + 1 :] for d in work.decisions]
            assert resumed.decisions == rest
            assert resumed.rows == stopped.rows
            assert resumed.works[-1].state_root == stopped.works[-1].state_root
