"""What a test reads out of the topics afterwards: accepted and void entries, what was unread, what must agree."""

import asyncio
import json
from base64 import b64encode
from typing import NamedTuple

from harness import nameplate, replayed
from stories import history, write_book, write_history

from schemas import topics
from schemas.journal import Envelope, read_content, read_envelope
from schemas.outputs import TOPIC_OF_TYPE
from schemas.wire import canonical
from streams.ledger.chain import GENESIS, judge
from streams.live.log import Log

READ_TOPICS = (topics.COUNTS, topics.FACTS)


class Judged(NamedTuple):
    """One record of a journal partition."""

    offset: int
    envelope: Envelope
    is_accepted: bool
    is_takeover: bool

    @property
    def content(self):
        return read_content(self.envelope)


def judged(cluster):
    """Return each journal partition's records, as the one predicate judges them."""
    found = {}
    for number, records in cluster.read(topics.JOURNAL).items():
        head, found[number] = GENESIS, []
        for record in records:
            before = head
            head, envelope = judge(before, record.offset, record.value)
            said = envelope or read_envelope(record.value)
            takes_over = envelope is not None and envelope.epoch != before.epoch
            found[number].append(Judged(record.offset, said, envelope is not None, takes_over))
    return found


def accepted(cluster):
    return {
        number: [one for one in records if one.is_accepted] for number, records in judged(cluster).items()
    }


def positions(cluster):
    """Return by partition what the journal has taken of the counts and facts."""
    zero = dict.fromkeys(READ_TOPICS, 0)
    return {
        number: {topic: (entries[-1].content.positions if entries else zero)[topic] for topic in READ_TOPICS}
        for number, entries in accepted(cluster).items()
    }


async def _ends(cluster):
    log = Log(cluster.bootstrap, cluster.prefix)
    await log.start()
    try:
        return {
            number: {topic: end for topic, (_, end) in (await log.bounds(READ_TOPICS, number)).items()}
            for number in range(cluster.partitions)
        }
    finally:
        await log.stop()


def ends(cluster):
    return asyncio.run(_ends(cluster))


def unread(cluster):
    """Return by partition how many counts and facts no accepted entry has taken."""
    taken, there = positions(cluster), ends(cluster)
    return {
        number: sum(there[number][topic] - taken[number][topic] for topic in READ_TOPICS) for number in there
    }


def journaled(cluster):
    """Return the outputs that accepted entries hold, by topic and partition: what must be published, no more."""
    found = {topic: {number: [] for number in range(cluster.partitions)} for topic in topics.OUTPUTS}
    for number, entries in accepted(cluster).items():
        for entry in entries:
            for decision in entry.content.decisions:
                for output in decision["outputs"]:
                    found[TOPIC_OF_TYPE[output["type"]]][number].append(canonical(output))
    return found


class Told:
    """A published history, and what the replay makes of it."""

    def __init__(self, cluster, until, **how):
        directory = cluster.directory
        self.book = write_book(directory / "book")
        self.file = write_history(directory / "history.jsonl", history(**how))
        self.replayed = directory / "replayed"
        more = (
            "--policies",
            self.book,
            "--partitions",
            cluster.partitions,
            "--until",
            until,
            "--out",
            self.replayed,
        )
        nameplate("replay", self.file, *more)

    def publish(self, cluster):
        cluster.publish_book(self.book)
        cluster.publish_file(self.file)

    def is_decided_by(self, cluster):
        """Hold everything that left against the replay's files."""
        assert cluster.outputs() == replayed(self.replayed, cluster.partitions)
        assert dead_letters(cluster) == sorted(
            (self.replayed / "dead-letters.jsonl").read_bytes().splitlines()
        )
        check_journal(cluster, self.file)
        return True


def dead_letters(cluster):
    """Return the dead letters without copies, as lines of a file."""
    return sorted({record.value for record in cluster.records(topics.DEAD_LETTERS)})


def dump_inputs(cluster):
    """Write what stands in the input topics as a replay file, every record at its place, and return its path."""
    path = cluster.directory / "inputs.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for topic in topics.INPUTS:
            for record in cluster.records(topic):
                line = {"topic": topic, "partition": record.partition, "offset": record.offset}
                line |= {
                    "key": record.key and record.key.decode(),
                    "raw_base64": b64encode(record.value).decode(),
                }
                line |= {"timestamp": record.timestamp, "timestamp_type": record.timestamp_type}
                file.write(json.dumps(line) + "\n")
    return path


def check_journal(cluster, *files):
    """Everything journaled is published, nothing else is, and the auditor agrees."""
    assert cluster.outputs() == journaled(cluster)
    path = cluster.export()
    inputs = [part for file in files for part in ("--inputs", file)]
    nameplate("verify", path, *inputs)
    return path
