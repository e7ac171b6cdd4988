"""Faust as its documentation shows it: an agent, a table that is written with each count, a send where it crosses.

Tuned: the documented bundle of speedups is installed (orjson among it) and uvloop is the loop; the web server is off;
the stream need not be empty before a rebalance; the buffer of a stream is larger than by default, and commits come
each second, which its size asks for. Table in memory, with its changelog.

Source:
    faust-streaming.github.io/faust: "Installation" (the bundles `fast` and `uvloop`), "Settings"
    (`stream_buffer_maxsize`: higher gives throughput, with commits to match; `stream_wait_empty`, `web_enabled`),
    "Tables and Windowing".
"""

import sys
import tempfile

import faust
from mode import loop

from bench.peers.meter import LINE, PARTITIONS, Meter, called


class Count(faust.Record, serializer="json"):
    """A count as it stands in the topic."""

    event_id: str
    platform: str
    account_id: str
    followers: int
    observed_at: str


def create_app(datadir: str) -> faust.App:
    """Return the application."""
    arguments = called()
    meter = Meter(arguments)
    app = faust.App(
        f"{arguments.counts}.faust",
        broker=f"kafka://{arguments.bootstrap}",
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        stream_buffer_maxsize=16_384,
        broker_commit_interval=1.0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        datadir=datadir,
    )
    counts = app.topic(arguments.counts, value_type=Count, key_type=str, key_serializer="raw")
    crossed = app.topic(arguments.out, partitions=PARTITIONS, value_serializer="json")
    last = app.Table("last", default=int, partitions=PARTITIONS)

    @app.agent(counts)
    async def cross(stream: faust.StreamT) -> None:
        async for count in stream:
            key = f"{count.platform}:{count.account_id}"
            before, last[key] = last[key], count.followers
            if (before >= LINE) != (count.followers >= LINE):
                meter.crossings += 1
                await crossed.send(key=key, value={"account": key, "followers": count.followers})
            meter.handled()

    return app


if __name__ == "__main__":
    loop.use("uvloop")
    with tempfile.TemporaryDirectory() as directory:
        app = create_app(directory)
        sys.argv = sys.argv[:1]
        faust.Worker(app, loglevel="ERROR").execute_from_commandline()
