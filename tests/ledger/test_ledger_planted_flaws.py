"""The simulation is only as good as what it finds: flaws of earlier wordings, planted, are found."""

import random
from collections import Counter

import pytest
from memorylog import WORLD, Run, canonical, count, tick

from schemas.errors import AuditError, InvariantBroken
from schemas.topics import CLOCK, COUNTS, FACTS
from streams.ledger.chain import Head, judge
from streams.ledger.effects import Append, Publish, WriteHead, WriteRows, batches
from streams.ledger.recovery import Recovery
from streams.ledger.step import Step

TINY = {COUNTS: (count("x", 12), count("z", 13)), CLOCK: (tick(9, 9),), FACTS: (canonical({"all": 1}),)}


class AckIsAccepted(Step):
    """Every acknowledged entry is taken for accepted."""

    __slots__ = ()

    def _is_accepted_at_once(self, offset):  # noqa: ARG002
        return True


class AckIsAcceptedTakeover(Recovery):
    __slots__ = ()

    def _is_accepted_at_once(self, offset):  # noqa: ARG002
        return True


class ReadBackOwn(Step):
    """The read-back looks for its own entry, and takes the returned offset as the last judged."""

    __slots__ = ()

    def _judge(self, records, upto):
        head = self._judged
        for offset, raw in records:
            if head.hash == self._flight.hash:
                break
            head, _ = judge(head, offset, raw)
        return Head(head.n, head.epoch, head.hash, upto)


class HeadBeforePublish(Step):
    """The head pointer is written before the outputs are acknowledged."""

    __slots__ = ()

    def _order(self, draft):
        return tuple(sorted(super()._order(draft), key=lambda effect: not isinstance(effect, WriteHead)))


class PublishFirst(Step):
    """Outputs leave before the entry is accepted."""

    __slots__ = ("_waiting",)

    def __init__(self, ready, writer):
        super().__init__(ready, writer)
        self._waiting = None

    def begin(self, draft):
        append = super().begin(draft)
        if any(draft.publish.values()):
            self._waiting, self.effect = append, Publish(batches(draft.publish))
        return self.effect

    def published(self):
        if self._waiting is None:
            return super().published()
        self.effect, self._waiting = self._waiting, None
        return self.effect


class GiveUpOnSilence(Step):
    """No ack is taken for a verdict: the entry is thought lost, and the next draft begins."""

    __slots__ = ()

    def unacked(self):
        if isinstance(self.effect, Append):
            return self._go_on()
        return super().unacked()


class RowsEarly(Step):
    """Rows are written before the verdict."""

    __slots__ = ("_waiting",)

    def __init__(self, ready, writer):
        super().__init__(ready, writer)
        self._waiting = None

    def begin(self, draft):
        append = super().begin(draft)
        if draft.rows:
            self._waiting, self.effect = append, WriteRows(draft.rows)
        return self.effect

    def rows_written(self):
        if self._waiting is None:
            return super().rows_written()
        self.effect, self._waiting = self._waiting, None
        return self.effect


class NoRoot(Recovery):
    """The rows of the table are believed."""

    __slots__ = ()

    def _root_agrees(self, expected, found):  # noqa: ARG002
        return True


class NothingAgain(Recovery):
    """A new owner publishes nothing again."""

    __slots__ = ()

    def _established(self):
        super()._established()
        self.effect = Publish(())
        return self.published()


class NoTakeover(Recovery):
    """A new owner works on without waiting for the verdict on its takeover."""

    __slots__ = ()

    def unacked(self):
        if isinstance(self.effect, Append):
            return self._accept(self._mine_at(self.head.next_offset))
        return super().unacked()


FLAWS = {
    "ack-is-accepted": (Recovery, AckIsAccepted),
    "ack-is-accepted-takeover": (AckIsAcceptedTakeover, Step),
    "rows-early, no-root": (NoRoot, RowsEarly),
    "head-before": (Recovery, HeadBeforePublish),
    "publish-first": (Recovery, PublishFirst),
    "give-up-on-silence": (Recovery, GiveUpOnSilence),
    "no-root": (NoRoot, Step),
    "nothing-again": (NothingAgain, Step),
    "verdict-not-awaited": (NoTakeover, Step),
}


def first_seed_that_finds(kinds, seeds=600):
    for seed in range(seeds):
        run = history(seed, kinds)
        try:
            run.go()
        except (AssertionError, AuditError, InvariantBroken) as error:
            return seed, error
    return None


def history(seed, kinds=(Recovery, Step)):
    """One of many different histories: short and long ones, with trouble soon or late."""
    dice = random.Random(seed)
    numbers = [dice.randrange(65536) for _ in range(40 + 40 * (seed % 4))]
    return Run(WORLD if seed % 2 else TINY, numbers, 6, kinds, peace=3 + 5 * (seed % 3))


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_planted_flaw_is_found(flaw):
    found = first_seed_that_finds(FLAWS[flaw])
    assert found, f"{flaw} went unnoticed"


def a_paused_owner_wakes_up(step):
    """Flaw 4: the ack of an accepted entry is lost; its writer pauses; another takes over; it goes on."""
    run = Run(WORLD, (), 0, (Recovery, step))
    run.start()
    paused = run.owners[0]
    while not (isinstance(paused.machine, step) and isinstance(paused.machine.effect, Append)):
        paused.act()
    paused.act("unacked")
    run.start()
    other = run.owners[1]
    while not isinstance(other.machine, step):
        other.act()
    for _ in range(5):
        paused.act()
        run.check()


def test_flaw_4_to_find_the_own_entry_is_not_to_be_the_last_accepted():
    a_paused_owner_wakes_up(Step)
    with pytest.raises(AssertionError, match="a reader from the head pointer disagrees"):
        a_paused_owner_wakes_up(ReadBackOwn)


def test_the_same_seeds_find_nothing_in_the_machines_themselves():
    assert first_seed_that_finds((Recovery, Step)) is None


def test_rows_written_early_are_found_out_by_the_root():
    assert first_seed_that_finds((Recovery, RowsEarly)) is None


def test_the_seeds_reach_what_they_are_for():
    done = Counter()
    for seed in range(100):
        run = history(seed)
        run.go()
        done += run.log.done
    for effect in ("BackOff", "Leave", "Recover", "Rebuild", "ReadJournal", "Publish", "WriteApplied"):
        assert done[effect] > 0, f"{effect} never happens"
