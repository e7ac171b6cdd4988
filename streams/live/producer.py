"""Faust's producer, with more than one request to a broker on the way.

aiokafka sends a broker one request at a time, whatever partitions it is for. The steps of our partitions do not wait
for each other, so their requests need not either. What order needs is kept: of one partition one batch is on the way.
"""

from typing import Any

from faust.transport.drivers import aiokafka as driver


class _NeverBusy(set[int]):
    """Stands in place of the brokers that have a request of ours in hand."""

    def add(self, element: int, /) -> None:
        """Do not remember it."""

    def remove(self, element: int, /) -> None:
        """It is not remembered."""


class Producer(driver.Producer):  # type: ignore[misc]
    """Faust's aiokafka producer, whose requests for different partitions do not wait for each other."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        producer._sender._in_flight = _NeverBusy()
        return producer
