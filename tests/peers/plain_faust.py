"""The crossing job in plain Faust: a table and an agent, as its documentation shows them.

`python -m tests.peers.plain_faust BOOTSTRAP PREFIX GUARANTEE DATADIR`, with `at_least_once` or `exactly_once`.

Source:
    Faust's user guide, "Tables and Windowing" (a table changed by the agent of a stream that has its keys and
    partitions) and "Settings" (`processing_guarantee`). An agent's sends go out before its offsets are committed.
"""

import sys

import faust

from .job import LINE, PARTITIONS

SESSION_S = 6.0
"""As Nameplate's worker has it by default, so that both miss a dead worker equally soon."""


class Count(faust.Record, serializer="json"):
    """One count of followers."""

    event_id: str
    platform: str
    account_id: str
    followers: int
    observed_at: str


def create_app(bootstrap: str, prefix: str, guarantee: str, datadir: str) -> faust.App:
    """Return the application."""
    app = faust.App(
        f"{prefix}{guarantee}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        processing_guarantee=guarantee,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=30.0,
        web_enabled=False,
        datadir=datadir,
    )
    counts = app.topic(f"{prefix}follower-counts.v1", value_type=Count, key_type=str, key_serializer="raw")
    crossed = app.topic(f"{prefix}crossed", partitions=PARTITIONS, value_serializer="json")
    last = app.Table(f"{prefix}last", default=int, partitions=PARTITIONS)

    @app.agent(counts)
    async def cross(stream: faust.StreamT) -> None:
        async for count in stream:
            before, last[count.account_id] = last[count.account_id], count.followers
            if (before >= LINE) != (count.followers >= LINE):
                said = {"id": count.event_id, "from": before, "to": count.followers}
                await crossed.send(key=count.account_id, value=said)

    return app


if __name__ == "__main__":
    application = create_app(*sys.argv[1:5])
    faust.Worker(application, loglevel="WARN").execute_from_commandline()
