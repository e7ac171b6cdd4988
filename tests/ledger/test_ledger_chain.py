"""The one predicate of all readers, and the root of the rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_cases import content

from schemas.errors import InvariantBroken
from schemas.journal import encode_content, encode_entry, entry_hash
from streams.ledger import root
from streams.ledger.chain import GENESIS, Head, judge, judge_slice, next_entry

BODY = encode_content(content())
FIRST = next_entry(GENESIS, "w1", BODY, takeover=True)


def test_rule_2_the_entry_that_names_the_head_is_accepted():
    head, envelope = judge(GENESIS, 0, FIRST)
    assert head == Head(0, 1, entry_hash(FIRST), 1)
    assert envelope.writer == "w1"


@pytest.mark.parametrize(
    "raw",
    [
        encode_entry(0, 1, "1" * 64, "w", BODY), encode_entry(1, 1, "0" * 64, "w", BODY),
        encode_entry(0, 2, "0" * 64, "w", BODY), b"noise", None,
    ],
)  # fmt: skip
def test_rule_2_another_prev_or_n_or_epoch_and_noise_are_void(raw):
    assert judge(GENESIS, 4, raw) == (Head(-1, 0, "0" * 64, 5), None)


def test_rule_2_an_epoch_never_goes_back():
    head, _ = judge(GENESIS, 0, FIRST)
    assert judge(head, 1, encode_entry(1, 0, head.hash, "w", BODY))[1] is None
    assert judge(head, 1, encode_entry(1, 1, head.hash, "w", BODY))[1] is not None
    assert judge(head, 1, encode_entry(1, 2, head.hash, "w", BODY))[1] is not None


def test_rule_3_content_never_joins_the_predicate():
    broken = FIRST.replace(b'"more":false', b'"more":"??"').replace(b'"v":1', b'"v":9')
    assert judge(GENESIS, 0, broken)[1] is not None


def test_of_two_entries_after_one_the_first_to_land_is_accepted():
    other = next_entry(GENESIS, "w2", BODY, takeover=True)
    head, accepted = judge_slice(GENESIS, [(0, other), (2, FIRST), (3, other)], 5)
    assert [one.offset for one in accepted] == [0]
    assert accepted[0].is_takeover
    assert head == Head(0, 1, entry_hash(other), 5)


def test_offsets_do_not_come_twice():
    with pytest.raises(InvariantBroken):
        judge(Head(0, 1, "a" * 64, 3), 2, FIRST)
    with pytest.raises(InvariantBroken):
        judge_slice(GENESIS, [(4, FIRST)], 3)


def test_an_empty_partition_has_64_zeros():
    assert root.text(root.EMPTY) == "0" * 64


@given(st.dictionaries(st.binary(max_size=4), st.binary(max_size=4)), st.randoms(use_true_random=False))
def test_the_root_knows_the_rows_and_not_their_order(rows, dice):
    shuffled = list(rows.items())
    dice.shuffle(shuffled)
    total = root.EMPTY
    for key, row in shuffled:
        total = root.replace(total, key, None, b"old")
        total = root.replace(total, key, b"old", row)
    assert total == root.of_rows(rows.items())
    assert root.parse(root.text(total)) == total
    for key, row in rows.items():
        total = root.replace(total, key, row, None)
    assert total == root.EMPTY


def test_the_border_between_key_and_row_counts():
    assert root.row_hash(b"ab", b"c") != root.row_hash(b"a", b"bc")
