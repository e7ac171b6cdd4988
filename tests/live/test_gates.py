import pytest
from faust.types import TP

from schemas.errors import InvariantBroken
from streams.live.fetched import Run
from streams.live.gates import Gate, Gates
from streams.live.transport import whole_partitions

PLACE = ("counts", 0)


def run(start, end, gate):
    return Run(*PLACE, start, end, batches=[], gate=gate)


@pytest.fixture
def gates():
    it = Gates()
    it.begin()
    it.put(PLACE, Gate(PLACE, 10))
    return it


def test_runs_are_taken_while_they_continue_where_the_one_before_ended(gates):
    gate = gates.open[PLACE]
    assert gates.take(run(10, 15, gate))
    assert gates.take(run(15, 16, gate))


@pytest.mark.parametrize("start", [9, 11])
def test_a_hole_and_an_overlap_are_our_own_mistakes(gates, start):
    with pytest.raises(InvariantBroken, match="offset 10 was due"):
        gates.take(run(start, 20, gates.open[PLACE]))
    with pytest.raises(InvariantBroken, match="offset 10 was due"):
        gates.open[PLACE].fetch(run(start, 20, None))


def test_a_run_that_came_through_an_earlier_opening_is_not_taken(gates):
    before = gates.open[PLACE]
    gates.put(PLACE, Gate(PLACE, 10))
    assert not gates.take(run(10, 15, before))
    gates.shut(PLACE)
    assert not gates.take(run(10, 15, before))


def test_where_a_partition_opened_is_an_accepted_position(gates):
    assert gates.uncommitted() == {PLACE: 10}


def test_a_position_is_uncommitted_until_the_group_has_exactly_it(gates):
    gates.take(run(10, 15, gates.open[PLACE]))
    gates.accepted(PLACE, 12)
    gates.accepted(PLACE, 15)
    gates.committed({PLACE: 12})
    assert gates.uncommitted() == {PLACE: 15}
    gates.committed({PLACE: 15})
    assert gates.uncommitted() == {}


@pytest.mark.parametrize("offset", [9, 16])
def test_a_position_neither_goes_back_nor_beyond_what_was_handed_over(gates, offset):
    gates.take(run(10, 15, gates.open[PLACE]))
    with pytest.raises(InvariantBroken, match="accepted after 10, handed over to 15"):
        gates.accepted(PLACE, offset)


def test_a_shut_partition_can_still_be_committed_until_it_is_forgotten(gates):
    gates.take(run(10, 15, gates.open[PLACE]))
    gates.shut(PLACE)
    assert gates.accepted(PLACE, 15)
    assert gates.uncommitted() == {PLACE: 15}
    gates.forget()
    assert not gates.accepted(PLACE, 15)
    assert gates.uncommitted() == {}


def test_each_assignment_has_a_number_of_its_own_and_there_is_none_between_two(gates):
    first = gates.assignment
    assert gates.end()
    assert not gates.assignment
    assert not gates.end()
    gates.begin()
    assert gates.assignment not in {0, first}


def test_all_topics_of_a_partition_must_be_assigned_together():
    both = [TP("a", 0), TP("b", 0), TP("a", 2), TP("b", 2), TP("c", 5)]
    assert whole_partitions(both, {"a"}, {"b"}) == {0, 2}
    assert whole_partitions([], {"a"}, {"b"}) == set()
    with pytest.raises(InvariantBroken, match="must go to one worker"):
        whole_partitions(both[:3], {"a"}, {"b"})
