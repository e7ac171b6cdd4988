"""The chain, the state roots, the table, forks and names (I7, I9, I12)."""

import json
from collections.abc import Iterator

from .checker_dump import INPUTS, Dump
from .checker_journal import Judged, Rows, seal_fits
from .poison import CANARIES

Journal = dict[int, list[Judged]]
HEAD = b"head"


def chain_and_roots(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I7."""
    wrong: list[str] = []
    counts["rows"] = 0
    for partition, records in journal.items():
        rows, next_seq, published = Rows(), {}, {}
        accepted = [one for one in records if one.is_accepted]
        if not accepted and records:
            wrong.append(f"partition {partition}: nothing of {len(records)} journal records is accepted")
        for one in accepted:
            assert one.said is not None
            where = f"partition {partition}, entry {one.said['n']}"
            if one.said["v"] != 1 or not seal_fits(one.record.value or b""):
                wrong.append(f"{where}: the seal does not fit")
            for decision in one.decisions:
                key = decision["key"]
                if key is not None and decision["before"] != rows.before(key):
                    wrong.append(f"{where}: {key} had another row before than the decision says")
                if "after" in decision:
                    rows.change(key, decision["after"])
                for output in decision["outputs"]:
                    topic = _topic(output["type"])
                    if output["seq"] != next_seq.get(topic, 0):
                        wrong.append(
                            f"{where}: {topic} seq {output['seq']}, and {next_seq.get(topic, 0)} was next"
                        )
                    next_seq[topic] = output["seq"] + 1
            content = one.content
            if {topic: seq for topic, seq in content["next_seq"].items() if seq} != next_seq:
                wrong.append(f"{where}: next_seq {content['next_seq']}, and its outputs lead to {next_seq}")
            if f"{rows.root:064x}" != content["state_root"]:
                wrong.append(f"{where}: the root of its rows is not {content['state_root']}")
            for topic, upto in content["published_upto"].items():
                if not published.get(topic, 0) <= upto <= next_seq.get(topic, 0):
                    wrong.append(
                        f"{where}: published_upto of {topic} is {upto} after {published.get(topic, 0)}"
                    )
                published[topic] = upto
        counts["rows"] += len(rows.packed)
        if dump.world["is_at_rest"] and accepted:
            wrong += _table(dump, partition, rows, accepted)
    return wrong


def _topic(kind: str) -> str:
    first = kind.partition("-")[0]
    return {"disclosure": "disclosure-required", "grace": "grace-periods"}.get(first, "restrictions")


def _table(dump: Dump, partition: int, rows: Rows, accepted: list[Judged]) -> list[str]:
    """Hold the end of the table's changelog against the rows that the journal leads to."""
    table: dict[bytes, bytes] = {}
    for record in dump.of("rows-changelog", partition):
        if record.value is None:
            table.pop(record.key or b"", None)
        else:
            table[record.key or b""] = record.value
    where, head = f"partition {partition}, the table", json.loads(table.pop(HEAD, b"null"))
    wanted = {key.encode(): packed for key, packed in rows.packed.items()}
    wrong = [
        f"{where}: {key!r} has another row than the journal says"
        for key in sorted(wanted.keys() | table.keys())
        if wanted.get(key) != table.get(key)
    ]
    last = accepted[-1]
    if head != {"hash": last.hash, "offset": last.record.offset + 1}:
        wrong.append(f"{where}: its head {head} is not the last entry {last.hash} at {last.record.offset}")
    return wrong


def no_fork(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I9."""
    wrong: list[str] = []
    for partition, records in journal.items():
        accepted = {one.hash for one in records if one.is_accepted}
        void = {one.hash: one.record.offset for one in records if one.hash not in accepted}
        writers: dict[int, str] = {}
        for one in records:
            if one.said is None:
                continue
            where = f"partition {partition} offset {one.record.offset}"
            if one.said["prev"] in void:
                wrong.append(f"{where}: it follows the void entry at offset {void[one.said['prev']]}")
            if one.is_accepted:
                epoch, writer = one.said["epoch"], one.said["writer"]
                if writers.setdefault(epoch, writer) != writer:
                    wrong.append(f"{where}: {writer} writes in the epoch {epoch} of {writers[epoch]}")
    return wrong


def no_canary(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I12."""
    names = [form for canary in CANARIES for form in _forms(canary)]
    counts["canaries"] = len(CANARIES)
    return [f"{where} holds {name!r}" for where, text in _texts(dump) for name in names if name in text]


def _forms(canary: str) -> set[bytes]:
    return {canary.encode(), json.dumps(canary)[1:-1].encode(), canary.encode("utf-16-le")}


def _texts(dump: Dump) -> Iterator[tuple[str, bytes]]:
    for topic, partitions in dump.topics.items():
        for partition, records in partitions.items() if topic not in INPUTS else ():
            for record in records:
                headers = b" ".join(name.encode() + b"=" + (value or b"") for name, value in record.headers)
                where = f"{topic} {partition} offset {record.offset}"
                yield where, b" ".join((record.key or b"", record.value or b"", headers))
    for name, log in dump.logs.items():
        yield f"the log of {name}", log.encode()
