"""What an owner may do with the world: the broker, the table, the books, and nothing else."""

import asyncio
from collections.abc import Mapping

from faust.types import TP

from schemas import topics
from schemas.errors import TransportError
from streams.core.decider import Time
from streams.ledger.effects import Batches
from streams.live.access import Where
from streams.live.app import App
from streams.live.books import Books
from streams.live.counts import Counts
from streams.live.log import Log
from streams.live.remedies import LOOK, said
from streams.live.rows import Rows, send_in_order
from streams.live.topics import topic_ids


class Ports:
    """The way out of all owners of one worker.

    Args:
        app: The Faust app.
        log: For reading outside of the group.
        books: The policy books.
        bootstrap: For administration.
        prefix: Before each topic's short name.
        counts: Told of every entry that was done with.
    """

    def __init__(
        self,
        app: App,
        log: Log,
        books: Books,
        *,
        bootstrap: Where,
        prefix: str,
        counts: Counts,
    ) -> None:
        self.log = log
        self.books = books
        self.counts = counts
        self.turn = asyncio.Lock()
        """Held by the partition that decides."""
        self.has_to_send = False
        """A partition has begun to journal since another one decided."""
        self._app = app
        self._bootstrap = bootstrap
        self._prefix = prefix

    @property
    def rows(self) -> Rows:
        """The rolling table."""
        return self._app.rows

    def _name(self, topic: str) -> str:
        return topics.full_name(topic, self._prefix)

    def _tp(self, topic: str, partition: int) -> TP:
        return TP(self._name(topic), partition)

    async def append(self, partition: int, raw: bytes) -> int:
        """Append an entry to the journal; return its offset."""
        offsets = await send_in_order(
            self._app.producer._producer, self._name(topics.JOURNAL), partition, [(None, raw, [])]
        )
        return offsets[0]

    async def publish(self, partition: int, batches: Batches) -> None:
        """Send records in order per topic; return when all are acknowledged."""
        producer = self._app.producer._producer
        await asyncio.gather(
            *(send_in_order(producer, self._name(topic), partition, records) for topic, records in batches)
        )

    def accept(self, partition: int, positions: Mapping[str, int]) -> None:
        """Let accepted positions be committed to the group."""
        for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK):
            self._app.consumer.accepted(self._tp(topic, partition), positions[topic])

    async def seek(self, partition: int, positions: Mapping[str, int], time: Time) -> None:
        """Let the inputs be delivered from their accepted positions on."""
        wanted = (topics.COUNTS, topics.FACTS) + ((topics.CLOCK,) if time == "clock" else ())
        await self._app.consumer.open_at({self._tp(topic, partition): positions[topic] for topic in wanted})

    def shut(self, partition: int) -> None:
        """Deliver nothing more of a partition until `seek`; what was held back is not held back any more."""
        for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK):
            tp = self._tp(topic, partition)
            self._app.consumer.shut([tp])
            self.release(topic, partition)

    def hold(self, topic: str, partition: int, *, drop: bool) -> None:
        """Leave a topic's records in the fetch buffer; with `drop` also those that are on their way here."""
        if topic != topics.BOOKS:
            self._app.consumer.hold(self._tp(topic, partition), drop=drop)

    def release(self, topic: str, partition: int) -> None:
        """Deliver a topic again that was held."""
        tp = self._tp(topic, partition)
        if tp in self._app.consumer._held:
            self._app.consumer.release(tp)

    def delivered(self, topic: str, partition: int) -> int | None:
        """Return the next offset that an input was delivered to; None while its owner wants no more of it."""
        tp, consumer = self._tp(topic, partition), self._app.consumer
        gate = consumer.gates.find(tp)
        return gate.handed if gate is not None and tp not in consumer._held else None

    def log_end(self, topic: str, partition: int) -> int:
        """Return where the log of an input ended when it was fetched last; 0 where it is not known."""
        if topic == topics.BOOKS:
            return self.books.end
        gate = self._app.consumer.gates.find(self._tp(topic, partition))
        return gate.log_end if gate is not None else 0

    def is_assigned(self, partition: int) -> bool:
        """Return whether the group still gives the partition to this worker."""
        return partition in self._app.assigned_partitions()

    async def topic_id(self, topic: str) -> str | None:
        """Return the id of a topic on the broker; aiokafka does not know it."""
        name = self._name(topic)
        try:
            return (await asyncio.to_thread(topic_ids, self._bootstrap, [name])).get(name)
        except OSError as error:
            raise TransportError(
                f"The broker does not say the id of {name} ({said(error)}). {LOOK}"
            ) from error
