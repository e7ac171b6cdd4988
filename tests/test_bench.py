"""The pure parts of `make bench`: what is fed, and what is said of recorded rounds. Nothing is measured here."""

import importlib.util
import re
import tomllib
import xml.etree.ElementTree as ET
from itertools import pairwise

import msgspec
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from bench import loads, plot, report, results
from bench.__main__ import MEASURES
from bench.contestants import CONTESTANTS, GUARANTEES, HERE
from bench.peers.meter import LINE, PARTITIONS
from bench.race import SMALL_BYTES, Round
from bench.results import Made, Measure, Race, Results, ratio, spread
from bench.rig import ROOT
from bench.targets import TARGETS, times, verdicts
from schemas import topics
from schemas.instant import DAY
from schemas.partitioner import partition_of
from schemas.wire import decode
from streams.broker.jars import KAFKA_VERSION
from streams.policies.load import load_book, shipped_book_dir

MADE = Made("python -m bench", "2026-11-22 12:00 UTC", "abc", "2 cores", {"Python": "3.11"})
NAMES = [one.name for one in CONTESTANTS]


def rounds_of(name, *seconds, counts=1000, first_s=2.0):
    """Return rounds of a contestant by their CPU seconds; each took twice as long by the wall."""
    return [Round(name, counts, 2 * s, s, 5, 0, first_s, "load 1") for s in seconds]


def race_of(**seconds):
    rounds = [one for name, each in seconds.items() for one in rounds_of(name.replace("_", "-"), *each)]
    return Race(MADE, rounds, {})


@pytest.mark.parametrize("stream", [loads.quiet, loads.wakes, loads.samples])
def test_no_count_of_a_load_is_a_dead_letter(stream):
    load = loads.load_of(stream, 3000)
    platforms = load_book(shipped_book_dir()).policies
    for part in load:
        for partition, messages in part.messages.items():
            for key, value, _ in messages:
                count = decode(topics.COUNTS, key, value, platforms)
                assert partition_of(key, PARTITIONS) == partition
                assert loads._yesterday() - 25 * DAY <= count.at < loads._yesterday() + DAY
    assert load.measured.counts == 3000
    assert sum(map(len, load.measured.messages.values())) == 3000


@pytest.mark.parametrize("stream", [loads.quiet, loads.wakes, loads.samples])
def test_the_last_count_of_each_part_and_partition_is_told_and_comes_last(stream):
    known = set()
    for part in loads.load_of(stream, 3000):
        for messages in part.messages.values():
            instants = [msgspec.json.decode(value)["observed_at"] for _, value, _ in messages]
            last = msgspec.json.decode(messages[-1][1])
            assert last["followers"] >= LINE
            assert last["account_id"] not in known
            known |= {msgspec.json.decode(value)["account_id"] for _, value, _ in messages}
            assert len(instants) == len(messages)


@pytest.mark.parametrize("stream", [loads.quiet, loads.wakes, loads.samples])
def test_the_crossings_of_a_load_are_those_that_its_records_say(stream):
    last = {}
    for part in loads.load_of(stream, 3000):
        crossings = 0
        for messages in part.messages.values():
            for key, value, _ in messages:
                followers = msgspec.json.decode(value)["followers"]
                crossings += (last.get(key, 0) >= LINE) != (followers >= LINE)
                last[key] = followers
        assert crossings == part.crossings


def test_every_account_is_counted_once_a_day_where_every_count_writes_its_row():
    seen = {}
    for account, followers, at in loads.samples(1000):
        assert followers < LINE
        seen.setdefault(account, []).append(at // DAY)
    assert all(b == a + 1 for days in seen.values() for a, b in pairwise(days))


def test_a_small_batch_holds_fewer_than_a_hundred_counts():
    messages = loads.load_of(loads.quiet, 3000).measured.messages[0]
    batch = BatchBuilder(SMALL_BYTES, 0, is_transactional=False)
    for key, value, headers in messages:
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            break
    assert 80 < batch.record_count() < 100 < len(messages)


def test_a_spread_is_the_median_between_the_least_and_the_most():
    assert spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_a_ratio_is_one_of_medians_and_there_is_none_of_what_did_not_run():
    race = race_of(ours=(1.0, 4.0, 2.0), bare=(6.0, 6.0, 1.0))
    assert ratio(race, "ours", "bare") == (3.0, 3.0)
    assert ratio(race, "ours", "quix") is None


def test_a_target_is_reached_missed_or_not_measured():
    race = race_of(ours=(1.0,), bare=(1.0,), quix=(9.99,), ours_small=(1.5,))
    words = {verdict.says: verdict.word for verdict in verdicts(race)}
    assert words == {
        "as fast as bare aiokafka": "reached",
        "against Kafka Streams, one thread, at_least_once": "not measured",
        "against Quix Streams": "missed",
        "against plain Faust with a table and a send": "not measured",
        "against plain Faust where every count wakes": "not measured",
        "small record batches cost less than 30 %": "missed",
        "the first decision of a worker with an empty table": "reached",
    }


def test_a_slow_start_is_missed():
    race = Race(MADE, rounds_of("ours", 1.0, first_s=3.1), {})
    assert verdicts(race)[-1].word == "missed"
    assert verdicts(Race(MADE, [], {}))[-1].word == "not measured"


def test_no_ratio_is_shown_as_more_than_it_is():
    assert times(9.999) == "9.99"
    assert times(99.99) == "99.9"
    assert times(1499.9) == "1,499"


def test_the_report_names_everybody_and_why_somebody_is_missing():
    race = race_of(ours=(1.0, 2.0), bare=(1.0, 1.0))
    race.missing = {"quix": "no wheel | for this machine"}
    said = report.markdown(Results(race, {"wake": Measure(MADE, "7 a second")}))
    for one in CONTESTANTS:
        assert f"| {one.title} |" in said
    assert "missing: no wheel \\| for this machine" in said
    assert "missing: not run" in said
    assert "2 cores" in said
    assert "## wake" in said
    assert "7 a second" in said
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in said.splitlines() if line.startswith("|")]
    assert set(columns) == {7, 5}


def test_the_picture_is_well_formed_and_its_bars_are_as_long_as_the_rates():
    picture = ET.fromstring(plot.svg(race_of(ours=(1.0,), bare=(2.0,))))  # noqa: S314 - our own
    bars = [float(bar.get("width")) for bar in picture.iterfind(".//{*}rect")]
    assert bars[0] == pytest.approx(2 * bars[1], abs=0.2)  # CPU and wall of ours
    assert bars[0] == pytest.approx(2 * bars[2], abs=0.2)  # CPU of ours and of the other
    assert "prefers-color-scheme: dark" in plot.STYLE


def test_what_was_measured_can_be_kept_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FILE", tmp_path / "results.json")
    assert results.read() == Results()
    kept = Results(race_of(ours=(1.0,)), {"wake": Measure(MADE, "said")})
    results.write(kept)
    assert results.read() == kept


def test_every_target_and_comparison_names_a_contestant_and_every_peer_has_a_program():
    assert len(set(NAMES)) == len(NAMES)
    assert {name for target in TARGETS for name in (target.dividend, target.divisor)} <= set(NAMES)
    assert {one.against for one in CONTESTANTS} <= set(NAMES)
    for one in CONTESTANTS:
        assert not one.peer or one.peer in GUARANTEES or (HERE / f"{one.peer}.py").is_file()
    assert all(importlib.util.find_spec(module) for module, *_ in MEASURES.values())


def test_kafka_streams_and_the_frameworks_are_of_our_own_versions():
    pom = ET.parse(HERE / "kafka_streams" / "pom.xml")  # noqa: S314 - our own file
    assert pom.find(".//{*}dependency/{*}version").text == KAFKA_VERSION
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pins = (HERE / "requirements.in").read_text()
    lock = (HERE / "requirements.lock").read_text()
    for name in ("faust-streaming", "aiokafka", "msgspec", "mode-streaming"):
        pinned = next(line.partition("==")[2] for line in ours if line.startswith(name))
        assert re.search(rf"^{name}(\[.*\])?=={pinned}$", pins, re.MULTILINE)
        assert f"\n{name}=={pinned} " in lock
    assert "://" not in lock  # it names no index
