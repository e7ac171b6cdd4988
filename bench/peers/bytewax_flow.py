"""Bytewax: one worker, a state per account, a Kafka sink for crossings.

Tuned: 5,000 counts a poll; decoding is done by the batch (`flat_map_batch`) with msgspec; one worker, as more of one
process share the interpreter's lock and more processes would be more than one core. No recovery store: nothing of
its state is durable here, which makes it cheaper than it would be in service.

Source:
    docs.bytewax.io, "Performance": "Batch sizes in input sources", "Batching large-overhead operations", "Workers,
    processes and GIL contention".
"""

from collections.abc import Iterator

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from bench.peers.count import Count
from bench.peers.meter import LINE, Meter, called


def create_flow() -> Dataflow:
    """Return the dataflow."""
    arguments = called()
    meter = Meter(arguments)
    decode = msgspec.json.Decoder(Count).decode

    def keyed(messages: list[KafkaSourceMessage]) -> Iterator[tuple[str, int]]:
        for message in messages:
            count = decode(message.value)
            yield f"{count.platform}:{count.account_id}", count.followers

    def cross(before: int | None, followers: int) -> tuple[int, tuple[int, ...]]:
        crosses = ((before or 0) >= LINE) != (followers >= LINE)
        meter.crossings += crosses
        meter.handled()
        return followers, (followers,) if crosses else ()

    def told(crossing: tuple[str, int]) -> KafkaSinkMessage:
        key, followers = crossing
        value = msgspec.json.encode({"account": key, "followers": followers})
        return KafkaSinkMessage(key.encode(), value)

    flow = Dataflow("crossings")
    counts = kafka.input(
        "counts", flow, brokers=[arguments.bootstrap], topics=[arguments.counts], batch_size=5000
    )
    crossings = op.stateful_flat_map("cross", op.flat_map_batch("keyed", counts.oks, keyed), cross)
    kafka.output(
        "crossed", op.map("told", crossings, told), brokers=[arguments.bootstrap], topic=arguments.out
    )
    return flow


if __name__ == "__main__":
    cli_main(create_flow())
