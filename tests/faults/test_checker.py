"""The checker finds nothing in a good dump, and each violation that is planted into one."""

import ast
import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.partitioner import partition_of
from schemas.wire import canonical
from streams.policies.load import load_book
from streams.replay.run import replay

from .checker import INVARIANTS, audit, check
from .checker_dump import ALL, OUTPUTS, Dump, Record, read, write
from .checker_journal import Rows, judged
from .checker_outputs import accepted_outputs
from .poison import CANARIES
from .population import Population, Sent, write_book

PARTITIONS = 2
BEGINS = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = 120
PLATFORMS = 12

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """Two minutes of a population in wall time, decided by `replay`, as a dump."""
    directory = tmp_path_factory.mktemp("good")
    book = load_book(write_book(directory / "book", BEGINS, timedelta(seconds=1), PLATFORMS))
    dump = Dump({topic: {number: [] for number in range(PARTITIONS)} for topic in ALL}, {})
    dump.topics["policy-book"] = {
        0: [Record(0, None, canonical({"book": book.tables, "hash": book.hash}), 0, 1)]
    }
    lines = arrive(dump)
    file = directory / "inputs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    replay([file], book, until=None, partitions=PARTITIONS, out=directory / "out")
    take_in(dump, directory / "out")
    dump.ends = {
        topic: {number: (0, len(records)) for number, records in partitions.items()}
        for topic, partitions in dump.topics.items()
    }
    dump.world = {"time": "clock", "until": None, "is_at_rest": True, "book": str(directory / "book")}
    return dump


def arrive(dump: Dump) -> Lines:
    """Let records and ticks arrive; return them as lines of a file."""
    population, lines = Population(5, BEGINS, timedelta(seconds=1), PLATFORMS, odd=2), []
    for second in range(SECONDS):
        now = BEGINS + timedelta(seconds=second)
        tick = canonical({"at": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
        sent = [(number, Sent("clock", None, tick)) for number in range(PARTITIONS)]
        drawn = [population.draw(now) for _ in range(8)]
        sent += [(partition_of(one.key or b"", PARTITIONS), one) for one in drawn]
        for number, one in sent:
            records = dump.topics[one.topic][number]
            arrived = round(now.timestamp() * 1000) + 40
            records.append(Record(len(records), one.key, one.value, arrived, 1))
            line = {"topic": one.topic, "partition": number, "offset": len(records) - 1}
            line |= {"timestamp": arrived, "timestamp_type": 1}
            line["key"] = None if one.key is None else one.key.decode("utf-8", "surrogateescape")
            raw = one.value
            lines.append(
                line | ({"value": None} if raw is None else {"raw_base64": base64.b64encode(raw).decode()})
            )
    return lines


def take_in(dump: Dump, out: Path) -> None:
    """Put what a replay wrote into the topics, and the rows that its journal tells into the table."""
    for topic in (*OUTPUTS, "journal", "dead-letters"):
        for raw in (out / f"{topic}.jsonl").read_bytes().splitlines():
            said = json.loads(raw)
            number = said["content"]["partition"] if topic == "journal" else said["partition"]
            records = dump.topics[topic][number]
            headers = [("ce_id", said["id"].encode())] if topic in OUTPUTS else []
            records.append(Record(len(records), None, raw, 0, 0, headers))
    rewritten(dump, named)  # the auditor looks at the journal of a replay in another way
    for number, records in judged(dump).items():
        rows = Rows()
        for one in records:
            for decision in one.decisions:
                if "after" in decision:
                    rows.change(decision["key"], decision["after"])
        table = dump.topics["rows-changelog"][number]
        for key, packed in rows.packed.items():
            table.append(Record(len(table), key.encode(), packed, 0, 0))
        head = canonical({"hash": records[-1].hash, "offset": len(records)})
        table.append(Record(len(table), b"head", head, 0, 0))


def test_nothing_is_found_in_a_good_dump_and_it_has_everything_in_it(good: Dump, tmp_path: Path) -> None:
    write(good, tmp_path)
    found = check(read(tmp_path))
    assert found.violations == {name: [] for name in INVARIANTS}
    assert audit(good, tmp_path) == []
    assert found.counts["obligations"] > 50
    assert found.counts["restrictions"] > 5
    assert found.counts["deadlines"] > 20
    assert found.counts["dead"] > 30
    assert found.counts["rows"] > 50


# Planting ----------------------------------------------------------------------------------------


def copy(dump: Dump) -> Dump:
    """Return a copy whose lists may be changed."""
    topics = {
        topic: {n: list(records) for n, records in found.items()} for topic, found in dump.topics.items()
    }
    ends = {topic: dict(found) for topic, found in dump.ends.items()}
    return dataclasses.replace(dump, topics=topics, ends=ends, world=dict(dump.world), logs=dict(dump.logs))


def rewritten(dump: Dump, change: Callable[[dict[str, Any]], bool]) -> None:
    """Offer every entry to `change`, which says whether it changed it, and chain all of them anew."""
    was_changed = False
    for records in dump.topics["journal"].values():
        before = "0" * 64
        for place, record in enumerate(records):
            said = json.loads(record.value or b"")
            was_changed = change(said) or was_changed
            said["prev"] = before
            records[place] = record._replace(value=sealed(said))
            before = hashlib.sha256(records[place].value or b"").hexdigest()
    assert was_changed


def named(said: dict[str, Any]) -> bool:
    said["writer"] = "a-worker"
    return True


def first(change: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    """Return a change that changes one entry only."""
    done: list[bool] = []

    def once(said: dict[str, Any]) -> bool:
        if not done and change(said):
            done.append(True)
            return True
        return False

    return once


def sealed(said: dict[str, Any]) -> bytes:
    """Return the bytes of an entry with a seal that fits."""
    body = {name: value for name, value in said.items() if name != "seal"}
    return canonical({**body, "seal": hashlib.sha256(canonical(body)).hexdigest()})


def saying(kinds: tuple[str, ...], **changes: Any) -> Callable[[dict[str, Any]], bool]:
    """Return a change of all outputs of some types."""

    def change(said: dict[str, Any]) -> bool:
        outputs = [one for decision in said["content"]["decisions"] for one in decision["outputs"]]
        changed = [one for one in outputs if one["type"] in kinds]
        for one in changed:
            one.update(changes)
        return bool(changed)

    return change


def content(**changes: Callable[[Any], Any]) -> Callable[[dict[str, Any]], bool]:
    """Return a change of an entry's content, of one in the middle."""

    def change(said: dict[str, Any]) -> bool:
        if said["n"] < 40:
            return False
        said["content"] |= {name: how(said["content"][name]) for name, how in changes.items()}
        return True

    return change


def another_book(dump: Dump, directory: Path) -> None:
    changed = directory / "book"
    changed.mkdir()
    for file in Path(dump.world["book"]).glob("*.toml"):
        (changed / file.name).write_text(file.read_text("utf-8").replace('op = ">="', 'op = ">"'), "utf-8")
    dump.world["book"] = str(changed)


def an_output_nobody_was_told(dump: Dump, _: Path) -> None:
    def change(said: dict[str, Any]) -> bool:
        for decision in said["content"]["decisions"]:
            if decision["outputs"]:
                decision["outputs"].pop()
                return True
        return False

    rewritten(dump, first(change))


def another_payload(dump: Dump, _: Path) -> None:
    records = dump.topics["grace-periods"][0]
    said = json.loads(records[3].value or b"")
    records.append(records[3]._replace(offset=len(records), value=canonical({**said, "phase": "p9"})))


def a_wrong_id(dump: Dump, _: Path) -> None:
    records = dump.topics["restrictions"][0]
    said = json.loads(records[0].value or b"")
    records[0] = records[0]._replace(value=canonical({**said, "id": "0" * 32}))


def a_second_obligation(dump: Dump, _: Path) -> None:
    rewritten(
        dump,
        first(
            saying(
                ("disclosure-met", "disclosure-cancelled"), type="disclosure-required", obligation_id="f" * 32
            )
        ),
    )


def a_later_deadline(dump: Dump, _: Path) -> None:
    graces = ("grace-started", "grace-resumed", "grace-extended")
    rewritten(dump, saying(graces, deadline_at="2027-01-01T00:00:00Z"))


def a_restriction_without_notice(dump: Dump, _: Path) -> None:
    rewritten(dump, first(saying(("restriction-imposed",), obligation_id="e" * 32)))


def a_restriction_of_one_who_complied(dump: Dump, _: Path) -> None:
    """An early fact about the account, which the journal has taken, said that its name is displayed."""
    number, restricted = next(
        (number, output)
        for number, records in judged(dump).items()
        for output in accepted_outputs(records)
        if output["type"] == "restriction-imposed"
    )
    facts = dump.topics["account-facts"][number]
    early = next(place for place, record in enumerate(facts) if b"displayed" in (record.value or b""))
    fact = {name: restricted[name] for name in ("platform", "account_id")} | {"event_id": "e0"}
    fact |= {"occurred_at": "2026-03-01T00:00:09Z", "type": "name-display-changed", "displayed": True}
    facts[early] = facts[early]._replace(value=canonical(fact))


def an_early_time(dump: Dump, _: Path) -> None:
    rewritten(dump, first(content(T=lambda _: "2026-03-01T00:09:00Z")))


def a_deadline_that_fires_early(dump: Dump, _: Path) -> None:
    def change(said: dict[str, Any]) -> bool:
        for decision in said["content"]["decisions"]:
            for output in decision["outputs"]:
                if "due" in output["cause"]:
                    output["cause"]["due"] = "2026-03-01T00:30:00Z"
                    return True
        return False

    rewritten(dump, first(change))


def a_gap(dump: Dump, _: Path) -> None:
    del dump.topics["grace-periods"][1][5]


def a_differing_copy(dump: Dump, _: Path) -> None:
    records = dump.topics["disclosure-required"][0]
    said = json.loads(records[2].value or b"")
    records.append(records[2]._replace(offset=len(records), value=canonical({**said, "followers": 1})))


def a_broken_seal(dump: Dump, _: Path) -> None:
    last = dump.topics["journal"][0][-1]
    dump.topics["journal"][0][-1] = last._replace(
        value=(last.value or b"").replace(b'"writer":"a-worker"', b'"writer":"a-w0rker"')
    )


def a_flipped_entry(dump: Dump, _: Path) -> None:
    records = dump.topics["journal"][1]
    records[30] = records[30]._replace(
        value=(records[30].value or b"").replace(b"2026-03-01", b"2026-03-02", 1)
    )


def a_stale_row(dump: Dump, _: Path) -> None:
    records = dump.topics["rows-changelog"][0]
    records[0] = records[0]._replace(value=records[1].value)


def a_wrong_root(dump: Dump, _: Path) -> None:
    rewritten(dump, first(content(state_root=lambda _: "1" * 64)))


def a_stale_head(dump: Dump, _: Path) -> None:
    records = dump.topics["rows-changelog"][1]
    records[-1] = records[-1]._replace(value=canonical({"hash": "0" * 64, "offset": 3}))


def a_branch(dump: Dump, _: Path) -> None:
    """Two entries of somebody who took the void one for accepted."""
    records = dump.topics["journal"][0]
    void = json.loads(records[20].value or b"") | {"writer": "zombie"}
    follower = json.loads(records[21].value or b"") | {"writer": "zombie"}
    for said in (void, follower):
        if said is follower:
            said["prev"] = hashlib.sha256(records[-1].value or b"").hexdigest()
        records.append(Record(len(records), None, sealed(said), 0, 0))


def two_writers(dump: Dump, _: Path) -> None:
    def change(said: dict[str, Any]) -> bool:
        said["writer"] = "zombie" if said["n"] > 40 else said["writer"]
        return True

    rewritten(dump, change)


def an_invented_output(dump: Dump, _: Path) -> None:
    records = dump.topics["restrictions"][0]
    said = json.loads(records[-1].value or b"") | {"account_id": "acc-999", "seq": len(records)}
    records.append(Record(len(records), None, canonical(said), 0, 0, [("ce_id", said["id"].encode())]))


def an_unpublished_output(dump: Dump, _: Path) -> None:
    dump.topics["restrictions"][0].pop()


def a_skipped_input(dump: Dump, _: Path) -> None:
    def change(said: dict[str, Any]) -> bool:
        runs = said["content"]["runs"]
        long = [run for run in runs if run[0] == "clock" and run[2] > 3]
        for run in long:
            run[1] += 1
            run[2] += 1
        return bool(long)

    rewritten(dump, first(change))


def a_changed_input(dump: Dump, _: Path) -> None:
    records = dump.topics["clock"][0]
    records[50] = records[50]._replace(timestamp=records[50].timestamp + 1)


def an_input_never_taken(dump: Dump, _: Path) -> None:
    start, end = dump.ends["follower-counts"][1]
    dump.ends["follower-counts"][1] = start, end + 1


def a_name_in_a_dead_letter(dump: Dump, _: Path) -> None:
    letter = canonical({"code": "not-json", "value": CANARIES[1]})
    dump.topics["dead-letters"][0].append(Record(10**6, None, letter, 0, 0))


def a_name_in_a_log(dump: Dump, _: Path) -> None:
    dump.logs["worker-000"] = f"cannot read {CANARIES[0]!r}"


def a_name_in_a_header(dump: Dump, _: Path) -> None:
    records = dump.topics["restrictions"][0]
    records[0] = records[0]._replace(headers=[*records[0].headers, ("who", CANARIES[2].encode())])


PLANTED = {
    "I1": (another_book, an_output_nobody_was_told),
    "I2": (another_payload, a_wrong_id),
    "I3": (a_second_obligation,),
    "I4": (a_later_deadline, a_restriction_without_notice, a_restriction_of_one_who_complied),
    "I5": (an_early_time, a_deadline_that_fires_early),
    "I6": (a_gap, a_differing_copy),
    "I7": (a_broken_seal, a_flipped_entry, a_stale_row, a_wrong_root, a_stale_head),
    "I9": (a_branch, two_writers),
    "I10": (an_invented_output, an_unpublished_output, a_flipped_entry),
    "I11": (a_skipped_input, a_changed_input, an_input_never_taken),
    "I12": (a_name_in_a_dead_letter, a_name_in_a_log, a_name_in_a_header),
}


@pytest.mark.parametrize(
    ("invariant", "plant"), [(name, plant) for name, plants in PLANTED.items() for plant in plants]
)
def test_a_planted_violation_is_found_under_its_name(
    good: Dump, tmp_path: Path, invariant: str, plant: Callable[[Dump, Path], None]
) -> None:
    dump = copy(good)
    plant(dump, tmp_path)
    assert check(dump).violations[invariant]


@pytest.mark.parametrize("plant", [an_output_nobody_was_told, a_later_deadline, an_early_time, a_wrong_root])
def test_the_auditor_finds_what_was_changed_and_chained_anew(
    good: Dump, tmp_path: Path, plant: Callable[[Dump, Path], None]
) -> None:
    dump = copy(good)
    plant(dump, tmp_path)
    assert audit(dump, tmp_path)


def test_every_invariant_has_something_planted() -> None:
    assert PLANTED.keys() == INVARIANTS.keys()
    assert "I8" not in INVARIANTS  # the auditor's, above


def test_the_checker_imports_nothing_of_what_it_checks() -> None:
    here = Path(__file__).parent
    tests = here.parent
    for file in (*here.glob("checker*.py"), here / "poison.py", *tests.glob("oracle*.py")):
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & {"streams", "schemas"}, file.name
