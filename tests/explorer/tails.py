"""How an owner keeps the statuses true: the real tail and the real owner's memory of it (rule 24)."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, NamedTuple

from schemas.topics import STATUS
from streams.journaling import ENTRY_HEADER, WRITER_HEADER
from streams.ledger.draft import Draft
from streams.ledger.effects import Batches
from streams.live.owner import Owner as LiveOwner
from streams.live.statuses import Tail

from . import tiny

logging.getLogger("streams.live.owner").setLevel(logging.ERROR)

Doubts = tuple[tuple[bytes, Any], ...]


class Seen(NamedTuple):
    """What an owner has seen of its status partition, and what it has to compare."""

    end: int
    """Where it ended when the owner took over."""
    at: int = 0
    before: Doubts | None = ()
    doubted: Doubts = ()
    told: tuple[bytes, ...] | None = ()
    telling: tuple[bytes, ...] = ()
    """Keys of the step under way."""
    newest: int = -1


def telling(seen: Seen, draft: Draft) -> Seen:
    return seen._replace(telling=tuple(key for key, _, _ in draft.publish.get(STATUS, ()) if key is not None))


def told(seen: Seen) -> Seen:
    """Remember whose statuses a finished step has written."""
    if seen.told is None:
        return seen._replace(telling=())
    return seen._replace(told=tuple(sorted({*seen.told, *seen.telling})), telling=())


def see(seen: Seen, log: tuple[Any, ...], writer: str) -> Seen:
    """Read the statuses up to their end as it is now."""
    tail = Tail(seen.end, writer)
    tail._newest = seen.newest
    tail._before = None if seen.before is None else dict(seen.before)
    live: Any = SimpleNamespace(
        _doubted=dict(seen.doubted),
        _told=None if seen.told is None else set(seen.told),
        _woken=asyncio.Event(),
    )
    for offset, (key, value, by, entry) in enumerate(log[seen.at :], seen.at):
        headers = ((WRITER_HEADER, by.encode()), (ENTRY_HEADER, entry))
        record = SimpleNamespace(offset=offset, key=key, value=value, headers=headers)
        if found := tail.see(record):
            LiveOwner.doubt(live, found, late=True)
    if found := tail.reach(len(log)):
        LiveOwner.doubt(live, found, late=False)
    return Seen(
        seen.end,
        len(log),
        None if tail._before is None else tuple(sorted(tail._before.items())),
        tuple(sorted(live._doubted.items())),
        None if live._told is None else tuple(sorted(live._told)),
        seen.telling,
        tail._newest,
    )


def correct(seen: Seen, core: tiny.State, entry: int, writer: str) -> tuple[Seen, Batches]:
    """Return the statuses to write again, between two steps."""
    if not seen.doubted:
        return seen, ()
    sent: list[Batches] = []

    async def publish(_: int, batches: Batches) -> None:
        sent.append(batches)

    def status_now(key: bytes, entry: int) -> tuple[bytes, bytes | None]:
        row = dict(core.rows).get(key.decode())
        return key, None if row is None else tiny.canonical({"entry": entry, "row": row})

    live: Any = SimpleNamespace(
        _doubted=dict(seen.doubted),
        _fold=SimpleNamespace(T=core.T, decider=SimpleNamespace(status_now=status_now)),
        _step=SimpleNamespace(head=SimpleNamespace(n=entry)),
        _writer=writer,
        partition=0,
        performer=SimpleNamespace(patiently=lambda act: act()),
        _ports=SimpleNamespace(publish=publish),
    )
    correcting = LiveOwner._correct_statuses(live)
    try:
        correcting.send(None)
    except StopIteration:
        pass
    else:
        raise AssertionError("a correction waits for something else than its publication")
    return seen._replace(doubted=()), sent[0] if sent else ()
