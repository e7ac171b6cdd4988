"""The pure parts of what measures latency, memory and scale."""

import msgspec
import pytest

from bench import feed, latency, plan, quiet_memory, scale
from schemas import topics
from schemas.instant import DAY
from schemas.wire import decode
from streams.policies.load import load_book, shipped_book_dir


@pytest.fixture(scope="module")
def book():
    return load_book(shipped_book_dir())


@pytest.mark.parametrize(
    ("share", "found"), [(0.001, 1), (0.5, 500), (0.99, 990), (0.9901, 991), (0.999, 999), (1, 1000)]
)
def test_a_quantile_is_a_value_that_was_measured(share, found):
    assert latency.quantile(range(1, 1001), share) == found


def test_the_quantile_of_one_value_is_that_value():
    assert {latency.quantile([7.0], share) for share in (0.0, 0.5, 0.999, 1)} == {7.0}


def test_what_is_fed_can_be_read_and_stands_on_its_side_of_the_lines(book):
    form = feed.Form(20_000 * DAY)
    lowest = min(phase.threshold for phase in book.policies["bilibili"].phases)
    for number in (0, 999, 9_999_999_999):
        quiet = decode(topics.COUNTS, *form.quiet(number), book.policies)
        waking = decode(topics.COUNTS, *form.waking(number), book.policies)
        assert quiet.followers < lowest / 10
        assert waking.followers >= 1_000_000
        assert waking.account_id == feed.account(number)


@pytest.mark.parametrize("one_in", [1, 50, 100, 250, 1_000])
@pytest.mark.parametrize("partitions", [1, 2, 4, 12])
def test_accounts_that_decide_come_to_every_partition(one_in, partitions):
    waking = latency.spread(one_in, partitions)
    assert {number % partitions for number in range(0, waking * partitions, waking)} == set(range(partitions))


def test_the_time_of_a_notice_is_the_sum_of_its_stages():
    ms = 1_000_000
    sent = [latency.Sent(f"a{n}", due=n * ms, sent=(n + 2) * ms, arrived=n) for n in range(4)]
    heard = {
        one.account: latency.Heard(read=one.due + 10 * ms, arrived=n, partition=0, seq=n)
        for n, one in enumerate(sent)
    }
    found = latency.found(20_000, sent, heard, {0: ([2, 4], [0, 1])}, 0.5)
    assert (found.outputs, found.p50, found.longest) == (4, 10, 10)
    assert found.stages["sender's linger"] == (2, 2)
    assert set(found.stages) == set(latency.STAGES)


def test_waves_are_every_account_once():
    waves = quiet_memory.waves(25, warm_up=2, wave=10)
    assert waves == [range(2), range(2, 12), range(12, 22), range(22, 27)]
    assert quiet_memory.waves(0, warm_up=2) == [range(2)]


GIVEN = "the group gives us the partitions [{}]\n"


def test_partitions_are_divided_once_all_are_taken_over_by_somebody():
    one, other = GIVEN.format("0, 2") + "recovered 0 rows", GIVEN.format("1, 3") + "recovered 0 rows"
    assert scale.is_settled([one, other], 4)
    assert not scale.is_settled([one, ""], 4)
    assert not scale.is_settled([one, GIVEN.format("1, 3")], 4)
    assert not scale.is_settled([one, other], 5)


def test_a_worker_that_was_given_something_else_since_is_asked_anew():
    first = GIVEN.format("0, 1") + "recovered 0 rows\n"
    assert scale.is_settled([first], 2)
    assert not scale.is_settled([first + GIVEN.format("0")], 2)
    assert scale.is_settled(
        [first + GIVEN.format("0") + "recovered 0 rows", GIVEN.format("1") + "recovered "], 2
    )


def test_the_plan_follows_from_its_figures():
    measured = plan.Measured(*(100_000, 1.0, 100, 1_000, 500, 2_000, 3_000, 1_000, 5_000))
    platform = plan.Platform(1e6, 1e6, 0.01, 100, 0.5, 4, 3, 1_000, 1)
    said = {line.what: line.value for line in plan.plan(measured, platform)}
    assert said["workers, a core each"] == "20"  # 1e6 / (100,000 x 0.5)
    assert said["partitions"] == "84"  # 20 x 4, by twelves
    assert said["counts"] == "100 MB/s"
    assert said["brokers, by their network"] == "3"  # as many as copies
    assert said["accounts with a row"] == "10,000"
    assert said["table, of all workers"] == "10 MB"
    # 84 x 17,280 quiet entries and one for each of 10,100 decisions, and the decisions themselves
    assert (
        said["journal"]
        == f"{(84 * 17_280 + 10_100) * 1_000 / 1e9 + (10_000 * 500 + 100 * 2_000) / 1e9:,.1f} GB a day"
    )
    assert said["a dead worker's partitions at work again"] == "6.1 s"  # 500 rows at 5,000 a second
    assert said["and with its backlog done"] == "17.2 s"


def test_rounds_become_figures():
    rounds = [
        scale.Round(n, 0.0, rate, 174.0) for n, rate in ((1, 300.0), (4, 240.0), (1, 320.0), (1, 310.0))
    ]
    written = scale.Bytes(1_000, 800, 2_000, 3_000, 300)
    found = scale.figures(rounds, written, plan.Measured())
    assert (found.cpu_rate, found.many, found.count_bytes) == (310.0, pytest.approx(310 / 240), 174.0)
    assert (found.entry_bytes, found.sample_bytes, found.duty_bytes) == (1_000, 800, 2_000)
    assert found.account_bytes == plan.Measured().account_bytes
    assert msgspec.json.decode(msgspec.json.encode(found._asdict()))["many"] == found.many
