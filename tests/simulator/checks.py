"""What must hold of a world at rest, whatever went wrong before: read from the broker's logs alone.

The names are those of the plan (I1 to I11, facts on reliability). Nothing of the worker takes part but the packing of a
row; the law itself is the oracle's.
"""

import json
from bisect import bisect_left
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from oracle_inputs import at
from oracle_outputs import differences, in_oracle_words, is_same

from schemas import topics
from schemas.account import pack, row_of_json
from schemas.digest import digest_of
from streams.live.performer import HEAD_KEY

from .accepted import Accepted, accepted, order
from .lawful import Partition
from .violation import Violation

if TYPE_CHECKING:
    from .run import World

_parsed = msgspec.json.decode
KINDS = ("reminder", "deadline", "waiver-end", "phase-end", "phase-begin", "dwell-end")
OTHERS = (topics.COUNTS, topics.FACTS, topics.BOOKS)


def check(world: "World") -> Counter[str]:
    """Check everything; return figures.

    Raises:
        Violation: something does not hold.
    """
    figures: Counter[str] = Counter()
    for number in range(world.settings.partitions):
        figures.update(Checked(world, number).check())
    return figures


class Checked:
    """The evidence of one partition."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number = world, number
        self.journal = world.broker.log(topics.JOURNAL, number)
        self.inputs = {topic: world.broker.log(topic, number).archive() for topic in topics.INPUTS}
        self.landings = {topic: [record.landed for record in self.inputs[topic]] for topic in OTHERS}
        self.found: Accepted = accepted(self.journal)
        self.law = Partition()
        self.T_at: dict[tuple[str, int], int | None] = {}
        self.waited: dict[int, str] = {}
        """By tick which input was not read as far as it was there before it."""
        self.books = {book.loaded.hash: book.judged for book in world.books}

    def fail(self, which: str, what: str) -> Violation:
        return Violation(which, f"partition {self.number}: {what}")

    def check(self) -> Counter[str]:
        self.follow_order()
        self.check_runs()
        outputs = self.check_decisions()
        self.check_published(outputs)
        self.check_law(outputs)
        self.check_duties(outputs)
        self.check_dead_letters()
        self.check_statuses()
        self.check_table()
        return Counter(
            entries=len(self.found.entries),
            void=self.found.void,
            takeovers=self.found.takeovers,
            decisions=sum(len(content.decisions) for _, content in self.found.entries),
            outputs=sum(len(one) for one in outputs.values()),
            dead=len(self.law.dead),
            events=len(self.inputs[topics.COUNTS]) + len(self.inputs[topics.FACTS]),
            ticks=len(self.inputs[topics.CLOCK]),
            copies=sum(len(self.world.broker.log(topic, self.number).records) for topic in topics.OUTPUTS)
            - sum(len(one) for one in outputs.values()),
        )

    # What was taken ------------------------------------------------------------------------------

    def follow_order(self) -> None:
        """Let the oracle take the records in the accepted order."""
        law, positions = self.law, dict.fromkeys(topics.INPUTS, 0)
        for taken in order(self.found):
            topic, offset = taken.topic, taken.offset
            positions[topic] = offset + 1
            if taken.is_lost:
                continue
            record = self.inputs[topic][offset]
            if topic == topics.CLOCK:
                for other in OTHERS:
                    if bisect_left(self.landings[other], record.landed) > positions[other]:
                        self.waited[offset] = other
                law.tick(min(at(_parsed(record.value)["at"]), record.timestamp * 1000))
            elif topic == topics.BOOKS:
                law.adopt(self.books[_parsed(record.value)["hash"]])
            elif law.T is not None and law.book is not None:
                law.take(topic, offset, record.key, record.value)
            else:
                raise self.fail("I11 contiguous", f"{topic}[{offset}] is taken before any book and any time")
            self.T_at[topic, offset] = law.T
        law.finish()
        for topic in topics.INPUTS:
            if positions[topic] != len(self.inputs[topic]):
                end = len(self.inputs[topic])
                raise self.fail(
                    "progress: not taken", f"at rest {topic} is taken up to {positions[topic]} of {end}"
                )

    def check_runs(self) -> None:
        """The digests are those of the inputs; T and book those that follow from them."""
        T = book = None
        for entry, content in self.found.entries:
            for topic, start, end, digest in content.runs:
                if digest is None:
                    continue
                records = self.inputs[topic][start:end]
                if digest != digest_of(records, with_time=topic == topics.CLOCK):
                    raise self.fail(
                        "I11 digests", f"entry {entry.n}: that of {topic} {start}..{end} is another"
                    )
                T = self.T_at[topic, end - 1]
                if topic == topics.BOOKS:
                    book = _parsed(records[-1].value)["hash"]
            said = at(content.T) if content.T else None
            if said != T and content.after is None:
                raise self.fail("I5 time", f"entry {entry.n} says T is {content.T}, the ticks say {T}")
            if content.book != book and content.after is None:
                raise self.fail("I8 book", f"entry {entry.n} says {content.book}, and adopted was {book}")

    # What was decided ----------------------------------------------------------------------------

    def check_decisions(self) -> dict[str, list[tuple[bytes, int]]]:
        """Return all accepted outputs by topic, each with the landing of its entry."""
        outputs: dict[str, list[tuple[bytes, int]]] = {topic: [] for topic in topics.OUTPUTS}
        before: tuple[Any, ...] = ()
        for (entry, content), landed in zip(self.found.entries, self.found.landed, strict=True):
            for decision in content.decisions:
                cause = decision["cause"]
                if (place := _place(decision)) and place[:2] == before[:2] and place <= before:
                    raise self.fail("order", f"entry {entry.n}: {place} is decided after {before}")
                before = place
                T = at(decision["T"]) if decision["T"] else None
                place = (cause.get("topic"), cause.get("offset"))
                if place in self.T_at and self.T_at[place] != T:
                    raise self.fail(
                        "I5 time", f"{place} is decided at {decision['T']}, not at {self.T_at[place]}"
                    )
                if "due" in cause:
                    if at(cause["due"]) > (T or 0):
                        raise self.fail("I5 early", f"{cause} is decided at {decision['T']}")
                    if place[0] == topics.CLOCK and place[1] in self.waited:
                        raise self.fail(
                            "I5 waits",
                            f"{cause} fires before {self.waited[place[1]]} that was there before its tick",
                        )
                for output in decision["outputs"]:
                    seqs = outputs[_topic_of(output["type"])]
                    if output["seq"] != len(seqs) or output["partition"] != self.number:
                        raise self.fail("I6 dense", f"entry {entry.n}: {output} is number {len(seqs)}")
                    seqs.append((_canonical(output), landed))
            if {topic: len(one) for topic, one in outputs.items()} != content.next_seq:
                raise self.fail("I6 dense", f"entry {entry.n} says {content.next_seq}")
        return outputs

    def check_published(self, outputs: dict[str, list[tuple[bytes, int]]]) -> None:
        """Every copy is that of an accepted entry, and lands after it; first copies are dense; none is missing."""
        for topic, wanted in outputs.items():
            seen = 0
            headers: dict[int, Any] = {}
            for record in self.world.broker.log(topic, self.number).records:
                output = _parsed(record.value)
                seq = output["seq"]
                if seq >= len(wanted) or wanted[seq][0] != record.value:
                    raise self.fail(
                        "I2 I10 copies", f"{topic} shows {record.value!r}, and no accepted entry has it"
                    )
                if record.landed < wanted[seq][1]:
                    raise self.fail("I10 backed", f"{topic} shows seq {seq} before its entry")
                if seq > seen:
                    raise self.fail("I6 dense", f"{topic} shows seq {seq} first, and {seen} is not there yet")
                seen = max(seen, seq + 1)
                if headers.setdefault(seq, record.headers) != record.headers:
                    raise self.fail("I2 I10 copies", f"{topic} seq {seq} has other headers in a copy")
            if seen != len(wanted):
                raise self.fail("I1 missing", f"{topic} ends at seq {seen}, and {len(wanted)} are accepted")

    def check_law(self, outputs: dict[str, list[tuple[bytes, int]]]) -> None:
        """The outputs are the oracle's."""
        told = [{**_parsed(value), "topic": topic} for topic in topics.OUTPUTS for value, _ in outputs[topic]]
        expected = [output for group in self.law.outputs.values() for output in group]
        for place, left, right in differences(expected, in_oracle_words(told)):
            shown = {name: right[0].get(name) for name in left[0]} if left and right else right
            raise self.fail("I1 the law", f"{place}\n  oracle  {left}\n  program {shown}")

    def check_duties(self, outputs: dict[str, list[tuple[bytes, int]]]) -> None:
        """At most one duty of an account is open; none is restricted twice, or without a notice."""
        is_open: dict[str, str] = {}
        for value, _ in outputs[topics.DISCLOSURE]:
            one = _parsed(value)
            key = f"{one['platform']}:{one['account_id']}"
            if one["type"] == "disclosure-required":
                if key in is_open:
                    raise self.fail("I3 one duty", f"{key} has two open duties: {one}")
                is_open[key] = one["obligation_id"]
            elif is_open.pop(key, None) != one["obligation_id"]:
                raise self.fail("I3 one duty", f"{one} ends what was not open")
        notified = {_parsed(value)["obligation_id"]: _parsed(value) for value, _ in outputs[topics.GRACE]}
        imposed = Counter(
            one["obligation_id"]
            for one in (_parsed(value) for value, _ in outputs[topics.RESTRICTIONS])
            if one["type"] == "restriction-imposed"
        )
        for obligation, count in imposed.items():
            if count > 1 or obligation not in notified:
                raise self.fail("I4 restricted", f"{obligation}: {count} times, {notified.get(obligation)}")

    # What else leaves ----------------------------------------------------------------------------

    def check_dead_letters(self) -> None:
        letters: dict[tuple[str, int], bytes] = {}
        for record in self.world.broker.log(topics.DEAD_LETTERS, self.number).records:
            one = _parsed(record.value)
            if letters.setdefault((one["topic"], one["offset"]), record.value) != record.value:
                raise self.fail("I2 I10 copies", f"two dead letters of {one['topic']}[{one['offset']}]")
        got = {(*place, _parsed(value)["code"]) for place, value in letters.items()}
        if wrong := got ^ set(self.law.dead):
            raise self.fail("I1 the law", f"dead letters: {sorted(wrong)[:3]} are only here or there")

    def check_statuses(self) -> None:
        """The last status of every key tells the account as the oracle has it (rule 24)."""
        last: dict[bytes, bytes | None] = {}
        for record in self.world.broker.log(topics.STATUS, self.number).records:
            last[record.key] = record.value
        for law in self.law.worlds.values():
            for one in law.status():
                value = last.get(f"{one['platform']}:{one['account_id']}".encode())
                got = _parsed(value) if value is not None else None
                wanted = {name: said for name, said in one.items() if said is not None}
                if (got is not None) if one.get("gone") else (got is None or not is_same(wanted, got)):
                    raise self.fail("I1 statuses", f"account-status\n  oracle  {one}\n  program {got}")

    def check_table(self) -> None:
        """The table is what the journal leads to, and its root is the journaled one."""
        rows: dict[bytes, bytes] = {}
        for _, content in self.found.entries:
            for decision in content.decisions:
                if "after" in decision:
                    key, after = decision["key"].encode(), decision["after"]
                    if after is None:
                        rows.pop(key, None)
                    else:
                        rows[key] = pack(row_of_json(after))
        root = sum(
            int.from_bytes(sha256(len(key).to_bytes(4, "big") + key + row).digest())
            for key, row in rows.items()
        )
        content = self.found.entries[-1][1]
        if f"{root % (1 << 256):064x}" != content.state_root:
            raise self.fail("I8 rebuilt", f"the root of the rows is not {content.state_root}")
        table = {key: row for key, row in self.world.broker.tables[self.number].items() if key != HEAD_KEY}
        if table != rows:
            wrong = sorted(key for key in table.keys() | rows.keys() if table.get(key) != rows.get(key))
            raise self.fail("I8 table", f"the table has other rows than the journal leads to: {wrong[:3]}")


def _place(decision: dict[str, Any]) -> tuple[Any, ...]:
    """Return where a decision stands among those of one record: dues by instant, account, kind; a book's by account."""
    cause, key = decision["cause"], decision["key"]
    if key is None or not ("due" in cause or "book" in cause):
        return ()
    platform, _, account = key.partition(":")
    due = (at(cause["due"]),) if "due" in cause else ()
    kind = (KINDS.index(cause["kind"]),) if "due" in cause else ()
    return (cause.get("topic"), cause.get("offset"), *due, platform, account, *kind)


def _topic_of(kind: str) -> str:
    first = kind.partition("-")[0]
    return {"disclosure": topics.DISCLOSURE, "grace": topics.GRACE}.get(first, topics.RESTRICTIONS)


def _canonical(output: dict[str, Any]) -> bytes:
    return json.dumps(output, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
