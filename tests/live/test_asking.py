"""aiokafka is told to ask for more: not too often, and always once more after something was taken."""

from streams.live.consumer_thread import ASK_EVERY_S, Thread


class Clock:
    """Timers that a test lets ring, be it too early: an event loop may round instants."""

    def __init__(self):
        self.now, self.timers = 100.0, []

    def time(self):
        return self.now

    def call_at(self, when, call, *args):
        self.timers.append((when, call, args))

    def ring(self, *, early_s=0.0):
        when, call, args = self.timers.pop(0)
        self.now = max(self.now, when - early_s)
        call(*args)


class Fetcher:
    """What aiokafka's fetcher waits with until it is to look for more."""

    _wait_consume_future = None

    def __init__(self):
        self.told = 0

    def _notify(self, _):
        self.told += 1


def thread(clock):
    made = object.__new__(Thread)
    made.thread_loop = clock
    return made


def test_it_is_told_once_of_all_that_was_taken_meanwhile():
    clock, fetcher = Clock(), Fetcher()
    asking = thread(clock)
    for _ in range(3):
        asking._fetch_on(fetcher)
    clock.ring()
    assert (fetcher.told, clock.timers) == (1, [])


def test_it_is_not_told_again_before_its_time():
    clock, fetcher = Clock(), Fetcher()
    asking = thread(clock)
    asking._fetch_on(fetcher)
    clock.ring()
    asking._fetch_on(fetcher)
    assert [when for when, _, _ in clock.timers] == [100.0 + ASK_EVERY_S]


def test_a_timer_that_rings_too_early_loses_no_question():
    clock, fetcher = Clock(), Fetcher()
    asking = thread(clock)
    for told in range(1, 5):
        asking._fetch_on(fetcher)
        clock.ring(early_s=ASK_EVERY_S / 2)
        assert fetcher.told == told
