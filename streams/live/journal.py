"""The journal on the broker, read as an auditor reads it: the accepted entries of each partition, in order."""

from collections.abc import AsyncIterator

from schemas import topics
from schemas.errors import AuditError, OperatorError
from streams.ledger.chain import GENESIS, judge_slice
from streams.live.log import Log

READ_OFFSETS = 2000
"""How many offsets are read at once: at most 1 GiB of the largest entries, in life some megabytes."""


async def accepted_entries(log: Log, partition: int) -> AsyncIterator[bytes]:
    """Yield the bytes of the accepted entries of one journal partition; void ones are passed over.

    Raises:
        AuditError: the journal does not begin at its first offset any more.
    """
    start, end = (await log.bounds([topics.JOURNAL], partition))[topics.JOURNAL]
    if start:
        raise AuditError(
            f"The journal of partition {partition} begins at offset {start}: its beginning is lost."
        )
    head = GENESIS
    while head.next_offset < end:
        found = await log.read(
            topics.JOURNAL, partition, head.next_offset, min(end, head.next_offset + READ_OFFSETS)
        )
        records = [(record.offset, record.value) for record in found.records]
        head, accepted = judge_slice(head, records, found.upto)
        for entry in accepted:
            yield entry.raw


async def read_journals(bootstrap: str, prefix: str, partition: int | None) -> list[bytes]:
    """Return the accepted entries of one journal partition, or of all, one partition after the other.

    Raises:
        TransportError: the broker does not answer.
        OperatorError: there is no such journal.
    """
    log = Log(bootstrap, prefix)
    await log.start()
    try:
        numbers = await log.partitions(topics.JOURNAL)
        if partition is not None and partition not in numbers:
            raise OperatorError(f"The journal has the partitions {sorted(numbers)}, and not {partition}.")
        chosen = sorted(numbers) if partition is None else [partition]
        return [raw for number in chosen async for raw in accepted_entries(log, number)]
    finally:
        await log.stop()
