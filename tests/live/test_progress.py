import logging

from streams.live.progress import EVERY_S, Progress


class Clock:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def told(caplog, steps, total=1000):
    """Return what is logged of a piece of work whose steps are (seconds, records)."""
    clock = Clock()
    progress = Progress("the table's changelog", total, now=clock)
    with caplog.at_level(logging.INFO):
        for seconds, count in steps:
            clock.at += seconds
            progress.passed(count)
    return caplog.messages


def test_a_short_piece_of_work_is_not_worth_a_line(caplog):
    assert told(caplog, [(0.1, 100)] * 10) == []


def test_a_long_one_is_told_every_few_seconds_with_its_rate_and_what_is_left(caplog):
    assert told(caplog, [(EVERY_S / 2, 100)] * 9) == [
        "the table's changelog: 200 of 1000 records read, 40 a second, 20 s left",
        "the table's changelog: 400 of 1000 records read, 40 a second, 15 s left",
        "the table's changelog: 600 of 1000 records read, 40 a second, 10 s left",
        "the table's changelog: 800 of 1000 records read, 40 a second, 5 s left",
    ]


def test_the_end_of_it_is_told_by_whoever_began_it(caplog):
    assert told(caplog, [(60, 1000)]) == []


def test_one_that_does_not_move_says_so(caplog):
    assert told(caplog, [(EVERY_S, 0)]) == [
        "the table's changelog: 0 of 1000 records read, 0 a second, ? s left"
    ]
