"""The judge of the peers sees what is lost, doubled and contradicted, and nothing where all is well."""

from itertools import islice

from .job import Said, counts, due, judge

SENT = list(islice(counts(1), 500))
ALL = [Said(cause, is_above, b"as it is") for cause, is_above in due(SENT).items()]
QUIET = next(str(count["event_id"]) for count in SENT if count["event_id"] not in due(SENT))


def verdict(said):
    found = judge(SENT, said)
    return found.lost, found.doubled, found.contradicting


def test_an_account_starts_below_and_each_change_of_side_is_due():
    one, line = {"account_id": "a"}, 500_000
    sent = [
        {**one, "event_id": n, "followers": f}
        for n, f in (("1", line - 1), ("2", line), ("3", line + 1), ("4", 0))
    ]
    assert due(sent) == {"2": True, "4": False}


def test_what_is_said_once_of_each_crossing_is_right():
    assert verdict(ALL) == (0, 0, 0)


def test_what_is_not_said_is_lost_and_a_copy_is_doubled():
    assert verdict([*ALL[1:], ALL[5]]) == (1, 1, 0)


def test_two_payloads_of_one_count_contradict_each_other():
    assert verdict([*ALL, Said(ALL[0].cause, ALL[0].is_above, b"otherwise")]) == (0, 1, 1)


def test_what_is_said_of_the_other_side_or_of_a_quiet_count_contradicts():
    wrong = Said(ALL[0].cause, not ALL[0].is_above, b"wrong")
    assert verdict([wrong, *ALL[1:], Said(QUIET, True, b"invented")]) == (0, 0, 2)
