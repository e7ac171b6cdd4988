"""What a consumer of the output topics sees: one line for each decision, in words.

It is a consumer like any other: of no group, from the beginning, with one integer for each topic and
partition, which makes at-least-once exactly once. It knows nothing of the workers.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from rich.console import Console
from rich.text import Text

from schemas import topics
from schemas.errors import AuditError, TransportError
from schemas.instant import parse
from streams.live.access import Where
from streams.live.reader import Reader
from streams.live.remedies import said

POLL_MS = 100
_ACCOUNT_WIDTH = 27
"""Of `xiaohongshu:acct-0123456789`: with the instant before it, 34 of 80 columns are left for what happened."""

_WORDS = {
    "disclosure-required": ("told at {followers:,}, until {deadline_at}", "yellow"),
    "grace-reminder": ("reminded: {days_left} left", "dim"),
    "grace-suspended": ("clock stops: {why}", "cyan"),
    "grace-resumed": ("clock runs on, until {deadline_at}", "cyan"),
    "grace-extended": ("more time, until {deadline_at}", "cyan"),
    "disclosure-met": ("name displayed, duty met", "green"),
    "disclosure-cancelled": ("duty cancelled: {why}", "blue"),
    "restriction-imposed": ("RESTRICTED: {why}", "bold red"),
    "restriction-lifted": ("restriction lifted: {why}", "green"),
}
"""Of the types that are not here the same decision has another output that says it: a grace that starts is
that of a duty told, and one that ends, ends for what is met, cancelled or restricted."""


class View:
    """Keeps what it sees, each output once, and prints it.

    Args:
        out: Where to.
    """

    def __init__(self, out: Console) -> None:
        self.seen: dict[str, list[bytes]] = {topic: [] for topic in topics.OUTPUTS}
        self.types: Counter[str] = Counter()
        self.restricted: str | None = None
        """The account that was restricted last."""
        self.told: str | None = None
        self._out = out
        self._next: Counter[tuple[str, int]] = Counter()

    def take(self, records: Iterable[tuple[str, bytes]]) -> None:
        """See outputs of several partitions, each with its topic; of one partition they are in its order.

        Raises:
            AuditError: one is missing before another.
        """
        outputs = [(topic, value, msgspec.json.decode(value)) for topic, value in records]
        for topic, value, output in sorted(outputs, key=lambda one: parse(one[2]["decided_at"])):
            place = topic, output["partition"]
            if output["seq"] > self._next[place]:
                raise AuditError(
                    f"{topic}, partition {place[1]}: {self._next[place]} is missing before {output['seq']}. Whether "
                    "the journal has it, says `nameplate verify JOURNAL`."
                )
            if output["seq"] == self._next[place]:
                self._next[place] += 1
                self.seen[topic].append(value)
                self._show(output)

    def write(self, directory: Path) -> None:
        """Write what was seen, one file for each topic, its lines sorted: partitions have no order among them."""
        for topic, values in self.seen.items():
            (directory / f"{topic}.jsonl").write_bytes(b"".join(value + b"\n" for value in sorted(values)))

    def _show(self, output: dict[str, Any]) -> None:
        kind, account = output["type"], f"{output['platform']}:{output['account_id']}"
        self.types[kind] += 1
        if kind == "restriction-imposed":
            self.restricted = account
        elif kind == "disclosure-required":
            self.told = account
        if kind in _WORDS:
            words, style = _WORDS[kind]
            at = datetime.fromisoformat(output["decided_at"])
            line = Text(f"{at:%Y-%m-%d %H:%M}  {account:{_ACCOUNT_WIDTH}} ")
            self._out.print(line.append(words.format(**_readable(output)), style))


def _readable(output: dict[str, Any]) -> dict[str, Any]:
    said = dict(output)
    if "deadline_at" in said:
        said["deadline_at"] = f"{datetime.fromisoformat(said['deadline_at']):%d %b}"
    if "days_left" in said:
        said["days_left"] = f"{said['days_left']} day{'' if said['days_left'] == 1 else 's'}"
    if "why" in said:
        said["why"] = said["why"].replace("-", " ")
    return said


async def follow(
    bootstrap: Where, prefix: str, partitions: int, view: View, is_over: Callable[[], bool]
) -> None:
    """Show what comes out of the topics, until it is over and all that was there by then is seen.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
        partitions: Of each topic.
        view: Where it is shown.
        is_over: Asked again and again whether more may come.

    Raises:
        AuditError: an output is missing before another.
        TransportError: the broker does not answer any more.
    """
    consumer = Reader(bootstrap, fetch_max_wait_ms=POLL_MS)
    try:
        await consumer.start()
        places = {
            TopicPartition(topics.full_name(topic, prefix), number): topic
            for topic in topics.OUTPUTS
            for number in range(partitions)
        }
        consumer.assign(list(places))
        while True:
            ends = await consumer.end_offsets(list(places)) if is_over() else None
            found = await consumer.getmany(timeout_ms=POLL_MS)
            view.take((places[place], record.value) for place, records in found.items() for record in records)
            if ends is not None and all(
                [await consumer.position(place) >= end for place, end in ends.items()]
            ):
                return
    except KafkaError as error:
        raise TransportError(
            f"The broker at {bootstrap} does not answer any more ({said(error)}). Run the demo again, or without a "
            "broker: `nameplate demo --in-process`."
        ) from error
    finally:
        await consumer.stop()
