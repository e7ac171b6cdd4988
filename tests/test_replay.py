"""The replay as an operator meets it: what is refused and how, where T goes, and the form of what comes out."""

import gzip
import json
import sys

import pytest
from builders import book_tables, day, phase_tables, policy_tables
from worlds import toml

from schemas import topics
from schemas.instant import text
from schemas.partitioner import partition_of
from schemas.wire import canonical, sha256_hex
from streams import cli
from streams.policies.load import load_book
from streams.replay.run import RUN_RECORDS
from streams.verify import read_journal
from streams.verify_inputs import check_inputs

ACCOUNTS = tuple(f"acc-{letter}" for letter in "abcdefgh")
TOPICS = ("disclosure-required", "grace-periods", "restrictions")


# Lines -----------------------------------------------------------------------------------------------


def counted(followers, at, account="acc-a", **more):
    value = {"event_id": f"{account}-{at}-{followers}", "platform": "weibo", "account_id": account}
    value |= {"followers": followers, "observed_at": text(day(at))}
    return {"topic": "follower-counts", "value": value, **more}


def shown(displayed, at, account="acc-a"):
    value = {
        "event_id": f"{account}-{at}",
        "platform": "weibo",
        "account_id": account,
        "occurred_at": text(day(at)),
    }
    return {
        "topic": "account-facts",
        "value": value | {"type": "name-display-changed", "displayed": displayed},
    }


def tick(at, **more):
    return {"topic": "clock", "value": {"at": text(day(at))}, **more}


def published(**overrides):
    """Return the line of a book, with another threshold or another grace."""
    tables = book_tables(policy_tables(phase=[phase_tables(**overrides)]))
    return {"topic": "policy-book", "value": {"book": tables, "hash": sha256_hex(canonical(tables))}}


def hash_of(line):
    return line["value"]["hash"]


class Room:
    """A directory with a policy directory, input files and outputs, and the command to run on them."""

    def __init__(self, directory, monkeypatch, capsys):
        self.directory, self._monkeypatch, self._capsys = directory, monkeypatch, capsys
        self.policies, self.out = directory / "policies", directory / "out"
        self.write_policies()

    def write_policies(self, **overrides):
        self.policies.mkdir(exist_ok=True)
        phase = {
            "id": "p1",
            "threshold": 1000,
            "op": ">=",
            "from": "2023-10-31T00:00:00Z",
            "grace": {"days": 10},
        }
        tables = {"platform": "weibo", "version": "2024-01-01.1", "phase": [{**phase, **overrides}]}
        (self.policies / "weibo.toml").write_text(toml(tables), "utf-8")

    def file(self, *lines, name="input.jsonl"):
        path = self.directory / name
        path.write_text(
            "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), "utf-8"
        )
        return path

    def run(self, *arguments, under=True):
        """Run the command; return its exit status and all that it said."""
        chosen = ("--policies", self.policies) if under else ()
        argv = ["nameplate", "replay", *arguments, "--out", self.out, *chosen]
        self._monkeypatch.setattr(sys, "argv", [*map(str, argv)])
        self._monkeypatch.setenv("COLUMNS", "400")
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        else:
            code = 0
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def done(self, *lines, more=(), **options):
        """Run the command on lines, expecting no complaint; return the outputs in short."""
        code, said = self.run(self.file(*lines), *more, **options)
        assert code == 0, said
        return self.short()

    def refused(self, *lines, more=()):
        code, said = self.run(self.file(*lines), *more)
        assert code == 2, said
        return said

    def records(self, topic):
        return [json.loads(line) for line in (self.out / f"{topic}.jsonl").read_bytes().splitlines()]

    def short(self):
        return [
            (record["type"], record["account_id"], record["effective_at"], record["decided_at"])
            for topic in TOPICS
            for record in self.records(topic)
        ]

    def last_T(self):
        return {content["partition"]: content["T"] for content in self.contents()}

    def contents(self):
        return [entry["content"] for entry in self.records("journal")]


@pytest.fixture
def room(tmp_path, monkeypatch, capsys):
    return Room(tmp_path, monkeypatch, capsys)


def told(at, account="acc-a"):
    return [
        (kind, account, text(day(at)), text(day(at))) for kind in ("disclosure-required", "grace-started")
    ]


def restricted(at, decided=None, account="acc-a"):
    decided = text(day(at if decided is None else decided))
    return [(kind, account, text(day(at)), decided) for kind in ("grace-ended", "restriction-imposed")]


# The operator's mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"topic": "counts", "value": {}}, "follower-counts"),
        ({"topic": "journal", "value": {}}, "follower-counts"),
        ({"topic": "nameplate.follower-counts.v1", "value": {}}, "follower-counts"),
        ({"value": {}}, "topic"),
        ({"topic": "clock"}, "value or raw_base64"),
        ({"topic": "follower-counts", "value": {}, "offset": -1}, "offset"),
        ({"topic": "follower-counts", "value": {}, "partition": "0"}, "partition"),
        ("no line\n", "no JSON"),
    ],
)
def test_a_line_that_is_none_is_refused_by_file_and_line(room, line, why):
    said = room.refused(counted(900, 0), counted(901, 1), line)
    assert "input.jsonl, line 3:" in said
    assert why in said
    assert "Traceback" not in said


def test_offsets_must_rise_within_a_topic_and_a_partition(room):
    for again in (7, 6, 0):
        said = room.refused(
            counted(900, 0, offset=3), counted(900, 0.1, offset=7), counted(901, 1, offset=again)
        )
        assert "input.jsonl, line 3:" in said
        assert f"offset {again} " in said
        assert "offset 7" in said
    said = room.refused(counted(900, 0, offset=3), counted(901, 1), counted(902, 2, offset=4))
    assert "input.jsonl, line 3:" in said, "the second line has offset 4"
    room.done(counted(900, 0, offset=3), counted(901, 1), counted(902, 2, offset=9), shown(True, 3))
    assert room.contents()[-1]["positions"] == {
        "follower-counts": 10,
        "account-facts": 1,
        "policy-book": 1,
        "clock": 0,
    }


def test_offsets_are_those_of_each_partition(room):
    said = room.done(
        counted(900, 0, offset=5, partition=0),
        counted(900, 0, "acc-b", offset=2, partition=1),
        more=("--partitions", 2),
    )
    assert said == []


@pytest.mark.parametrize(("partitions", "named"), [(1, 1), (1, 5), (3, 3)])
def test_a_partition_that_is_not_there_is_refused(room, partitions, named):
    for line in (counted(901, 1, partition=named), tick(2, partition=named)):
        first = tick(0) if line["topic"] == "clock" else counted(900, 0)
        said = room.refused(first, line, more=("--partitions", partitions))
        assert "input.jsonl, line 2:" in said
        assert f"--partitions {named + 1}" in said


def test_with_clock_lines_the_first_line_must_be_one(room):
    said = room.refused(counted(900, 0), tick(1), counted(901, 1))
    assert "input.jsonl, line 1:" in said
    assert "clock line" in said
    first, other = room.file(counted(900, 0), name="a.jsonl"), room.file(tick(1), name="b.jsonl")
    code, said = room.run(first, other)
    assert (code, "a.jsonl, line 1:" in said) == (2, True)
    code, said = room.run(other, first)
    assert code == 0, said


def test_a_clock_line_that_cannot_be_read_is_one_all_the_same(room):
    room.done({"topic": "clock", "value": {"at": "noon"}}, tick(2), counted(1100, 1))
    assert [(one["code"], one["at"]) for one in room.records("dead-letters")] == [("ill-formed", None)]
    assert room.contents()[0]["time"] == "clock"


def test_files_and_instants_that_are_none_are_refused(room):
    path = room.file(counted(900, 0))
    for arguments, why in (
        ((room.directory / "none.jsonl",), "none.jsonl"),
        ((path, "--until", "soon"), "--until soon"),
        ((path, "--until", "2024-01-01"), "--until 2024-01-01"),
        ((path, "--until", "2024-01-01T00:00:00"), "--until"),
        ((path, "--policies", room.directory / "none"), "none"),
    ):
        code, said = room.run(*arguments, under="--policies" not in arguments)
        assert code == 2, said
        assert why in said
    assert room.run(path, "--partitions", 0)[0] == 2


# Dead letters are the sender's -----------------------------------------------------------------------


def test_what_cannot_be_read_is_a_dead_letter_and_no_mistake(room):
    raw = {"topic": "follower-counts", "raw_base64": "/w=="}
    wrong = {"topic": "follower-counts", "value": {"followers": 1.0}}
    empty = {"topic": "account-facts", "value": None, "key": "weibo:acc-a"}
    room.done(counted(900, 0), raw, wrong, empty, counted(1100, 1))
    letters = {
        (one["topic"], one["offset"], one["bytes"], one["code"]) for one in room.records("dead-letters")
    }
    assert letters == {
        ("follower-counts", 1, 1, "not-utf8"),
        ("follower-counts", 2, len('{"followers": 1.0}'), "missing-field"),
        ("account-facts", 0, 0, "null-value"),
    }
    assert {one["at"] for one in room.records("dead-letters")} == {text(day(0))}


# --until ---------------------------------------------------------------------------------------------


def test_without_until_the_time_stays_where_the_records_leave_it(room):
    assert room.done(counted(1100, 0)) == told(0)
    assert room.last_T() == {0: text(day(0))}


@pytest.mark.parametrize(("until", "is_over"), [(9.999, False), (10, True), (40, True)])
def test_until_decides_what_is_due_at_or_before_it_each_at_its_instant(room, until, is_over):
    outputs = room.done(counted(1100, 0), more=("--until", text(day(until))))
    assert sorted(outputs) == sorted(told(0) + (restricted(10) if is_over else []))
    assert room.last_T() == {0: text(day(until))}


def test_until_says_the_same_with_an_offset(room):
    room.done(counted(1100, 0), more=("--until", "2024-01-11T08:00:00+08:00"))
    assert room.last_T() == {0: text(day(10))}


def test_until_before_the_last_record_has_no_effect(room):
    outputs = room.done(counted(1100, 0), counted(1100, 12), more=("--until", text(day(3))))
    assert sorted(outputs) == sorted(told(0) + restricted(10))
    assert room.last_T() == {0: text(day(12))}


def test_until_reaches_every_partition_without_records_too(room):
    room.done(counted(1100, 0), more=("--until", text(day(3)), "--partitions", 4))
    assert room.last_T() == dict.fromkeys(range(4), text(day(3)))


def test_with_clock_lines_until_is_one_more_tick(room):
    """Only ticks move T: what is due in between is decided at the new T."""
    outputs = room.done(tick(0), counted(1100, 0), more=("--until", text(day(12))))
    assert sorted(outputs) == sorted(told(0) + restricted(10, 12))
    assert room.done(tick(0), counted(1100, 0.5), more=("--until", text(day(-3)))) == told(0)
    assert room.last_T() == {0: text(day(0))}


def test_with_clock_lines_records_move_nothing(room):
    outputs = room.done(tick(0), counted(1100, 0), counted(1100, 0.9), tick(11), counted(1200, 11))
    assert sorted(outputs) == sorted(told(0) + restricted(10, 11))


def test_a_clock_line_of_one_partition_moves_that_one(room):
    lines = [tick(0), *(counted(1100, 0, account) for account in ACCOUNTS), tick(20, partition=1)]
    outputs = room.done(*lines, more=("--partitions", 2))
    late = [account for account in ACCOUNTS if partition_of(f"weibo:{account}".encode(), 2) == 1]
    assert 0 < len(late) < len(ACCOUNTS)
    assert {account for kind, account, *_ in outputs if kind == "restriction-imposed"} == set(late)
    assert room.last_T() == {0: text(day(0)), 1: text(day(20))}


# Policy books ----------------------------------------------------------------------------------------


def test_a_file_may_bring_its_own_book(room):
    """Without --policies its books are the only ones, and nothing is decided before the first."""
    first = published(threshold=1000)
    outputs = room.done(counted(5000, 0, "acc-b"), first, counted(1100, 1), under=False)
    assert outputs == told(1)
    assert {record["book"] for record in room.records("disclosure-required")} == {hash_of(first)}
    assert [content["book"] for content in room.contents()][-1] == hash_of(first)
    assert not {decision["key"] for content in room.contents() for decision in content["decisions"]} & {
        "weibo:acc-b"
    }


def test_the_policies_named_come_before_the_first_line_and_books_of_the_file_after(room):
    """The second book halves the grace of new duties; the one told before keeps its deadline."""
    second = published(grace={"days": 5})
    outputs = room.done(
        counted(1100, 0),
        counted(900, 0, "acc-b"),
        second,
        counted(1100, 1, "acc-b"),
        more=("--until", text(day(20))),
    )
    assert sorted(outputs) == sorted(
        told(0) + restricted(10) + told(1, "acc-b") + restricted(6, account="acc-b")
    )
    books = {record["account_id"]: record["book"] for record in room.records("disclosure-required")}
    assert books == {"acc-a": load_book(room.policies).hash, "acc-b": hash_of(second)}
    adopted = [
        one["cause"]["book"]
        for content in room.contents()
        for one in content["decisions"]
        if "tables" in one["cause"]
    ]
    assert adopted == [load_book(room.policies).hash, hash_of(second)]


def test_a_new_book_is_decided_at_once_for_every_account_of_every_partition(room):
    lines = [counted(900, 0, account) for account in ACCOUNTS]
    outputs = room.done(*lines, published(threshold=900), more=("--partitions", 3))
    assert sorted(outputs) == sorted(one for account in ACCOUNTS for one in told(0, account))


def test_a_book_that_is_wrong_is_a_dead_letter_of_every_partition(room):
    wrong = published()
    wrong["value"]["hash"] = "0" * 64
    outputs = room.done(wrong, counted(1100, 0), more=("--partitions", 3))
    assert outputs == told(0)
    letters = [
        (one["topic"], one["partition"], one["offset"], one["code"]) for one in room.records("dead-letters")
    ]
    assert sorted(letters) == [("policy-book", number, 1, "ill-formed") for number in range(3)]


def test_a_book_published_twice_is_adopted_once(room):
    book = published()
    room.done(book, book, counted(1100, 0), book, under=False)
    adopted = [one for content in room.contents() for one in content["decisions"] if "tables" in one["cause"]]
    assert len(adopted) == 1
    assert room.contents()[-1]["positions"]["policy-book"] == 3


# Several partitions ----------------------------------------------------------------------------------


def month():
    """Return a month of eight accounts in which everything happens that a count or a display can do."""
    lines = [counted(900 + number, 0, account) for number, account in enumerate(ACCOUNTS)]
    lines += [counted(1000 + 7 * number, 1 + number / 8, account) for number, account in enumerate(ACCOUNTS)]
    lines += [
        shown(True, 4, "acc-b"),
        shown(True, 13, "acc-c"),
        counted(700, 6, "acc-d"),
        counted(650, 14, "acc-e"),
    ]
    lines += [
        shown(False, 15, "acc-b"),
        counted(1300, 16, "acc-d"),
        {"topic": "follower-counts", "value": {}},
    ]
    return [*lines, counted(1049, 18, "acc-f")]


def of_accounts(room):
    found = {}
    for topic in TOPICS:
        for record in room.records(topic):
            said = {name: value for name, value in record.items() if name not in ("seq", "partition")}
            found.setdefault((topic, record["account_id"]), []).append(said)
    for status in room.records("account-status"):
        said = {name: value for name, value in status.items() if name != "entry"}
        found.setdefault(("status", status["account_id"]), []).append(said)
    return found


def test_the_number_of_partitions_changes_nothing_but_where_a_record_stands(room):
    found = []
    for partitions in (1, 2, 3, 7):
        room.done(*month(), more=("--partitions", partitions, "--until", text(day(40))))
        found.append(of_accounts(room))
        for topic in TOPICS:
            numbers = {}
            for record in room.records(topic):
                key = f"{record['platform']}:{record['account_id']}".encode()
                assert record["partition"] == partition_of(key, partitions)
                numbers.setdefault(record["partition"], []).append(record["seq"])
            assert all(seqs == list(range(len(seqs))) for seqs in numbers.values()), "dense from 0"
    assert all(one == found[0] for one in found[1:])
    kinds = {record["type"] for topic, _ in found[0] if topic != "status" for record in found[0][topic, _]}
    assert {"disclosure-met", "disclosure-cancelled", "restriction-imposed", "restriction-lifted"} <= kinds


def test_a_book_between_the_lines_is_adopted_at_one_instant_by_every_partition(room):
    """One T for all partitions: also for those whose own records lie behind."""
    found = []
    for partitions in (1, 3):
        room.done(
            *month(), published(threshold=1050), more=("--partitions", partitions, "--until", text(day(40)))
        )
        adopted = [
            (one["T"], one["cause"]["book"])
            for content in room.contents()
            for one in content["decisions"]
            if "tables" in one["cause"]
        ]
        assert [at for at, _ in adopted] == [None] * partitions + [text(day(18))] * partitions
        found.append(of_accounts(room))
    assert found[0] == found[1]


def test_a_replay_is_the_same_bytes_every_time(room):
    found = []
    for _ in range(2):
        room.done(*month(), more=("--partitions", 3, "--until", text(day(40))))
        found.append({path.name: path.read_bytes() for path in room.out.iterdir()})
    assert found[0] == found[1]


# The forms of what comes out -------------------------------------------------------------------------


def test_there_is_one_file_for_each_topic_that_leaves(room):
    room.done()
    names = (*TOPICS, "journal", "account-status", "dead-letters")
    assert {path.name for path in room.out.iterdir()} == {f"{name}.jsonl" for name in names}
    assert set(names) == {*topics.OUTPUTS, topics.JOURNAL, topics.STATUS, topics.DEAD_LETTERS}


def test_every_line_is_canonical_json(room):
    room.done(*month(), more=("--partitions", 2, "--until", text(day(40))))
    for path in room.out.iterdir():
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert lines, path.name
        assert [canonical(json.loads(line)) for line in lines] == lines, path.name


def test_a_forgotten_row_leaves_a_tombstone(room):
    """A row of counts alone, below the watch floor of 800 and 30 days old, goes with the account's next record."""
    room.done(counted(900, 0), counted(100, 1), counted(120, 31), counted(120, 31.1))
    statuses = (room.out / "account-status.jsonl").read_bytes().splitlines()
    assert [json.loads(one).get("followers") for one in statuses[:2]] == [900, 100]
    assert statuses[2:] == [b'{"key":"weibo:acc-a","value":null}']
    last = [one for content in room.contents() for one in content["decisions"]][-1]
    assert last["after"] is None


def test_a_gz_file_and_its_text_are_one(room):
    path = room.file(*month())
    room.done(*month())
    plain = {one.name: one.read_bytes() for one in room.out.iterdir()}
    packed = room.directory / "input.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert room.run(packed)[0] == 0
    assert {one.name: one.read_bytes() for one in room.out.iterdir()} == plain


def test_the_listing_counts_the_records_of_each_topic(room):
    code, said = room.run(room.file(counted(1100, 0)), "--format", "json")
    assert code == 0
    listed = {row["topic"]: row["records"] for row in json.loads(said)}
    assert listed == {name: len(room.records(name)) for name in listed}
    assert listed["disclosure-required"] == 1


@pytest.mark.parametrize("partitions", [1, 3])
def test_counts_in_blocks_are_decided_as_one_by_one(room, partitions):
    lines = [counted(900 + n * 7_919 % 200, n / 900, account=f"acc-{n % 17}") for n in range(9_000)]
    lines[8_000:8_000] = [lines[10], shown(displayed=True, at=9, account="acc-3")]  # and one that goes back
    # what nobody knows moves no time, however late it is, nor does what cannot be read
    unknown = counted(5, 25, account="acc-far")
    unknown["value"]["platform"] = "nowhere"
    lines[6_000:6_000] = [counted(1.5, 25, account="acc-odd")]
    lines[4_000:4_000] = [unknown]
    written = [json.dumps(line) + "\n" for line in lines]
    more = ("--partitions", partitions, "--until", "2024-02-01T00:00:00Z")
    code, said = room.run(room.file(*written), *more)
    assert code == 0, said
    journal = [room.out / "journal.jsonl", room.file(*written)]
    check_inputs(list(read_journal(journal[0])), [journal[1]])
    blocks, outputs = by_partition(room.contents()), sorted(room.short())
    one_by_one = [{**line, "key": "{platform}:{account_id}".format_map(line["value"])} for line in lines]
    code, said = room.run(room.file(*one_by_one), *more)
    assert code == 0, said
    assert len(outputs) > 50
    assert (by_partition(room.contents()), sorted(room.short())) == (blocks, outputs)


def test_a_run_of_quiet_counts_ends_where_it_would_if_they_came_one_by_one(room):
    # every now and then one goes back, behind a T that its own partition or another has moved
    lines = [counted(5, n / 900 - 0.01 * (n % 50 == 49), account=f"acc-{n % 17}") for n in range(1_000)]
    assert room.done(*lines, more=("--partitions", 3)) == []
    blocks = by_partition(room.contents())
    one_by_one = [{**line, "key": "{platform}:{account_id}".format_map(line["value"])} for line in lines]
    assert room.done(*one_by_one, more=("--partitions", 3)) == []
    assert by_partition(room.contents()) == blocks
    assert max(len(content["runs"]) for content in room.contents()) > 5


def test_a_line_that_says_more_may_follow_a_run_that_is_full(room):
    lines = [counted(5, n / 900, account=f"acc-{n % 17}") for n in range(RUN_RECORDS + 1)]
    assert (
        room.done(*lines[:-1], {**lines[-1], "key": "weibo:{account_id}".format_map(lines[-1]["value"])})
        == []
    )
    runs = [run[:3] for content in room.contents() for run in content["runs"]]
    full = ["follower-counts", 0, RUN_RECORDS]
    assert runs == [["policy-book", 0, 1], full, ["follower-counts", RUN_RECORDS, RUN_RECORDS + 1]]


def by_partition(contents):
    found = {}
    for content in contents:
        found.setdefault(content["partition"], []).append(content)
    return found
