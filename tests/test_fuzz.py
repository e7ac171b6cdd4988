"""What is fed with anything ends in a typed error or in order; `make fuzz` does the same with 100,000 cases."""

import importlib.util
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import NAMES
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS


def test_every_target_is_run():
    assert set(NAMES) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_taken(name):
    target, corpus = TARGETS[name]
    for data in corpus:
        target(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40)
@given(data=st.binary(max_size=300), seed=st.integers(0, 2**32))
def test_anything_ends_in_a_typed_error_or_in_order(name, data, seed):
    target, corpus = TARGETS[name]
    target(data)
    target(mutated(Random(seed), corpus))


FOUND = [
    ("kept", b'{"seq":1,"as_of":"\xff"}'),
    ("batches", b"\x00\x1c\x00\x00\x00\x01\x02a\x02\x02\xffb\x02v"),
    ("forged-journals", b"\x01{}"),
]


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_once_ended_in_another_way_does_so_no_more(name, data):
    TARGETS[name][0](data)


def test_the_search_by_chance_is_the_same_for_the_same_seed():
    _, corpus = TARGETS["json"]
    assert [mutated(Random(7), corpus) for _ in range(3)] == [mutated(Random(7), corpus) for _ in range(3)]
    assert importlib.util.find_spec("tests.fuzz.guided") is not None
