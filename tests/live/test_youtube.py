"""A real history under a book made for it: who crosses a line when, and a channel that was closed and came back."""

import gzip
import json
from collections import Counter
from datetime import datetime, timedelta

import pytest
from beside import of_shared
from harness import Cluster, nameplate, replayed
from test_history import (
    reminded,
    restricted,
    short,
    statuses_are_those_of_the_file,
    statuses_of_file,
    statuses_of_topic,
    told,
)

from schemas import topics
from schemas.instant import parse, text

pytestmark = pytest.mark.shared

FILE = "ethio-youtube.jsonl.gz"
PARTITIONS = 4
UNTIL = "2026-09-01T00:00:00Z"
P1 = "2023-09-15T00:00:00Z"
"""Three days after three channels over 1,000,000 are first seen: their dwell began before the phase."""
P2 = "2024-09-15T00:00:00Z"
"""After the first crossing of each line, and before the other two of 1,000,000 and the other three of 500,000."""

CASE = '{ status = "assumed", text = "made up for a test", publisher = "a test", date = 2026-11-22 }'
BOOK = """
platform = "youtube"
version = "2023-09-15.1"
[confirm]
dwell_days = 7
hysteresis_pct = 2
[measures]
impose = ["recommendation_feed"]
[purge]
drop_share = 0.2
within_days = 30
"""
PHASE = """
[[phase]]
id = "{name}"
threshold = {threshold}
op = ">="
from = {begins}
[phase.grace]
days = 10
reminders_days_before = [3, 1]
"""
CITED = ("threshold", "op", "from", "grace.days", "grace.reminders_days_before")

# The accounts by what their counts do.
LARGE = {"acct-6b7fe0f6f1": 2_090_000, "acct-e3ee9fa316": 1_300_000, "acct-a42639fc8a": 1_270_000}
LATE = "acct-7c56ce0f98"  # first seen at 2,550,000
FIRST_MILLION = "acct-4c5a277f96"  # passes 1,000,000 on 2024-08-28
MILLION_B = "acct-d22966407c"  # passes 1,000,000 on 2025-01-14
MILLION_C = "acct-499df6d98a"  # passes 1,000,000 on 2025-05-28
FIRST_HALF = "acct-9db3c5a36b"  # passes 500,000 on 2023-02-04, before any phase
HALF_B = "acct-4e4d19c270"  # passes 500,000 on 2024-10-07
HALF_C = "acct-c1fd3006ce"  # passes 500,000 on 2025-03-11
HALF_D = "acct-e99ce06b26"  # passes 500,000 on 2025-08-06
BETWEEN = {"acct-b6ddcde7e2": 708_000, "acct-0f2d249620": 575_000}  # never cross a line
GONE = {  # over 500,000 when last seen in 2023: no later count says otherwise, so they are told too
    "acct-3e046da1c8": 596_000,
    "acct-e3b0c44298": 641_000,
}
CLOSED = "acct-7eb963050e"


def whole(at, account, phase, followers):
    """Return the life of a duty that nobody answers: told, reminded twice, restricted after ten days."""
    deadline, before_3, before_1 = (shifted(at, days) for days in (10, 7, 9))
    return [
        *told(at, account, phase, followers, deadline),
        *reminded(account, deadline, (before_3, 3), (before_1, 1)),
        *restricted(deadline, account),
    ]


def shifted(at, days):
    return text(parse((datetime.fromisoformat(at) + timedelta(days=days)).isoformat()))


# Worked out by hand from the file, with grep. A duty begins seven days to the second after the first count
# on or over the line (`observed_at` of the crossing), or when the phase begins if those days are over by then;
# `followers` is the last count observed before that instant. On the seventh day that is the day's own count
# where it was observed earlier in the day than the crossing, else the count of the day before.
CROSSINGS_OF_HALF_A_MILLION = [
    # Line 699, 2023-02-04T23:04:35Z: no phase yet. Stays over 490,000, so told when p2 begins, with the 14th's count.
    *whole(P2, FIRST_HALF, "p2", 705_000),
    # Line 18135, 2024-10-07T23:05:08Z: 499,000 to 501,000. On the 14th 504,000 at 23:04:54, 14 s before the seven days.
    *whole("2024-10-14T23:05:08Z", HALF_B, "p2", 504_000),
    # Line 24332, 2025-03-11T23:05:12Z. On the 18th the count comes at 23:05:23, 11 s late: the 17th's 503,000.
    *whole("2025-03-18T23:05:12Z", HALF_C, "p2", 503_000),
    # Line 30218, 2025-08-06T23:06:13Z. On the 13th 501,000 at 23:06:06, 7 s before.
    *whole("2025-08-13T23:06:13Z", HALF_D, "p2", 501_000),
]
CROSSINGS_OF_A_MILLION = [
    # Line 16498, 2024-08-28T23:05:11Z, p1 alone in force. On 4 September 1,000,000 at 23:04:54, 17 s before.
    *whole("2024-09-04T23:05:11Z", FIRST_MILLION, "p1", 1_000_000),
    # Lines 22087 and 27454: told when p2 begins, long before; passing 1,000,000 then opens no second duty.
    *whole(P2, MILLION_B, "p2", 878_000),
    *whole(P2, MILLION_C, "p2", 865_000),
]
SILENT_CROSSINGS = {MILLION_B: (22_087, 1_000_000), MILLION_C: (27_454, 1_000_000)}
WITHOUT_CROSSING = [
    # First seen 2023-09-12T23:04:47Z, so four days and a half into p1; the 19th's count came at 23:04:42.
    *(row for name, count in LARGE.items() for row in whole("2023-09-19T23:04:47Z", name, "p1", count)),
    # First seen 2024-08-25T22:22:08Z; the last count before the seven days is that of 31 August.
    *whole("2024-09-01T22:22:08Z", LATE, "p1", 2_560_000),
    *(row for name, count in (BETWEEN | GONE).items() for row in whole(P2, name, "p2", count)),
]
EXPECTED = [*CROSSINGS_OF_HALF_A_MILLION, *CROSSINGS_OF_A_MILLION, *WITHOUT_CROSSING]


@pytest.fixture(scope="module")
def history():
    """Return the file's lines as replay lines, the event named by file and line."""
    with gzip.open(of_shared("data", FILE), "rt", encoding="utf-8") as file:
        return [
            {"topic": topics.COUNTS, "value": {"event_id": f"{FILE}:{number}", **json.loads(line)}}
            for number, line in enumerate(file, 1)
        ]


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def write_book(directory, **phases):
    """Write the policy with the given phases, each of a threshold and a begin; return the directory."""
    rows, sources = [BOOK], [f'"measures.impose" = {CASE}']
    for name, (threshold, begins) in phases.items():
        rows.append(PHASE.format(name=name, threshold=threshold, begins=begins))
        sources += [f'"phase.{name}.{leaf}" = {CASE}' for leaf in CITED]
    sources += [f'"confirm.{leaf}" = {CASE}' for leaf in ("dwell_days", "hysteresis_pct")]
    sources += [f'"purge.{leaf}" = {CASE}' for leaf in ("drop_share", "within_days")]
    directory.mkdir()
    (directory / "youtube.toml").write_text("\n".join([*rows, "[sources]", *sources]) + "\n", "utf-8")
    return directory


def replay(lines, book, directory):
    """Replay lines under a book; return the file of the lines and the directory of what came of them."""
    directory.mkdir(exist_ok=True)
    file, out = directory / "history.jsonl", directory / "replayed"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    how = ("--policies", book, "--partitions", PARTITIONS, "--until", UNTIL, "--out", out)
    nameplate("replay", file, *how)
    return file, out


def decisions_of(journal, account):
    """Return an account's decisions as a journal holds them."""
    key = f"youtube:{account}"
    return [
        decision
        for line in journal.read_bytes().splitlines()
        for decision in json.loads(line)["content"]["decisions"]
        if decision["key"] == key
    ]


@pytest.mark.broker
def test_two_workers_and_the_replay_find_the_crossings_worked_out_by_hand(cluster, history, tmp_path):
    book = write_book(tmp_path / "book", p1=(1_000_000, P1), p2=(500_000, P2))
    cluster.publish_book(book)
    file, out = replay(history, book, tmp_path)
    cluster.publish_file(file)
    how = ("--time", "records", "--until", UNTIL, "--stop-at-end")
    workers = [cluster.worker(*how), cluster.worker(*how)]
    for worker in workers:
        worker.wait_exit()
    assert all(worker.owned() for worker in workers), "both had partitions"
    outputs, journal = cluster.outputs(), cluster.export()
    assert outputs == replayed(out, PARTITIONS)
    statuses_are_those_of_the_file(
        statuses_of_topic(cluster.read(topics.STATUS)), statuses_of_file(out / "account-status.jsonl")
    )
    for made in (journal, out / "journal.jsonl"):
        nameplate("verify", made, "--inputs", file)
    assert short(outputs) == sorted(EXPECTED, key=repr)
    crossings_under_an_open_duty_are_journaled_and_silent(journal)
    the_closed_channel_is_nobody_here(journal)


def crossings_under_an_open_duty_are_journaled_and_silent(journal):
    for account, (line, followers) in SILENT_CROSSINGS.items():
        mine = [decision for decision in decisions_of(journal, account) if decision.get("after")]
        over = next(one for one in mine if one["after"]["followers"] >= 1_000_000)
        assert over["cause"]["value"]["event_id"] == f"{FILE}:{line}"
        assert over["after"]["followers"] == followers
        assert over["after"]["obligation"]["phase"] == "p2"
        assert not any(one["outputs"] for one in mine[mine.index(over) :])


def the_closed_channel_is_nobody_here(journal):
    """Below the watch floor, 0.8 of 500,000, it has no row: its zero is a count like any other, and quiet."""
    assert decisions_of(journal, CLOSED) == []


# The closed channel ----------------------------------------------------------------------------------

SEEN_LAST = "2024-01-18T23:05:06Z"  # 144,000; then nothing for 174 days
BACK_AT_ZERO = "2024-07-10T23:04:51Z"  # then 3,790 and, on 12 July, 143,000


def falls(lines, directory):
    """Replay the channel alone under a line that it is over, and return the reasons of what its falls closed."""
    book = write_book(directory / "book", p1=(130_000, "2023-01-01T00:00:00Z"))
    _, out = replay(lines, book, directory)
    closed = [
        (topic, output["effective_at"], {given["code"]: given for given in output["reasons"]})
        for topic in (topics.DISCLOSURE, topics.RESTRICTIONS)
        for output in map(json.loads, (out / f"{topic}.jsonl").read_bytes().splitlines())
        if output.get("why") == "fell-below"
    ]
    return closed, out


def test_a_channel_that_was_closed_and_restored_was_not_purged_by_its_owner(history, tmp_path):
    """Where a duty is open, its zero ends it, and what tells the two is `within_days`.

    The zero is compared with counts of the 30 UTC days before it at most, and the channel had none for 174:
    that followers were lost is said of a fall that was seen, not of what came after a hole.
    """
    lines = [line for line in history if line["value"]["account_id"] == CLOSED]
    closed, out = falls(lines, tmp_path)
    assert [(topic, at) for topic, at, _ in closed] == [
        (topics.DISCLOSURE, BACK_AT_ZERO),
        (topics.RESTRICTIONS, BACK_AT_ZERO),
    ]
    assert all("suspected-purge" not in codes for _, _, codes in closed)
    required = [json.loads(line) for line in (out / f"{topics.DISCLOSURE}.jsonl").read_bytes().splitlines()]
    assert [(one["type"], one["effective_at"]) for one in required] == [
        ("disclosure-required", "2023-04-14T23:04:26Z"),  # seven days after line 2271, the first 130,000
        ("disclosure-cancelled", BACK_AT_ZERO),
        ("disclosure-required", "2024-07-19T23:04:39Z"),  # seven days after line 15066, 143,000 again
    ]
    said = Counter(
        given["code"] for one in decisions_of(out / "journal.jsonl", CLOSED) for given in one["reasons"]
    )
    assert said["suspected-purge"] == 0


@pytest.mark.parametrize(("days", "is_named"), [(1, True), (30, True), (31, False)])
def test_the_same_fall_is_a_suspected_purge_only_within_the_days_of_the_policy(
    history, tmp_path, days, is_named
):
    lines = [line for line in history if line["value"]["account_id"] == CLOSED]
    lines = [line for line in lines if line["value"]["observed_at"] <= SEEN_LAST]
    zero = {**lines[-1]["value"], "event_id": "zero", "followers": 0, "observed_at": shifted(SEEN_LAST, days)}
    closed, _ = falls([*lines, {"topic": topics.COUNTS, "value": zero}], tmp_path)
    assert len(closed) == 2
    for _, _, codes in closed:
        assert ("suspected-purge" in codes) == is_named
        if is_named:
            assert codes["suspected-purge"].items() >= {"highest": 144_000, "followers": 0}.items()
