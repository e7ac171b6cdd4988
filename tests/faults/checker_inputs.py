"""What went in: every record taken once and in order, the digests of the runs, and the time of each entry (I5, I11)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .checker_dump import Dump, Record
from .checker_journal import Judged, digest

Journal = dict[int, list[Judged]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OWN = {"follower-counts": "observed_at", "account-facts": "occurred_at"}


def micros(instant: str) -> int:
    """Return an instant in microseconds since 1970."""
    return (datetime.fromisoformat(instant.upper()) - _EPOCH) // timedelta(microseconds=1)


def dead_places(records: list[Judged]) -> dict[tuple[str, int], str]:
    """Return topic and offset of what the accepted entries declare dead, and with which code."""
    return {
        (decision["dead"]["topic"], decision["dead"]["offset"]): decision["dead"]["code"]
        for one in records
        if one.is_accepted
        for decision in one.decisions
        if "dead" in decision
    }


def taken(dump: Dump, partition: int, entry: Judged) -> Iterator[tuple[str, Record]]:
    """Yield topic and record of what an entry took, in its order; what the dump does not have is left out."""
    for topic, start, end, _ in entry.content["runs"]:
        yield from ((topic, record) for record in _between(dump, topic, partition, start, end))


def unfinished(dump: Dump, partition: int, entry: Judged) -> Iterator[tuple[str, Record]]:
    """Yield the record that an entry has only begun with: it moves the time, and is taken by a later entry."""
    topic, offset = entry.content["after"][:2] if entry.content["more"] else (None, None)
    if topic is not None:
        yield from ((topic, record) for record in _between(dump, topic, partition, offset, offset + 1))


def _between(dump: Dump, topic: str, partition: int, start: int, end: int) -> list[Record]:
    records = dump.of(topic, 0 if topic == "policy-book" else partition)
    if not records:
        return []
    first = records[0].offset
    return records[max(0, start - first) : max(0, end - first)]  # input topics have no holes


def inputs_are_taken_once(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I11."""
    wrong: list[str] = []
    for partition, records in journal.items():
        positions: dict[str, int] = {}
        for one in records:
            if not one.is_accepted:
                continue
            where = f"partition {partition}, entry {one.said and one.said['n']}"
            for topic, start, end, said in one.content["runs"]:
                before = positions.get(topic, 0)
                if start != before:
                    wrong.append(f"{where}: a run of {topic} begins at {start}, and {before} was next")
                positions[topic] = end
                found = _between(dump, topic, partition, start, end)
                if said is None:
                    if [topic, partition, start] not in dump.world.get("lost", []):
                        wrong.append(f"{where}: {topic} {start} to {end} is said to be lost")
                elif len(found) != end - start:
                    wrong.append(f"{where}: {topic} {start} to {end} is not in the topic")
                elif digest(found, with_time=topic == "clock") != said:
                    wrong.append(f"{where}: the digest of {topic} {start} to {end} does not fit the records")
            told = {topic: at for topic, at in one.content["positions"].items() if at}
            if told != positions:
                wrong.append(f"{where}: positions {told}, and its runs lead to {positions}")
        if dump.world["is_at_rest"]:
            for topic in _OWN:
                end = dump.ends[topic][partition][1]
                if positions.get(topic, 0) != end:
                    wrong.append(
                        f"partition {partition}: {topic} ends at {end}, taken to {positions.get(topic, 0)}"
                    )
    counts["taken"] = sum(
        sum(end - start for _, start, end, _ in one.content["runs"])
        for records in journal.values()
        for one in records
        if one.is_accepted
    )
    return wrong


def time_is_right(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I5."""
    wrong: list[str] = []
    fired = 0
    for partition, records in journal.items():
        limit, before, dead = None, None, dead_places(records)
        last = next((one.content["positions"] for one in reversed(records) if one.is_accepted), None)
        for one in records:
            if not one.is_accepted:
                continue
            where = f"partition {partition}, entry {one.said and one.said['n']}"
            for topic, record in (*taken(dump, partition, one), *unfinished(dump, partition, one)):
                own = _moves(dump, topic, record, dead)
                limit = own if limit is None or (own is not None and own > limit) else limit
            T = None if one.content["T"] is None else micros(one.content["T"])
            wrong += _time_of_entry(dump, where, T, before, limit, one, last)
            for decision in one.decisions:
                for output in decision["outputs"]:
                    fired += "due" in output["cause"]
                    wrong += _fired_early(where, output, limit, dump)
            before = T
    counts["deadlines"] = fired
    return wrong


def _moves(dump: Dump, topic: str, record: Record, dead: dict[tuple[str, int], str]) -> int | None:
    """Return to where a record may move T: the lower of both clocks, or in a history its own instant."""
    if dump.world["time"] == "clock":
        if topic != "clock" or record.kind != 1:
            return None
        try:
            return min(micros(json.loads(record.value or b"")["at"]), record.timestamp * 1000)
        except (ValueError, KeyError, TypeError):
            return None
    if topic not in _OWN or (topic, record.offset) in dead:
        return None
    return micros(json.loads(record.value or b"")[_OWN[topic]])


def _time_of_entry(
    dump: Dump,
    where: str,
    T: int | None,
    before: int | None,
    limit: int | None,
    one: Judged,
    last: dict[str, int] | None,
) -> list[str]:
    if T is None:
        return []
    if before is not None and before > T:
        return [f"{where}: T goes back, from {before} to {T}"]
    content, until = one.content, dump.world.get("until")
    ends = until is not None and micros(until) >= T and content["positions"] == last  # of a history
    if limit is None or limit < T:
        return [] if ends else [f"{where}: T is {T}, and both clocks have only reached {limit}"]
    if limit > T and dump.world["time"] == "clock" and content["runs"] and not content["more"]:
        return [f"{where}: T is {T}, and the ticks have reached {limit}"]
    return []


def _fired_early(where: str, output: dict[str, Any], limit: int | None, dump: Dump) -> list[str]:
    if "due" not in output["cause"]:
        return []
    due, decided = micros(output["cause"]["due"]), micros(output["decided_at"])
    until = dump.world.get("until")
    reached = max(limit or 0, micros(until) if until else 0)
    if due > decided or decided > reached:
        what = f"{output['type']} of {output['account_id']} due at {output['cause']['due']}"
        return [f"{where}: {what} fires at {output['decided_at']}, and the clocks have reached {limit}"]
    if output["type"] == "restriction-imposed" and micros(output["effective_at"]) != due:
        return [f"{where}: a restriction due at {due} takes effect at {output['effective_at']}"]
    return []
