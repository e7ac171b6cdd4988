"""The policy books of the topic, read by every worker without a group (rule 23)."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from schemas import topics
from schemas.errors import InputError, OperatorError, TransportError
from schemas.inputs import PolicyBookPublished
from schemas.policy import PolicyBook, book_from_tables
from schemas.wire import decode
from streams.live.log import Log

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How late a new book is seen. A book takes effect at a recorded point, so this is no matter of truth."""


class Books:
    """All records of the policy-book topic, in order.

    Args:
        log: The broker.
        on_new: Called when records were added.
    """

    def __init__(self, log: Log, on_new: Callable[[], None]) -> None:
        self.records: list[Any] = []
        self._log = log
        self._on_new = on_new
        self._next = 0
        self._by_hash: dict[str, PolicyBook] = {}

    async def refresh(self) -> None:
        """Read what was published since the last time."""
        found = await self._log.read(topics.BOOKS, 0, self._next, None)
        # a rebalance and `follow` may ask at the same time: what the other one has read by now is old
        new = [record for record in found.records if record.offset >= self._next]
        self._next = max(self._next, found.upto)
        if new:
            self.records += new
            self._on_new()

    async def follow(self) -> None:
        """Read new books for ever."""
        while True:
            try:
                await self.refresh()
            except TransportError as error:
                log.warning("no look at the policy books: %s", error)
            await asyncio.sleep(POLL_S)

    @property
    def end(self) -> int:
        """Where the topic ended when it was read last."""
        return self._next

    def after(self, position: int) -> list[Any]:
        """Return the records at and after a position."""
        return [record for record in self.records if record.offset >= position]

    def find(self, book_hash: str) -> PolicyBook:
        """Return the book of a hash.

        Raises:
            OperatorError: the topic holds no such book.
        """
        if book_hash not in self._by_hash:
            for record in self.records:
                try:
                    said = decode(topics.BOOKS, record.key, record.value, ())
                except InputError:
                    continue
                if isinstance(said, PolicyBookPublished) and said.hash == book_hash:
                    self._by_hash[book_hash] = book_from_tables(said.book)
        if book_hash not in self._by_hash:
            raise OperatorError(
                f"The journal was decided by the policy book {book_hash}, and its topic holds none with this hash. "
                "Publish it again with `nameplate policy publish DIR`; nothing was decided."
            )
        return self._by_hash[book_hash]
