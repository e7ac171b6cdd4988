"""The journal on the broker, read as an auditor reads it: the accepted entries of each partition, in order."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from schemas import topics
from schemas.errors import AuditError, OperatorError
from streams.ledger.chain import GENESIS, judge_slice
from streams.live.access import Where
from streams.live.log import Log

READ_OFFSETS = 2000
"""How many offsets are read at once: at most 1 GiB of the largest entries, in life some megabytes."""

Choose = Callable[[int], Sequence[int]]
"""Told how many partitions the journal has, says which are read, in which order."""
Seen = Callable[[int, int], None]
"""Told how many offsets more are read, and how many there are in all."""


class Read(NamedTuple):
    """What was read of a journal."""

    entries: list[bytes]
    """The accepted ones, each partition's in order, one partition after the other."""
    partitions: int
    """How many the journal has, read or not."""


def only(partition: int | None) -> Choose:
    """Choose one partition, or all.

    Raises:
        OperatorError: when asked, the journal has no such partition.
    """

    def choose(partitions: int) -> Sequence[int]:
        if partition is not None and partition >= partitions:
            raise OperatorError(
                f"The journal has no partition {partition}: it has {partitions}, counted from 0. Export all of them "
                "with `nameplate journal export FILE`."
            )
        return range(partitions) if partition is None else (partition,)

    return choose


async def accepted_entries(
    log: Log, partition: int, bounds: tuple[int, int], seen: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """Yield the bytes of the accepted entries of one journal partition; void ones are passed over.

    Args:
        log: The broker.
        partition: Its number.
        bounds: Where it begins and ends.
        seen: Told of every number of offsets that was read.

    Raises:
        AuditError: the journal does not begin at its first offset any more.
    """
    start, end = bounds
    if start:
        raise AuditError(
            f"The journal of partition {partition} begins at offset {start}: its beginning is lost, and nothing "
            "can be derived without it. Restore it from a backup, or read an older export with "
            "`nameplate verify JOURNAL`."
        )
    head = GENESIS
    while head.next_offset < end:
        before = head.next_offset
        found = await log.read(topics.JOURNAL, partition, before, min(end, before + READ_OFFSETS))
        records = [(record.offset, record.value) for record in found.records]
        head, accepted = judge_slice(head, records, found.upto)
        for entry in accepted:
            yield entry.raw
        seen(head.next_offset - before)


async def read_journals(
    bootstrap: Where, prefix: str, choose: Choose = range, seen: Seen = lambda _, __: None
) -> Read:
    """Read the partitions of a journal that are chosen.

    Raises:
        TransportError: the broker does not answer.
        OperatorError: there is no such journal, or no such partition.
        AuditError: its beginning is lost.
    """
    log = Log(bootstrap, prefix)
    await log.start()
    try:
        partitions = len(await log.partitions(topics.JOURNAL))
        chosen = {
            number: (await log.bounds([topics.JOURNAL], number))[topics.JOURNAL]
            for number in choose(partitions)
        }
        total = sum(end - start for start, end in chosen.values())
        entries = [
            raw
            for number, bounds in chosen.items()
            async for raw in accepted_entries(log, number, bounds, lambda more: seen(more, total))
        ]
        return Read(entries, partitions)
    finally:
        await log.stop()
