"""What the broker does not do is asked of it again, for a bounded time."""

import pytest

from schemas.errors import TransportError
from streams.live import performer
from streams.live.gates import Revoked
from streams.live.performer import Performer

SILENT = TransportError("The broker does not say it.")


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(performer, "RETRY_S", 0.001)
    return Performer(0, None, "clock", is_ours=lambda: True, pause=None)


class Broker:
    """Answers after some failures."""

    def __init__(self, *failures):
        self.failures, self.asked = list(failures), 0

    async def answer(self):
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "the end"


async def test_it_is_asked_until_it_answers_and_who_waits_is_told_before_each_further_time(patient):
    told, broker = [], Broker(SILENT, SILENT, SILENT)
    assert await patient.patiently(broker.answer, again=lambda: told.append(broker.asked)) == "the end"
    assert (broker.asked, told, patient.moves) == (4, [1, 2, 3], 4)


async def test_patience_has_an_end_and_then_what_the_broker_said_is_raised(patient, monkeypatch):
    monkeypatch.setattr(performer, "PATIENCE_S", 0.05)
    broker = Broker(*[SILENT] * 1000)
    with pytest.raises(TransportError, match="does not say it"):
        await patient.patiently(broker.answer)
    assert 1 < broker.asked < 20


async def test_a_partition_that_is_given_away_is_not_waited_for(patient):
    broker = Broker(Revoked(("counts", 0)))
    with pytest.raises(Revoked):
        await patient.patiently(broker.answer)
    assert broker.asked == 1


async def test_work_on_many_rows_lets_others_have_their_turn(patient, monkeypatch):
    monkeypatch.setattr(performer, "BREATH_ROWS", 10)
    seen = []

    async def other():
        while True:
            seen.append(done[0])
            await performer.asyncio.sleep(0)

    done = [0]

    def steps():
        for _ in range(35):
            done[0] += 1
            yield

    turn = performer.asyncio.create_task(other())
    await patient.breathing("the state root", steps(), 35)
    turn.cancel()
    assert seen == [10, 20, 30, 35]
