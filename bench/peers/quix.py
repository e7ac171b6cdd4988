"""Quix Streams: a stateful function that keeps the last count of each account, and a topic for crossings.

Tuned: it has few dials. State is its default, RocksDB with a changelog topic, at-least-once; checkpoints come every
5 s by default, and its documentation says that rarer ones cost less, so it is left there, though all others here
commit each second. The key is not decoded, and nothing is logged.

Source:
    quix.io/docs/quix-streams: "Checkpointing" ("Configuring the Checkpointing"), "Configuration" (`commit_interval`,
    `processing_guarantee`: at-least-once where speed is the concern; `on_message_processed` to count), "Stateful
    Processing".
"""

import tempfile
from typing import Any

from quixstreams import Application, State

from bench.peers.meter import LINE, Meter, called


def run(directory: str) -> None:
    """Take all counts."""
    arguments = called()
    meter = Meter(arguments)

    def cross(count: dict[str, Any], state: State) -> dict[str, Any] | None:
        followers = count["followers"]
        before = state.get("followers", 0)
        state.set("followers", followers)
        if (before >= LINE) == (followers >= LINE):
            return None
        meter.crossings += 1
        return {"account": count["platform"] + ":" + count["account_id"], "followers": followers}

    app = Application(
        broker_address=arguments.bootstrap,
        consumer_group=f"{arguments.counts}.quix",
        auto_offset_reset="earliest",
        state_dir=directory,
        loglevel="ERROR",
        on_message_processed=lambda *_: meter.handled(),
    )
    counts = app.topic(arguments.counts, key_deserializer="bytes", value_deserializer="json")
    crossed = app.topic(arguments.out, key_serializer="bytes", value_serializer="json")
    frame = app.dataframe(counts).apply(cross, stateful=True)
    frame.filter(lambda crossing: crossing is not None).to_topic(crossed)
    app.run()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        run(directory)
