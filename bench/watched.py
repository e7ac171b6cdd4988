"""A table of watched accounts as a worker would have left it: rows, head pointers, and journals that agree."""

from collections.abc import Iterator

import msgspec

from bench.rig import Rig
from schemas import topics
from schemas.account import Row, pack
from schemas.inputs import FollowerCountChanged
from schemas.instant import DAY, text
from schemas.journal import HeadPointer, encode_content, entry_hash
from schemas.partitioner import partition_of
from streams.core.decide import decide
from streams.ledger import root, takeover
from streams.ledger.chain import GENESIS, next_entry
from streams.live.performer import HEAD_KEY
from streams.live.rows import Message
from streams.policies.load import load_book, shipped_book_dir

PLATFORM = "bilibili"


def rows_of(accounts: int, at: int, due: dict[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and packed row of accounts that were told a while ago and have some days left.

    Args:
        accounts: How many.
        at: T, in µs.
        due: By number of the account the instant of its deadline; of the others it is days away.
    """
    book = load_book(shipped_book_dir())
    told_at = at - 3 * DAY
    counted = FollowerCountChanged("e", PLATFORM, "acct", 1_200_000, told_at)
    told = decide(None, counted, book, told_at).row
    if told is None or told.obligation is None:
        raise SystemExit("the shipped book tells nobody")
    for number in range(accounts):
        deadline = due.get(number)
        changes = {"deadline_at": deadline, "reminders": ()} if deadline is not None else {}
        obligation = msgspec.structs.replace(told.obligation, id=f"{number:032x}", **changes)
        row: Row = msgspec.structs.replace(told, followers=1_200_000 + number % 1000, obligation=obligation)
        yield f"{PLATFORM}:acct-{number:09}".encode(), pack(row)


def write_table(rig: Rig, accounts: int, at: int, due: dict[int, int]) -> int:
    """Write changelogs and journals; return the bytes of keys and rows."""
    messages: dict[int, list[Message]] = {number: [] for number in range(rig.partitions)}
    roots = dict.fromkeys(messages, root.EMPTY)
    size = 0
    for key, packed in rows_of(accounts, at, due):
        number = partition_of(key, rig.partitions)
        messages[number].append((key, packed, []))
        roots[number] = root.add(roots[number], key, packed)
        size += len(key) + len(packed)
    book = load_book(shipped_book_dir())
    entries: dict[int, list[Message]] = {}
    for number, own in messages.items():
        before = takeover.genesis(number, topics.INPUTS, topics.OUTPUTS, "clock")
        content = msgspec.structs.replace(
            before,
            T=text(at),
            book=book.hash,
            positions={**before.positions, topics.BOOKS: 1},
            state_root=root.text(roots[number]),
        )
        entry = next_entry(GENESIS, "bench", encode_content(content))
        entries[number] = [(None, entry, [])]
        own.append((HEAD_KEY, HeadPointer(entry_hash(entry), 1).encode(), []))
    rig.publish_book()
    rig.send(topics.JOURNAL, entries)
    rig.send("rows", messages)
    return size
