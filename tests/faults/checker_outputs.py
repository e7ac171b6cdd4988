"""What left: ids, sequence numbers, copies, obligations, restrictions (I2, I3, I4, I6, I10)."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .checker_dump import OUTPUTS, Dump
from .checker_inputs import dead_places, micros
from .checker_journal import Judged, canonical, output_id

TOPIC_OF = {"disclosure": "disclosure-required", "grace": "grace-periods", "restriction": "restrictions"}
Journal = dict[int, list[Judged]]


def accepted_outputs(records: list[Judged]) -> Iterator[dict[str, Any]]:
    """Yield what the accepted entries of a partition say, in order."""
    for one in records:
        if one.is_accepted:
            for decision in one.decisions:
                yield from decision["outputs"]


def topic_of(output: dict[str, Any]) -> str:
    return TOPIC_OF[output["type"].partition("-")[0]]


def one_payload_per_id(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I2."""
    said: dict[str, bytes] = {}
    wrong = []
    on_wire = 0
    for topic in OUTPUTS:
        for partition, records in dump.topics[topic].items():
            for record in records:
                on_wire += 1
                raw = record.value or b""
                output = json.loads(raw)
                where = f"{topic} {partition} offset {record.offset}"
                if said.setdefault(output["id"], raw) != raw:
                    wrong.append(f"{where}: another payload under the id {output['id']}")
                if output_id(output) != output["id"]:
                    wrong.append(f"{where}: its id is not the hash of what it says")
                headers = dict(record.headers)
                if headers.get("ce_id") != output["id"].encode():
                    wrong.append(f"{where}: the header names the id {headers.get('ce_id')!r}")
    counts["outputs on the wire"], counts["outputs"] = on_wire, len(said)
    counts["copies on the wire"] = on_wire - len(said)
    return wrong


def dense(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I6."""
    wrong, copies = [], 0
    for topic in OUTPUTS:
        for partition, records in dump.topics[topic].items():
            values: list[bytes] = []
            for record in records:
                raw = record.value or b""
                output = json.loads(raw)
                seq, where = output["seq"], f"{topic} {partition} offset {record.offset}"
                if output["partition"] != partition:
                    wrong.append(f"{where}: it says partition {output['partition']}")
                if seq > len(values):
                    wrong.append(f"{where}: seq {seq} comes after {len(values) - 1}")
                    values += [b""] * (seq - len(values))
                if seq == len(values):
                    values.append(raw)
                elif values[seq] != raw:
                    copies += 1
                    wrong.append(f"{where}: seq {seq} again, and with other bytes")
    counts["differing copies"] = copies
    return wrong


def backed(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I10."""
    wrong = []
    for partition, records in journal.items():
        journaled: dict[str, list[bytes]] = {topic: [] for topic in OUTPUTS}
        for output in accepted_outputs(records):
            journaled[topic_of(output)].append(canonical(output))
        for topic, wanted in journaled.items():
            seen = {record.value: record.offset for record in dump.of(topic, partition)}
            invented = sorted(seen[raw] for raw in seen.keys() - set(wanted))
            wrong += [
                f"{topic} {partition} offset {offset}: no accepted entry says this" for offset in invented
            ]
            left = [raw for raw in wanted if raw not in seen]
            if dump.world["is_at_rest"] and left:
                wrong.append(
                    f"{topic} {partition}: {len(left)} journaled and not published: {left[0][:200]!r}"
                )
    return wrong


def accepted_decisions(records: list[Judged]) -> Iterator[dict[str, Any]]:
    """Yield the decisions of the accepted entries of a partition, in order."""
    for one in records:
        if one.is_accepted:
            yield from one.decisions


def one_open_obligation(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I3."""
    wrong, begun = [], 0
    for records in journal.values():
        is_open: dict[tuple[str, str], str] = {}
        for decision in accepted_decisions(records):
            closed = set()
            for output in decision["outputs"]:
                account, own = (output["platform"], output["account_id"]), output["obligation_id"]
                kind = output["type"]
                if kind == "disclosure-required":
                    begun += 1
                    if is_open.setdefault(account, own) != own:
                        wrong.append(f"{account}: {own} begins while {is_open[account]} is open")
                elif is_open.get(account) != own and not (kind == "restriction-lifted" and account in closed):
                    wrong.append(f"{account}: {kind} of {own}, and open is {is_open.get(account)}")
                if kind in ("disclosure-met", "disclosure-cancelled"):
                    closed.add(account)
                    is_open.pop(account, None)
    counts["obligations"] = begun
    return wrong


@dataclass
class Told:
    """What an account was told of one obligation."""

    deadline: str = ""
    is_graced: bool = False
    is_stopped: bool = False
    is_over: bool = False
    is_restricted: bool = False


def restrictions_are_due(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I4."""
    wrong: list[str] = []
    imposed = 0
    for partition, records in journal.items():
        told: dict[str, Told] = defaultdict(Told)
        shown = Displays(dump, partition, records)
        for one in records:
            if not one.is_accepted:
                continue
            shown.begin(one)
            for decision in one.decisions:
                shown.go_to(decision["cause"])
                for output in decision["outputs"]:
                    obligation = told[output["obligation_id"]]
                    if output["type"] == "restriction-imposed":
                        imposed += 1
                        wrong += _why_not_due(output, obligation, decision, shown)
                    _hear(obligation, output)
            shown.go_to({})
    counts["restrictions"] = imposed
    return wrong


def _hear(told: Told, output: dict[str, Any]) -> None:
    match output["type"]:
        case "grace-started":
            told.is_graced, told.deadline = True, output["deadline_at"]
        case "grace-extended":
            told.deadline = output["deadline_at"]
        case "grace-resumed":
            told.is_stopped, told.deadline = False, output["deadline_at"]
        case "grace-suspended":
            told.is_stopped = True
        case "disclosure-met" | "disclosure-cancelled":
            told.is_over = True
        case "restriction-imposed":
            told.is_restricted = True


def _why_not_due(
    output: dict[str, Any], told: Told, decision: dict[str, Any], shown: "Displays"
) -> list[str]:
    """Say why a restriction should not have been imposed."""
    outcome = next((one["outcome"] for one in decision["outputs"] if one["type"] == "grace-ended"), None)
    account = f"{output['platform']}:{output['account_id']}"
    reasons = {
        "no notice": not told.is_graced,
        "imposed before": told.is_restricted,
        "met or cancelled before": told.is_over,
        "its name is displayed": shown.is_displayed(account),
        "no grace ended with it": outcome not in ("expired", "declined"),
        "its clock stands": told.is_stopped and outcome == "expired",
        f"its deadline is {told.deadline}": outcome == "expired"
        and bool(told.deadline)
        and micros(output["decided_at"]) < micros(told.deadline),
    }
    return [
        f"{account}: restricted at {output['decided_at']}: {why}" for why, holds in reasons.items() if holds
    ]


class Displays:
    """Which accounts display their names, by the facts that the journal has taken."""

    def __init__(self, dump: Dump, partition: int, records: list[Judged]) -> None:
        self._facts = dump.of("account-facts", partition)
        self._dead = dead_places(records)
        self._at = {record.offset: place for place, record in enumerate(self._facts)}
        self._last: dict[str, tuple[int, str, bool]] = {}
        self._left: Iterator[tuple[str, int]] = iter(())
        self._reached: tuple[Any, Any] = (None, None)

    def begin(self, entry: Judged) -> None:
        """Stand before the first record of an entry."""
        runs = entry.content["runs"]
        self._left = ((topic, offset) for topic, start, end, _ in runs for offset in range(start, end))

    def go_to(self, cause: dict[str, Any]) -> None:
        """Take the records up to the one that caused a decision; with no cause all that are left."""
        wanted = cause.get("topic"), cause.get("offset")
        if cause and (None in wanted or wanted == self._reached):
            return  # time did it, or the same record: nothing was taken since the decision before
        self._reached = wanted
        for topic, offset in self._left:
            if topic == "account-facts" and offset in self._at and (topic, offset) not in self._dead:
                self._take(json.loads(self._facts[self._at[offset]].value or b"null"))
            if (topic, offset) == wanted:
                return

    def _take(self, fact: dict[str, Any]) -> None:
        if fact["type"] != "name-display-changed":
            return
        account = f"{fact['platform']}:{fact['account_id']}"
        occurred, event = micros(fact["occurred_at"]), fact["event_id"]
        last = self._last.get(account)
        if last is None or (occurred >= last[0] and event != last[1]):
            self._last[account] = occurred, event, fact["displayed"]

    def is_displayed(self, account: str) -> bool:
        return account in self._last and self._last[account][2]
