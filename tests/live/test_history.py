"""A real history through real Kafka and two workers is decided as the replay of its file decides it."""

import gzip
import json
from collections import Counter
from operator import itemgetter

import pytest
from beside import of_shared
from harness import Cluster, nameplate, replayed

from schemas import topics
from schemas.partitioner import partition_of
from streams.policies.load import shipped_book_dir

pytestmark = [pytest.mark.broker, pytest.mark.shared]

FILE = "bilibili-fans.jsonl.gz"
PARTITIONS = 4
UNTIL = "2026-09-01T00:00:00Z"

# The accounts by what their counts do; the instants of the lines are those of the shipped bilibili.toml.
OVER_A = "acct-8288414818"  # over 1,000,000 all the time
OVER_B = "acct-3037d95ea5"  # the same
NEAR = "acct-8959269787"  # 985,990 when phase 2 begins; passes 1,000,000 ten days later
SLIDES = (
    "acct-4cd5146a44"  # passes 500,000 the day before phase 2 begins, peaks at 569,621, slides to 553,760
)
JUMPS = "acct-82edfa224a"  # 488,211 to 503,712 in a day; passes 1,000,000 in December 2025

TOLD_P1 = "2023-10-30T16:00:00Z"  # midnight of 31 October in China: phase 1 begins
TOLD_P2 = "2023-12-21T16:00:00Z"  # midnight of 22 December in China: phase 2 begins
DUE_P1 = "2023-11-09T16:00:00Z"  # ten days later
DUE_P2 = (
    "2023-12-29T03:00:00Z"  # the absolute deadline, seven days off: more than the three that must be left
)
JUMPED = "2024-03-08T15:50:00Z"  # after the absolute deadline, so ten days again
DUE_JUMPED = "2024-03-18T15:50:00Z"


def told(at, account, phase, followers, deadline):
    return [
        (at, account, "disclosure-required", phase, followers, deadline),
        (at, account, "grace-started", deadline),
    ]


def reminded(account, deadline, *days):
    return [(at, account, "grace-reminder", left, deadline) for at, left in days]


def restricted(at, account):
    return [(at, account, "grace-ended", "expired"), (at, account, "restriction-imposed", "no-reply")]


def met(at, account):
    return [(at, account, "grace-ended", "met"), (at, account, "disclosure-met", "displayed")]


BEFORE_P1 = (("2023-11-06T16:00:00Z", 3), ("2023-11-08T16:00:00Z", 1))
BEFORE_P2 = (("2023-12-26T03:00:00Z", 3), ("2023-12-28T03:00:00Z", 1))
BEFORE_JUMPED = (("2024-03-15T15:50:00Z", 3), ("2024-03-17T15:50:00Z", 1))

WITHOUT_FACTS = [
    *told(TOLD_P1, OVER_A, "p1", 1_756_034, DUE_P1),
    *reminded(OVER_A, DUE_P1, *BEFORE_P1),
    *restricted(DUE_P1, OVER_A),
    *told(TOLD_P1, OVER_B, "p1", 1_948_085, DUE_P1),
    *reminded(OVER_B, DUE_P1, *BEFORE_P1),
    *restricted(DUE_P1, OVER_B),
    *told(TOLD_P2, NEAR, "p2", 985_990, DUE_P2),
    *reminded(NEAR, DUE_P2, *BEFORE_P2),
    *restricted(DUE_P2, NEAR),
    *told(TOLD_P2, SLIDES, "p2", 500_735, DUE_P2),
    *reminded(SLIDES, DUE_P2, *BEFORE_P2),
    *restricted(DUE_P2, SLIDES),
    *told(JUMPED, JUMPS, "p2", 503_712, DUE_JUMPED),
    *reminded(JUMPS, DUE_JUMPED, *BEFORE_JUMPED),
    *restricted(DUE_JUMPED, JUMPS),
]

DISPLAYS = [
    (OVER_A, "2023-11-05T08:00:00Z", True),  # within the grace, before the first reminder
    (OVER_B, "2023-12-01T12:00:00Z", True),  # three weeks after the restriction
    (NEAR, "2023-12-15T09:00:00Z", True),  # before anything was asked of it
    (JUMPS, "2024-03-16T10:00:00Z", True),  # within the grace, after the first reminder
    (JUMPS, "2024-06-01T00:00:00Z", False),  # taken down again: 600,393 then
]

DUE_AGAIN = "2024-06-11T00:00:00Z"
WITH_DISPLAYS = [
    *told(TOLD_P1, OVER_A, "p1", 1_756_034, DUE_P1),
    *met("2023-11-05T08:00:00Z", OVER_A),
    *told(TOLD_P1, OVER_B, "p1", 1_948_085, DUE_P1),
    *reminded(OVER_B, DUE_P1, *BEFORE_P1),
    *restricted(DUE_P1, OVER_B),
    ("2023-12-01T12:00:00Z", OVER_B, "disclosure-met", "displayed"),
    ("2023-12-01T12:00:00Z", OVER_B, "restriction-lifted", "displayed"),
    *told(TOLD_P2, SLIDES, "p2", 500_735, DUE_P2),
    *reminded(SLIDES, DUE_P2, *BEFORE_P2),
    *restricted(DUE_P2, SLIDES),
    *told(JUMPED, JUMPS, "p2", 503_712, DUE_JUMPED),
    *reminded(JUMPS, DUE_JUMPED, BEFORE_JUMPED[0]),
    *met("2024-03-16T10:00:00Z", JUMPS),
    *told("2024-06-01T00:00:00Z", JUMPS, "p2", 600_393, DUE_AGAIN),
    *reminded(JUMPS, DUE_AGAIN, ("2024-06-08T00:00:00Z", 3), ("2024-06-10T00:00:00Z", 1)),
    *restricted(DUE_AGAIN, JUMPS),
]

SAID = {
    "disclosure-required": ("phase", "followers", "deadline_at"),
    "grace-started": ("deadline_at",),
    "grace-reminder": ("days_left", "deadline_at"),
    "grace-ended": ("outcome",),
    "disclosure-met": ("by",),
    "restriction-imposed": ("why",),
    "restriction-lifted": ("why",),
}


@pytest.fixture(scope="module")
def history():
    """Return the file's lines as replay lines, the event named by file and line."""
    with gzip.open(of_shared("data", FILE), "rt", encoding="utf-8") as file:
        return [
            {"topic": topics.COUNTS, "value": {"event_id": f"{FILE}:{number}", **json.loads(line)}}
            for number, line in enumerate(file, 1)
        ]


def display(number, account, at, displayed):
    value = {"event_id": f"display-{number}", "platform": "bilibili", "account_id": account}
    value |= {"occurred_at": at, "type": "name-display-changed", "displayed": displayed}
    return {"topic": topics.FACTS, "value": value}


def instant_of(line):
    return line["value"].get("occurred_at") or line["value"]["observed_at"]


@pytest.fixture
def with_displays(history):
    """Return the history with the facts in their places: at one instant facts come before counts."""
    facts = [display(number, *said) for number, said in enumerate(DISPLAYS)]
    return sorted([*facts, *history], key=instant_of)


def short(outputs):
    """Return outputs of all topics and partitions as the lists above say them, in no order."""
    found = []
    for values in outputs.values():
        for records in values.values():
            for record in map(json.loads, records):
                said = (record[name] for name in SAID[record["type"]])
                found.append((record["effective_at"], record["account_id"], record["type"], *said))
    return sorted(found, key=repr)


def statuses_of_file(path):
    """Return by account what its status was, one after the other, without the entries' numbers."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        status = json.loads(line)
        key = status["key"] if "key" in status else f"{status['platform']}:{status['account_id']}"
        value = None if "key" in status else {name: said for name, said in status.items() if name != "entry"}
        found.setdefault(partition_of(key.encode(), PARTITIONS), {}).setdefault(key, []).append(value)
    return found


def statuses_of_topic(partitions):
    """Return the same of a topic, where a copy may follow a takeover."""
    found = {}
    for number, records in partitions.items():
        seen = set()
        for record in records:
            status = json.loads(record.value) if record.value is not None else None
            if status is not None:
                assert dict(record.headers)["nameplate-entry"] == b"%d" % status["entry"]
            if status is not None and (record.key, record.value) in seen:
                continue
            seen.add((record.key, record.value))
            value = status and {name: said for name, said in status.items() if name != "entry"}
            found.setdefault(number, {}).setdefault(record.key.decode(), []).append(value)
    return found


def statuses_are_those_of_the_file(found, wanted):
    """Hold the statuses against the file's, but for those that say the last one again at a later `as_of`.

    An owner writes a status again where it doubts what stands in the topic after a takeover.
    """
    assert {number: set(keys) for number, keys in found.items()} == {
        number: set(keys) for number, keys in wanted.items()
    }
    for number, keys in found.items():
        for key, said in keys.items():
            expected, kept = wanted[number][key], []
            for status in said:
                is_next = status in expected[len(kept) : len(kept) + 1]
                if is_next or not (kept and is_said_again(kept[-1], status)):
                    kept.append(status)
            assert kept == expected, key


def is_said_again(status, later):
    return (
        status is not None
        and later is not None
        and later["as_of"] > status["as_of"]
        and {**later, "as_of": status["as_of"]} == status
    )


class Decided:
    """What two workers left in the topics of a history, and what the replay left in its files."""

    def __init__(self, cluster, lines):
        directory = cluster.directory
        self.file, self.replayed = directory / "history.jsonl", directory / "replayed"
        self.file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        cluster.publish_book(shipped_book_dir())
        cluster.publish_file(self.file)
        history = ("--time", "records", "--until", UNTIL, "--stop-at-end")
        self.workers = [cluster.worker(*history), cluster.worker(*history)]
        nameplate("replay", self.file, "--partitions", PARTITIONS, "--until", UNTIL, "--out", self.replayed)
        for worker in self.workers:
            worker.wait_exit()
        self.outputs = cluster.outputs()
        self.journal = cluster.export()
        self.status = cluster.read(topics.STATUS)

    def decisions(self):
        for line in self.journal.read_bytes().splitlines():
            yield from json.loads(line)["content"]["decisions"]

    def is_as_replayed(self):
        """Hold the topics against the files, byte for byte, and let the auditor derive both journals again."""
        assert self.outputs == replayed(self.replayed, PARTITIONS)
        wanted = statuses_of_file(self.replayed / "account-status.jsonl")
        statuses_are_those_of_the_file(statuses_of_topic(self.status), wanted)
        nameplate("verify", self.journal)
        for journal in (self.journal, self.replayed / "journal.jsonl"):
            nameplate("verify", journal, "--inputs", self.file)
        return True


@pytest.fixture
def decide(broker, prefix, tmp_path):
    clusters = []

    def run(lines):
        clusters.append(Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS))
        return Decided(clusters[0], lines)

    yield run
    for cluster in clusters:
        cluster.close()


def test_two_workers_decide_a_real_history_as_its_replay_does(decide, history):
    decided = decide(history)
    assert all(worker.owned() for worker in decided.workers), "both had partitions"
    assert set.union(*(worker.owned() for worker in decided.workers)) == set(range(PARTITIONS))
    assert decided.is_as_replayed()
    assert short(decided.outputs) == sorted(WITHOUT_FACTS, key=repr)
    assert Counter(kind for _, _, kind, *_ in short(decided.outputs)) == {
        "disclosure-required": 5,
        "grace-started": 5,
        "grace-reminder": 10,
        "grace-ended": 5,
        "restriction-imposed": 5,
    }
    crossings_of_a_million_are_journaled_and_silent(decided)


def crossings_of_a_million_are_journaled_and_silent(decided):
    """A further line, reached while an obligation stands, is known and opens no second one."""
    for account, line, followers in ((NEAR, 3327, 1_002_239), (JUMPS, 9850, 1_000_244)):
        key = f"bilibili:{account}"
        mine = [
            decision for decision in decided.decisions() if decision["key"] == key and decision.get("after")
        ]
        over = [decision for decision in mine if decision["after"]["followers"] >= 1_000_000]
        assert over[0]["cause"]["value"]["event_id"] == f"{FILE}:{line}"
        assert over[0]["after"]["followers"] == followers
        assert over[0]["after"]["obligation"]["phase"] == "p2"
        assert [decision["outputs"] for decision in over] == [[]] * len(over)
        assert (
            max(map(itemgetter("followers"), (one["after"] for one in mine[: mine.index(over[0])])))
            < 1_000_000
        )


def test_display_facts_meet_lift_and_prevent_duties_of_a_real_history(decide, with_displays):
    decided = decide(with_displays)
    assert decided.is_as_replayed()
    assert short(decided.outputs) == sorted(WITH_DISPLAYS, key=repr)
    stages = {}
    for records in decided.status.values():
        for record in records:
            stages[record.key.decode().partition(":")[2]] = json.loads(record.value)["stage"]
    assert {account: stages[account] for account in (OVER_A, OVER_B, NEAR, SLIDES, JUMPS)} == {
        OVER_A: "met",
        OVER_B: "met",
        NEAR: "clear",  # displayed before anything was asked: there was no duty to meet
        SLIDES: "restricted",
        JUMPS: "restricted",
    }
