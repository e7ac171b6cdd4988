"""Is everything here that a worker and a local broker need? Each check says what was found and what is wanted.

A check that cannot be made because an earlier one failed says so; nothing is changed.
"""

import asyncio
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from schemas import topics
from schemas.counts import IS_COMPILED
from schemas.errors import InputError, OperatorError, PolicyError, TransportError
from schemas.inputs import PolicyBookPublished
from schemas.policy import PolicyBook
from schemas.wire import decode
from streams.broker.jars import INSTALL, JAVA_MIN, find_java, find_maven, jars_dir, java_version
from streams.broker.local import DEFAULT_DATA_DIR, status
from streams.broker.process import is_free, is_open
from streams.live.access import Where, hosts
from streams.live.log import Log
from streams.live.remedies import LOCAL, LOOK, called, why_silent
from streams.live.topics import Change, brokers, plan_as_found
from streams.policies.load import load_book, shipped_book_dir

PYTHON = (3, 11)
FREE_BYTES = 1 << 30
"""Kafka writes segments of at most this size, and ends where the disk is full."""
PARTITIONS = 4
OF_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
NO_BROKER = "not looked at: no broker answers"

Status = Literal["ok", "note", "wrong", "unknown"]


class Check(NamedTuple):
    """One thing that was looked at."""

    check: str
    """Its name, such as `java`."""
    status: Status
    """`note`: not as it might be, but nothing needs it; `unknown`: it could not be looked at."""
    found: str
    wanted: str
    remedy: str | None = None
    """What to do, None where there is nothing to do."""


class Asked(NamedTuple):
    """What is to be looked at."""

    bootstrap: Where
    prefix: str
    data_dir: Path = DEFAULT_DATA_DIR
    """Of the local broker."""
    policies: Path | None = None
    """Directory of a book of one's own; None: the shipped one."""

    @property
    def is_local(self) -> bool:
        """Whether the broker is to be one of this machine."""
        return all(host in OF_THIS_MACHINE for host, _ in hosts(self.bootstrap))


def examine(asked: Asked) -> list[Check]:
    """Look at everything, in an order in which what is missing can be mended."""
    broker = _broker(asked)
    answers = broker.status == "ok"
    is_to_start = asked.is_local and not answers
    book = _book(asked)
    return [
        _python(),
        _compiled(),
        _java(is_to_start),
        _maven(is_to_start),
        _disk(asked),
        _port(asked, answers=answers),
        broker,
        *_topics(asked, answers=answers),
        book[0],
        _published(asked, book[1], answers=answers),
    ]


# This machine ----------------------------------------------------------------------------------------


def _python() -> Check:
    wanted = ".".join(map(str, PYTHON))
    if sys.version_info[:2] == PYTHON:
        return Check("python", "ok", platform.python_version(), wanted)
    return Check("python", "wrong", platform.python_version(), wanted, f"`make setup PYTHON=python{wanted}`")


def _compiled() -> Check:
    wanted = "built where there was a C compiler"
    if IS_COMPILED:
        return Check("compiled", "ok", "counts are read in compiled code", wanted)
    return Check("compiled", "note", "counts are read in Python, many times slower", wanted)


def _java(is_needed: bool) -> Check:
    wanted = f"{JAVA_MIN} or newer, for a local broker"
    try:
        java = find_java()
    except OperatorError:
        return Check("java", "wrong" if is_needed else "note", "none of this version", wanted, INSTALL)
    return Check("java", "ok", f"{java_version(java)} at {java}", wanted)


def _maven(is_needed: bool) -> Check:
    wanted = "once, to fetch Apache Kafka for a local broker"
    if jars_dir().is_dir():
        return Check("maven", "ok", f"not needed any more: Apache Kafka is in {jars_dir()}", wanted)
    try:
        return Check("maven", "ok", str(find_maven()), wanted)
    except OperatorError:
        return Check("maven", "wrong" if is_needed else "note", "none", wanted, INSTALL)


def _disk(asked: Asked) -> Check:
    wanted = f"{FREE_BYTES >> 30} GiB, for the data of a local broker"
    if not asked.is_local:
        return Check("disk", "note", "not looked at: the broker is not of this machine", wanted)
    here = asked.data_dir.resolve()
    while not here.exists():
        here = here.parent
    free = shutil.disk_usage(here).free
    found = f"{free / (1 << 30):.1f} GiB free at {here}"
    if free >= FREE_BYTES:
        return Check("disk", "ok", found, wanted)
    return Check("disk", "wrong", found, wanted, "Make room, or `nameplate broker up --data DIR` elsewhere.")


def _port(asked: Asked, *, answers: bool) -> Check:
    wanted = "free, or a Kafka's"
    ours = status(asked.data_dir)
    host, port = hosts(asked.bootstrap)[0]
    if not asked.is_local:
        return Check("port", "note", "not looked at: the broker is not of this machine", wanted)
    if ours.up and ours.bootstrap == f"{host}:{port}":
        return Check("port", "ok", f"{port} is that of our broker (pid {ours.pid})", wanted)
    if answers:
        return Check("port", "ok", f"{port} is that of a Kafka that was started elsewhere", wanted)
    if is_free(host, port):
        return Check("port", "ok", f"{port} is free", wanted)
    found = f"{port} is taken by another program" if is_open(host, port) else f"{port} cannot be had"
    remedy = "End it, or take another port: `nameplate broker up --port N`, then --bootstrap 127.0.0.1:N."
    return Check("port", "wrong", found, wanted, remedy)


# The broker ------------------------------------------------------------------------------------------


def _broker(asked: Asked) -> Check:
    wanted = f"Kafka at {asked.bootstrap}"
    try:
        count = brokers(asked.bootstrap)
    except (OperatorError, TransportError) as error:
        why = why_silent(asked.bootstrap)
        if why is None and isinstance(error, OperatorError):  # somebody is there, and may not be spoken to so
            found, _, remedy = str(error).partition(". Name ")
            return Check("broker", "wrong", found, wanted, f"Name {remedy}" if remedy else LOOK)
        why = why or "who listens there does not speak like a Kafka"
        return Check("broker", "wrong", f"no answer: {why}", wanted, _how_to_reach(asked))
    return Check("broker", "ok", f"Kafka answers, {count} broker{'' if count == 1 else 's'}", wanted)


def _how_to_reach(asked: Asked) -> str:
    ours = status(asked.data_dir)
    if ours.up:
        return f"Ours is up at another place: `export NAMEPLATE_BOOTSTRAP={ours.bootstrap}`"
    if not asked.is_local:
        return f"See that {asked.bootstrap} can be reached from here, or name another one with --bootstrap HOST:PORT."
    port = f" --port {hosts(asked.bootstrap)[0][1]}" if str(asked.bootstrap) != LOCAL else ""
    return f"`nameplate broker up{port}`"


def _topics(asked: Asked, *, answers: bool) -> Sequence[Check]:
    """Look at all topics, and at the clock by itself, without which no worker starts."""
    wanted, dated = "all, with the settings of `nameplate topics plan`", "dated by the broker (LogAppendTime)"
    if not answers:
        return Check("topics", "unknown", NO_BROKER, wanted), Check("clock", "unknown", NO_BROKER, dated)
    try:
        changes = plan_as_found(asked.bootstrap, asked.prefix, PARTITIONS)
    except (OperatorError, TransportError) as error:
        found, _, remedy = str(error).partition(" Nothing was changed. ")
        return Check("topics", "wrong", found, wanted, remedy), Check("clock", "unknown", "see topics", dated)
    clock = next(change for change in changes if change.spec.short == topics.CLOCK)
    remedy = called(f"topics apply --partitions {clock.spec.partitions}", asked.bootstrap, asked.prefix)
    return _all_topics(changes, wanted, remedy), _clock(clock, dated, remedy)


def _all_topics(changes: Sequence[Change], wanted: str, remedy: str) -> Check:
    absent = [change.spec.name for change in changes if change.kind == "create"]
    differing = [
        f"{change.spec.name} has {name}={now}, not {want}"
        for change in changes
        if change.kind == "alter"
        for name, now, want in change.settings
    ]
    if not absent and not differing:
        partitions = max(change.spec.partitions for change in changes)
        return Check("topics", "ok", f"{len(changes)}, of {partitions} partitions", wanted)
    found = [f"{len(absent)} of {len(changes)} are missing: {_some(absent)}"] if absent else []
    found += [_some(differing)] if differing else []
    return Check("topics", "wrong", "; ".join(found), wanted, remedy)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _clock(clock: Change, wanted: str, remedy: str) -> Check:
    if clock.kind == "create":
        return Check("clock", "unknown", "the topic is missing", wanted, remedy)
    now = {name: value for name, value, _ in clock.settings}.get("message.timestamp.type", "LogAppendTime")
    if now == "LogAppendTime":
        return Check("clock", "ok", f"{clock.spec.name} is {now}", wanted)
    return Check("clock", "wrong", f"{clock.spec.name} is {now}", wanted, remedy)


# The policy book -------------------------------------------------------------------------------------


def _book(asked: Asked) -> tuple[Check, PolicyBook | None]:
    directory = asked.policies or shipped_book_dir()
    wanted = f"{'the shipped book' if asked.policies is None else directory} loads"
    try:
        book = load_book(directory)
    except PolicyError as error:
        first, *more = str(error).splitlines()
        found = f"{first} ({len(more)} more)" if more else first
        return Check("book", "wrong", found, wanted, f"`nameplate policy check {directory}`"), None
    return Check("book", "ok", f"{len(book.policies)} policies, book {book.hash}", wanted), book


def _published(asked: Asked, book: PolicyBook | None, *, answers: bool) -> Check:
    wanted = "a book, as nothing is decided before the first"
    remedy = called("policy publish", asked.bootstrap, asked.prefix)
    if asked.policies is not None:
        remedy = called(f"policy publish {asked.policies}", asked.bootstrap, asked.prefix)
    if not answers:
        return Check("published", "unknown", NO_BROKER, wanted)
    try:
        values = asyncio.run(_book_records(asked))
        newest = decode(topics.BOOKS, None, values[-1], ()) if values else None
    except (OperatorError, TransportError):
        return Check("published", "unknown", "the topic cannot be read: see topics", wanted)
    except InputError as error:
        found = f"the newest of {len(values)} is none: it becomes a dead letter ({error.code})"
        return Check("published", "wrong", found, wanted, remedy)
    if not isinstance(newest, PolicyBookPublished):
        return Check("published", "wrong", "none", wanted, remedy)
    if book is not None and newest.hash != book.hash:
        return Check(
            "published", "note", f"another one, {newest.hash}", wanted, f"If it is not meant: {remedy}"
        )
    return Check("published", "ok", newest.hash, wanted)


async def _book_records(asked: Asked) -> list[bytes | None]:
    log = Log(asked.bootstrap, asked.prefix)
    await log.start()
    try:
        await log.partitions(topics.BOOKS)
        return [record.value for record in (await log.read(topics.BOOKS, 0, 0, None)).records]
    finally:
        await log.stop()
