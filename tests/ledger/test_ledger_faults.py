"""Histories of one partition under faults: the six properties of the protocol hold in every state."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memorylog import WORLD, Run, count, tick

from schemas.topics import CLOCK, COUNTS

SMALL = {COUNTS: (count("x", 5), count("x", 12), count("x", 13)), CLOCK: (tick(9, 9),)}


@pytest.mark.parametrize("world", [WORLD, SMALL], ids=["whole", "small"])
def test_without_a_fault_everything_is_decided_and_published_once(world):
    run = Run(world, (), 0)
    run.go()
    assert all(len(records) == len(set(records)) for records in run.log.outputs.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 65535), max_size=250), st.integers(1, 6))
def test_any_history_with_faults_keeps_the_six_properties(numbers, faults):
    Run(WORLD, numbers, faults).go()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 65535), max_size=250), st.integers(1, 4))
def test_a_small_world_under_faults_keeps_the_six_properties(numbers, faults):
    Run(SMALL, numbers, faults).go()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 65535), max_size=250), st.integers(0, 4))
def test_rule_25_the_table_can_be_deleted_at_any_time(numbers, faults):
    Run(WORLD, numbers, faults, table_lives=False).go()
