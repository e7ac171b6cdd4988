"""Generated populations: the same bytes from the same seed; everything that can happen, in the rates asked for."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace as but
from itertools import pairwise
from math import log
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from builders import Stream, book_of, day, phase_tables, policy_tables
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from schemas import topics
from schemas.dead_letters import CODES
from schemas.errors import InputError, OperatorError
from schemas.instant import DAY
from schemas.partitioner import partition_of
from schemas.policy import PolicyBook
from schemas.records import Records
from schemas.wire import Raw, decode
from streams import cli
from streams.core.fold import Fold
from streams.generate import Settings, Tally, generate
from streams.generate.lives import LIVES, TURNS
from streams.generate.plot import svg
from streams.live.intake import Merged, Pace, Piece
from streams.policies.load import load_book, shipped_book_dir
from streams.replay.files import Line, read_lines
from streams.replay.run import replay
from streams.verify import read_journal, verify
from streams.verify_inputs import check_inputs

ROOT = Path(__file__).parent.parent
SMALL = Settings(seed=7, accounts=300, days=10)
QUIET = but(SMALL, late=0, doubled=0, broken=0)
ROUGH = but(SMALL, late=0.05, doubled=0.05, broken=0.1)
BUSY = Settings(seed=2, accounts=200, days=40, near=0.7, broken=0.002)
"""Small, and yet everything happens to somebody."""
HASHED = (
    "import hashlib; from streams.generate import Settings, generate;"
    "print(hashlib.sha256(b''.join(generate(Settings(seed=7, accounts=300, days=10)))).hexdigest())"
)
OUTPUT_TYPES = {
    *("disclosure-required", "disclosure-met", "disclosure-cancelled"),
    *("grace-started", "grace-reminder", "grace-extended", "grace-suspended", "grace-resumed", "grace-ended"),
    *("restriction-imposed", "restriction-lifted"),
}


@pytest.fixture(scope="module")
def shipped() -> PolicyBook:
    return load_book(shipped_book_dir())


def written(directory: Path, settings: Settings, book: PolicyBook) -> tuple[Path, Tally]:
    """Return a file of a population, and what was counted of it."""
    file, tally = directory / "population.jsonl", Tally()
    file.write_bytes(b"".join(generate(settings, book, tally)))
    return file, tally


def read(line: Line, book: PolicyBook) -> tuple[str, int | None]:
    """Return the dead-letter code of a line and None, or "" and its own instant."""
    try:
        return "", decode(line.topic, line.key, line.value, book.policies).at
    except InputError as refused:
        return refused.code, None


def odd_of(tally: Tally) -> Counter[str]:
    """Return how many lines of each oddity were counted."""
    found: Counter[str] = Counter()
    for counted in tally.days:
        for (_, _, odd), number in counted.items():
            found[odd] += number
    return found


# The same bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hash_seed", "zone"), [("0", "UTC"), ("12345", "Asia/Shanghai")])
def test_a_seed_gives_the_same_bytes_in_every_process(hash_seed, zone):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HASHED]
    said = subprocess.run(command, check=True, env=environment, timeout=60, capture_output=True, text=True)
    assert said.stdout.strip() == hashlib.sha256(b"".join(generate(SMALL))).hexdigest()


def test_another_seed_gives_another_population():
    assert set(generate(QUIET)).isdisjoint(generate(but(QUIET, seed=8)))


def test_fewer_records_are_the_first_ones():
    whole = list(generate(SMALL))
    for records in (1, 777, len(whole)):
        tally = Tally()
        assert list(generate(but(SMALL, records=records), tally=tally)) == whole[:records]
        assert tally.records == records


# What can be read, and what cannot --------------------------------------------------------------------


@pytest.mark.parametrize("settings", [QUIET, SMALL, ROUGH, but(ROUGH, ticks=3600)], ids=str)
def test_what_is_meant_to_be_read_is_read_and_what_is_broken_is_refused_with_its_code(
    settings, shipped, tmp_path
):
    file, tally = written(tmp_path, settings, shipped)
    found = Counter(read(line, shipped)[0] for line in read_lines([file]))
    odd = odd_of(tally)
    assert found == {code: odd[code] for code in CODES if odd[code]} | {
        "": tally.records - sum(odd[code] for code in CODES)
    }
    if settings.broken >= 0.1:
        assert min(odd[code] for code in CODES) > max(odd[code] for code in CODES) / 3


@pytest.mark.parametrize("ticks", [None, 3600], ids=["without ticks", "with ticks"])
def test_broken_records_and_only_they_become_dead_letters(ticks, shipped, tmp_path):
    file, tally = written(tmp_path, but(ROUGH, ticks=ticks), shipped)
    replay([file], shipped, out=tmp_path / "out")
    letters = (tmp_path / "out" / "dead-letters.jsonl").read_bytes().splitlines()
    odd = odd_of(tally)
    assert Counter(msgspec.json.decode(letter)["code"] for letter in letters) == {
        code: odd[code] for code in CODES
    }


@pytest.mark.parametrize(
    "rates", [(0, 0, 0), (0.1, 0, 0), (0, 0.1, 0), (0, 0, 0.1), (0.02, 0.05, 0.03)], ids=str
)
def test_late_doubled_and_broken_ones_come_at_their_rates(rates):
    tally = Tally()
    chosen = dict(zip(("late", "doubled", "broken"), rates, strict=True))
    list(generate(but(SMALL, accounts=500, days=60, **chosen), tally=tally))
    odd = odd_of(tally)
    odd["broken"] = sum(odd[code] for code in CODES)
    whole = tally.records - odd["doubled"] - odd["broken"]
    for name, rate in chosen.items():
        assert odd[name] / whole == pytest.approx(rate, rel=0.12)


def test_a_late_count_comes_behind_a_later_one_of_its_account_and_a_doubled_one_is_a_copy(shipped, tmp_path):
    file, tally = written(tmp_path, but(SMALL, late=0.1, doubled=0.1, broken=0), shipped)
    lines = list(read_lines([file]))
    latest: dict[tuple[str, bytes | None], int] = {}
    late = copies = 0
    for before, line in pairwise([lines[0], *lines]):
        at = read(line, shipped)[1] or 0
        late += at < latest.get((line.topic, line.key), 0)
        copies += before is not line and before.value == line.value
        latest[line.topic, line.key] = max(at, latest.get((line.topic, line.key), 0))
    assert late == odd_of(tally)["late"] > 0
    assert copies == odd_of(tally)["doubled"] > 0


# The order --------------------------------------------------------------------------------------------


def test_without_late_ones_the_lines_are_in_the_order_of_their_instants(shipped, tmp_path):
    file, _ = written(tmp_path, QUIET, shipped)
    instants = [read(line, shipped)[1] for line in read_lines([file])]
    assert instants == sorted(instants)
    assert QUIET.start <= instants[0]
    assert instants[-1] < QUIET.start + QUIET.days * DAY


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [SMALL, ROUGH, but(BUSY, late=0.3, doubled=0.2, broken=0.1)],
    ids=["few odd", "many odd", "with facts that are late"],
)
def test_the_order_is_the_one_in_which_a_worker_merges_a_history(settings, partitions, shipped, tmp_path):
    file, _ = written(tmp_path, settings, shipped)
    lines = list(read_lines([file]))
    for partition in range(partitions):
        dealt = [line for line in lines if partition_of(line.key, partitions) == partition]
        assert merged(dealt, shipped) == [(line.topic, line.value) for line in dealt]


def merged(lines: list[Line], book: PolicyBook) -> list[tuple[str, bytes | None]]:
    """Return the lines of one partition in the order in which a worker takes them with `--time records`."""
    by_topic = {
        topic: [line for line in lines if line.topic == topic] for topic in (topics.FACTS, topics.COUNTS)
    }
    fold = Fold(0, {}, "records")
    stream = Stream()
    stream.book(*book.tables["policies"].values())
    list(fold.take(topics.BOOKS, Records.of(raw for _, raw in stream.records), 1))
    ends = {topics.BOOKS: 1} | {topic: len(found) for topic, found in by_topic.items()}
    intake = Merged(fold, ends, Pace(None))
    for topic, found in by_topic.items():
        raws = [Raw(offset, line.key, line.value) for offset, line in enumerate(found)]
        intake.offer(Piece(topic, Records.of(raws), len(raws)))
    taken = []
    while piece := intake.next():
        taken += [(piece.topic, record.value) for record in piece.records]
    return taken


def test_ticks_come_first_and_so_far_apart(shipped, tmp_path):
    file, tally = written(tmp_path, but(SMALL, days=2, ticks=5_400), shipped)
    lines = list(read_lines([file]))
    ticks = [read(line, shipped)[1] for line in lines if line.topic == topics.CLOCK]
    assert lines[0].topic == topics.CLOCK
    assert ticks == list(range(SMALL.start, SMALL.start + 2 * DAY, 5_400 * DAY // 86_400))
    assert ("topic", "clock", 32) in set(tally.rows())


# What happens -----------------------------------------------------------------------------------------


def test_everything_happens_to_somebody_and_an_auditor_agrees(shipped, tmp_path):
    file, tally = written(tmp_path, BUSY, shipped)
    out = tmp_path / "out"
    replay([file], shipped, out=out)
    outputs = [
        msgspec.json.decode(line)
        for topic in topics.OUTPUTS
        for line in (out / f"{topic}.jsonl").read_bytes().splitlines()
    ]
    assert {output["type"] for output in outputs} == OUTPUT_TYPES
    assert {output["platform"] for output in outputs} == set(tally.platforms)
    assert "suspected-purge" in {reason["code"] for output in outputs for reason in output["reasons"]}
    entries = list(read_journal(out / "journal.jsonl"))
    verify(entries)
    assert check_inputs(entries, [file]) == {0: tally.records + 1}  # and the book


def test_the_sizes_have_the_tail_that_is_cited():
    tally = Tally()
    list(generate(Settings(accounts=40_000, days=1, near=0, platforms=("weibo",), records=1), tally=tally))
    lowest, highest = tally.lines["weibo"]

    def exponent(low: int, high: int) -> float:
        above = [sum(count >= size for count in tally.at_start) for size in (low, high)]
        return log(above[0] / above[1]) / log(high / low)

    assert exponent(40_000, lowest) == pytest.approx(0.83, abs=0.03)
    assert exponent(lowest, 3 * highest) == pytest.approx(1.0, abs=0.08)
    assert exponent(3 * highest, 15 * highest) == pytest.approx(1.22, abs=0.2)


def crossings_in(lines: Iterable[bytes], book: PolicyBook) -> list[tuple[int, tuple[int, str, str]]]:
    """Return what the counts crossed: the line's place, and threshold, platform and way."""
    crossed = []
    last: dict[str, int] = {}
    for place, line in enumerate(lines):
        value = json.loads(line)["value"]
        if "followers" in value:
            account, platform, count = value["account_id"], value["platform"], value["followers"]
            for phase in book.policies[platform].phases:
                was = phase.reached(last.get(account, count))
                if was != phase.reached(count):
                    crossed.append((place, (phase.threshold, platform, "down" if was else "up")))
            last[account] = count
    return crossed


def test_accounts_stand_near_the_lines_of_whatever_book_and_cross_them():
    book = book_of(policy_tables(phase=[phase_tables(op=">"), phase_tables(id="p2", threshold=3000)]))
    tally = Tally()
    lines = list(generate(but(QUIET, near=1), book, tally))
    assert all(900 <= count <= 1150 or 2700 <= count <= 3450 for count in tally.at_start)
    assert tally.crossings == Counter(what for _, what in crossings_in(lines, book))
    assert len(tally.crossings) == 4


def test_crossings_of_all_platforms_are_counted_up_to_the_last_line(shipped):
    settings = but(QUIET, accounts=1_000, days=20, near=0.7)
    crossed = crossings_in(generate(settings, shipped), shipped)
    assert len({(line, way) for _, (line, _, way) in crossed}) == 4
    place, _ = crossed[-1]
    for records in (None, place + 1, place):  # the last of these ends just before the last crossing
        tally = Tally()
        list(generate(but(settings, records=records), shipped, tally))
        assert tally.crossings == Counter(what for at, what in crossed if records is None or at < records)


def test_a_deleted_account_is_silent_until_it_is_back(shipped):
    gone: set[str] = set()
    back = 0
    for line in generate(but(QUIET, accounts=3_000, days=30, near=1), shipped):
        value = json.loads(line)["value"]
        account, status = value["account_id"], value.get("status")
        if account in gone:
            assert status == "active"
            gone.remove(account)
            back += 1
        if status == "deleted":
            gone.add(account)
    assert gone
    assert back


def test_a_platform_cleans_up_on_one_day(shipped):
    """On one day nearly everybody loses; on any other nearly half do."""
    last: dict[str, int] = {}
    lost: Counter[int] = Counter()
    for line in generate(but(QUIET, platforms=("zhihu",), days=20), shipped):
        value = json.loads(line)["value"]
        if "followers" in value:
            number = int(value["observed_at"][8:10])
            lost[number] += value["followers"] < last.get(value["account_id"], 0)
            last[value["account_id"]] = value["followers"]
    (_, most), (_, second) = lost.most_common(2)
    assert most > 0.9 * 300 > 0.7 * 300 > second


def test_profiles_are_said_of_accounts_near_a_line_only(shipped, tmp_path):
    file, _ = written(tmp_path, QUIET, shipped)
    highest: dict[str, int] = {}
    said = set()
    for line in read_lines([file]):
        record = decode(line.topic, line.key, line.value, shipped.policies)
        if line.topic == topics.COUNTS:
            highest[record.key] = max(record.followers, highest.get(record.key, 0))
        else:
            said.add(record.key)
    near = {key for key, count in highest.items() if count >= shipped.policies[key.split(":")[0]].watch_from}
    assert said == near
    assert 0 < len(near) < len(highest)


@pytest.mark.parametrize("lives", [LIVES, TURNS])
def test_every_step_of_a_life_is_a_fact_that_can_be_read(lives, shipped):
    stream = Stream()
    for _, steps in lives:
        for step in steps:
            if step.type == "purge":
                continue
            until = ',"until":"2024-01-01T00:00:00Z"' if step.until else ""
            value = (
                '{"event_id":"f","platform":"weibo","account_id":"acc-a","occurred_at":"2024-01-01T00:00:00Z",'
                f'"type":"{step.type}",{step.says}{until}}}'
            )
            stream.raw(topics.FACTS, value.encode(), "weibo:acc-a")
    for topic, raw in stream.records:
        decode(topic, raw.key, raw.value, shipped.policies)


@given(
    seed=st.integers(),
    accounts=st.integers(1, 40),
    days=st.integers(1, 5),
    start=st.integers(day(-40_000), day(40_000)),
    rates=st.tuples(*[st.floats(0, 0.33)] * 3),
    near=st.floats(0, 1),
    ticks=st.none() | st.integers(600, 86_400),
)
@examples(max_examples=25)
def test_whatever_is_asked_for_can_be_read_but_for_what_is_broken(
    seed, accounts, days, start, rates, near, ticks, tmp_path_factory
):
    book = load_book(shipped_book_dir())
    late, doubled, broken = rates
    settings = Settings(
        seed=seed,
        accounts=accounts,
        days=days,
        start=start,
        near=near,
        late=late,
        doubled=doubled,
        broken=broken,
        ticks=ticks,
    )
    file, tally = written(tmp_path_factory.mktemp("drawn"), settings, book)
    codes = Counter(read(line, book)[0] for line in read_lines([file]))
    odd = odd_of(tally)
    assert {code: codes[code] for code in CODES} == {code: odd[code] for code in CODES}
    assert codes.total() == tally.records


# What is asked for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"accounts": 0}, "accounts is 0, and must be from 1 to 4294967296."),
        ({"late": 0.6, "broken": 0.6}, "late + doubled + broken is 1.202, and must be from 0 to 1."),
        ({"ticks": 86_401}, "ticks is 86401, and must be from 1 to 86400."),
        ({"start": 2**62}, "start is 4611686018427387904, and must be from 0001-01-02T00:00:00Z"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_range(asked, said):
    with pytest.raises(OperatorError) as refused:
        Settings(**asked)
    assert str(refused.value).startswith(said)


def test_a_platform_without_a_policy_is_refused_with_those_that_have_one():
    with pytest.raises(OperatorError, match=r"no policy of 'myspace'\. It has baidu, bilibili"):
        generate(but(SMALL, platforms=("myspace",)))


def test_all_enabled_platforms_are_generated_unless_some_are_named(shipped):
    def platforms(settings: Settings) -> set[str]:
        return {json.loads(line)["value"]["platform"] for line in generate(settings, shipped)}

    assert platforms(QUIET) == {name for name, policy in shipped.policies.items() if policy.enabled}
    assert platforms(but(QUIET, platforms=("weibo", "toutiao"))) == {"weibo", "toutiao"}


# The command and the picture --------------------------------------------------------------------------


def run(monkeypatch, capfdbinary, *arguments) -> tuple[int, bytes, bytes]:
    """Run `nameplate generate` in this process; return its exit status and what it said."""
    monkeypatch.setattr(sys, "argv", ["nameplate", "generate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capfdbinary.readouterr()
    return ended.value.code or 0, said.out, said.err


ASKED = ("--seed", 7, "--accounts", 300, "--days", 10)


def test_the_command_writes_the_lines_plain_or_compressed_and_the_same_bytes_again(
    monkeypatch, capfdbinary, tmp_path
):
    expected = b"".join(generate(SMALL))
    for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.gz"):
        assert run(monkeypatch, capfdbinary, tmp_path / name, *ASKED)[0] == 0
    assert (tmp_path / "a.jsonl").read_bytes() == expected
    assert gzip.decompress((tmp_path / "b.jsonl.gz").read_bytes()) == expected
    packed = (tmp_path / "b.jsonl.gz").read_bytes()
    assert packed == (tmp_path / "c.jsonl.gz").read_bytes()
    assert packed[4:8] == bytes(4), "the time of writing, which is not the seed's"


def test_the_summary_adds_up(monkeypatch, capfdbinary, tmp_path):
    status, said, _ = run(
        monkeypatch, capfdbinary, tmp_path / "a.jsonl", *ASKED, "--broken", 0.05, "--format", "json"
    )
    assert status == 0
    found: dict[str, dict[str, int]] = {}
    for row in json.loads(said):
        found.setdefault(row["part"], {})[row["name"]] = row["number"]
    whole = found["all"]["records"]
    assert whole == len((tmp_path / "a.jsonl").read_bytes().splitlines())
    assert sum(found["topic"].values()) == sum(found["platform"].values()) == whole
    assert sum(found["type"].values()) == found["topic"]["account-facts"]
    assert sum(found["broken"].values()) == found["oddity"]["broken"]


def test_on_standard_output_there_are_the_lines_and_nothing_else(monkeypatch, capfdbinary):
    status, said, aside = run(monkeypatch, capfdbinary, "-", *ASKED)
    assert status == 0
    assert said == b"".join(generate(SMALL))
    assert b"follower-counts" in aside


def test_a_call_that_is_refused_leaves_the_file_alone(monkeypatch, capfdbinary, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("kept")
    status, _, aside = run(monkeypatch, capfdbinary, file, *ASKED, "--platform", "myspace")
    assert status == 2
    assert b"myspace" in aside
    assert file.read_text() == "kept"


def test_a_file_that_cannot_be_written_is_named(monkeypatch, capfdbinary, tmp_path):
    status, _, aside = run(monkeypatch, capfdbinary, tmp_path / "nowhere" / "a.jsonl", *ASKED)
    assert status == 2
    assert b"cannot be written" in aside


@pytest.mark.parametrize("settings", [SMALL, ROUGH, but(SMALL, accounts=1, days=1, ticks=60)], ids=str)
def test_the_picture_is_sound_and_shows_every_line_of_every_policy(settings, shipped):
    tally = Tally()
    list(generate(settings, shipped, tally))
    drawn = ET.fromstring(svg(tally))  # noqa: S314 - our own
    width, height = (float(drawn.get(name)) for name in ("width", "height"))
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    for line in {line for lines in tally.lines.values() for line in lines}:
        assert any(text.startswith(f"line of {line:,}: ") for text in texts)
    for bar in drawn.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, wide, high = (float(bar.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
