"""Facts of every type in wall time, while deadlines fall due and workers stop, die and join."""

import json
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from evidence import accepted, journaled
from harness import Cluster, eventually, nameplate
from stories import count, displayed, fact, instant, lines_of, write_book
from test_joining import last_owners

from schemas import topics
from schemas.instant import parse

pytestmark = pytest.mark.broker

PARTITIONS = 4
SESSION_S = 3
FOLLOWERS = 2_000_000
DEADLINE_S = 9
"""From the book to its absolute deadline: everybody has to be told and the first facts to be taken by then."""
EACH = 4
"""Accounts of each part; there are as many of an extended deadline as there are in `EXTENDED`."""
EXTENDED = 30
STEP_S = 0.3
"""Between the deadlines of the extended: some fall due before each stop, during it and after it."""

STARTS = ["disclosure-required", "grace-started"]
EXPIRES = ["grace-ended expired", "restriction-imposed"]
CANCELLED = ["grace-ended cancelled", "disclosure-cancelled"]
MET = ["grace-ended met", "disclosure-met"]

PARTS = {
    "silent": [*STARTS, *EXPIRES],
    "declines": [*STARTS, *EXPIRES],
    "agrees": [*STARTS, "grace-suspended"],
    "wavers": [*STARTS, "grace-suspended", "grace-resumed", *EXPIRES],
    "shows": [*STARTS, *MET, *STARTS],
    "shows-late": [*STARTS, *EXPIRES, "disclosure-met", "restriction-lifted"],
    "held": [*STARTS, "grace-suspended"],
    "released": [*STARTS, "grace-suspended", "grace-resumed", *EXPIRES],
    "held-twice": [*STARTS, "grace-suspended", "grace-resumed", *EXPIRES],
    "extended": [*STARTS, "grace-extended", *EXPIRES],
    "waived": [*STARTS, *CANCELLED, *STARTS],
    "waived-a-while": [*STARTS, *CANCELLED, *STARTS],
    "suspended": [*STARTS, "grace-suspended", "grace-resumed", *EXPIRES],
    "deleted": [*STARTS, *CANCELLED, *STARTS],
    "leaves": [*STARTS, *CANCELLED, *STARTS],
    "falls": [*STARTS, *CANCELLED, *STARTS],
}
"""What is said of an account of each part, in its order, whoever decides it and however late."""

RACING = "extended-late"
"""The part whose second fact may come before the deadline or after it: it has to be decided once, either way."""
TOLD_TIMES = {
    **{part: life.count("disclosure-required") for part, life in PARTS.items()},
    RACING: 1,
}


def now():
    return datetime.now(UTC)


def accounts_of(part):
    return [f"{part}-{number:02}" for number in range(EXTENDED if part == "extended" else EACH)]


def ruled(account, event, ruling, **more):
    return fact(
        account, "adjudication-made", instant(now()), event, ruling=ruling, reason_code="case-7", **more
    )


def said(account, event, answer):
    return fact(account, "answer-given", instant(now()), event, answer=answer)


def profile(account, event, **more):
    return fact(account, "profile-changed", instant(now()), event, **more)


def before_the_deadline(deadline):
    """Return the first facts of every part; they are taken while all graces are open."""
    until = instant(deadline + timedelta(seconds=EXTENDED * STEP_S))
    say = {
        "declines": lambda name: [said(name, "a1", "decline")],
        "agrees": lambda name: [said(name, "a1", "decline"), said(name, "a2", "agree")],
        "wavers": lambda name: [said(name, "a1", "agree")],
        "shows": lambda name: [displayed(name, instant(now()), True, "d1")],
        "held": lambda name: [ruled(name, "r1", "hold")],
        "released": lambda name: [ruled(name, "r1", "hold")],
        "held-twice": lambda name: [ruled(name, "r1", "hold"), said(name, "a1", "agree")],
        "extended-late": lambda name: [ruled(name, "r1", "extend", until=until)],
        "waived": lambda name: [ruled(name, "r1", "waive")],
        "waived-a-while": lambda name: [ruled(name, "r1", "waive", until=until)],
        "suspended": lambda name: [profile(name, "p1", status="suspended")],
        "deleted": lambda name: [profile(name, "p1", status="deleted")],
        "leaves": lambda name: [profile(name, "p1", owner="government", verified=True)],
        "falls": lambda name: [count(name, 999_999, instant(now()), "c2")],
    }
    records = [record for part, facts in say.items() for name in accounts_of(part) for record in facts(name)]
    for number, name in enumerate(accounts_of("extended"), 1):
        moved = instant(deadline + timedelta(seconds=number * STEP_S))
        records.append(ruled(name, "r1", "extend", until=moved))
    return records


def while_one_joins():
    """Return facts that arrive while partitions move: clocks run again, and what was left falls due soon."""
    say = {
        "released": lambda name: [ruled(name, "r2", "release")],
        "held-twice": lambda name: [ruled(name, "r2", "release")],
        "shows": lambda name: [displayed(name, instant(now()), False, "d2")],
        "waived": lambda name: [ruled(name, "r2", "revoke")],
        "falls": lambda name: [count(name, FOLLOWERS, instant(now()), "c3")],
        "shows-late": lambda name: [displayed(name, instant(now()), True, "d1")],
    }
    return [record for part, facts in say.items() for name in accounts_of(part) for record in facts(name)]


def while_nobody_owns():
    """Return facts that are published right after a worker was killed."""
    later = instant(now() + timedelta(seconds=6))
    say = {
        "wavers": lambda name: [said(name, "a2", "decline")],
        "held-twice": lambda name: [said(name, "a2", "decline")],
        "suspended": lambda name: [profile(name, "p2", status="active")],
        "deleted": lambda name: [profile(name, "p2", status="active")],
        "leaves": lambda name: [profile(name, "p2", owner="individual")],
        "extended-late": lambda name: [ruled(name, "r2", "extend", until=later)],
    }
    return [record for part, facts in say.items() for name in accounts_of(part) for record in facts(name)]


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def publish(cluster, records):
    cluster.publish_lines(lines_of(records))


def decisions_of(cluster):
    """Return the accepted decisions of all partitions, each partition's in order."""
    return [
        decision
        for entries in accepted(cluster).values()
        for entry in entries
        for decision in entry.content.decisions
    ]


def outputs_of(cluster):
    return [output for decision in decisions_of(cluster) for output in decision["outputs"]]


def running(outputs):
    """Return by obligation the deadline of every grace that is open and whose clock runs."""
    found, stopped = {}, {}
    for output in outputs:
        name, kind = output["obligation_id"], output["type"]
        if kind in ("grace-started", "grace-resumed"):
            found[name] = output["deadline_at"]
            stopped.pop(name, None)
        elif kind == "grace-extended":
            (stopped if name in stopped else found)[name] = output["deadline_at"]
        elif kind == "grace-suspended":
            stopped[name] = found.pop(name)
        elif kind == "grace-ended":
            found.pop(name, None)
            stopped.pop(name, None)
    return found


def due_by(outputs, moment):
    """Return the obligations with a running clock whose deadline is at or before a moment."""
    return {
        name: deadline
        for name, deadline in running(outputs).items()
        if parse(deadline) <= parse(instant(moment))
    }


def is_over(cluster):
    """Whether all was taken and nothing is still to fall due but after days: what is told late has ten."""
    if not cluster.has_journaled_all():
        return False
    outputs = outputs_of(cluster)
    told = Counter(output["account_id"] for output in outputs if output["type"] == "disclosure-required")
    if any(told[name] < times for part, times in TOLD_TIMES.items() for name in accounts_of(part)):
        return False  # a waiver has to end
    return not due_by(outputs, now() + timedelta(days=1))


def start(cluster):
    """Have everybody told by two workers, and the first facts taken; return the workers and the deadline."""
    workers = [cluster.worker(session=SESSION_S), cluster.worker(session=SESSION_S)]
    eventually(
        lambda: set.union(*(worker.owned() for worker in workers)) == set(range(PARTITIONS)), "all are owned"
    )
    eventually(lambda: all(worker.owned() for worker in workers), "both own something")
    accounts = [name for part in TOLD_TIMES for name in accounts_of(part)]
    deadline = now() + timedelta(seconds=DEADLINE_S)
    grace = {"deadline": instant(deadline), "min_days": 0, "reminders_days_before": []}
    cluster.publish_book(write_book(cluster.directory / "book", **grace))
    publish(cluster, [count(name, FOLLOWERS, instant(now()), "c1") for name in accounts])
    eventually(lambda: len(cluster.records(topics.DISCLOSURE)) >= len(accounts), "all are told")
    publish(cluster, before_the_deadline(deadline))
    eventually(cluster.has_journaled_all, "the first facts are taken")
    assert now() < deadline, "this machine is too slow for this test"
    return workers, deadline


def stop(worker):
    worker.send(signal.SIGTERM)
    worker.wait_exit()


def test_no_deadline_is_missed_or_decided_twice_while_workers_stop_die_and_join(cluster):
    (one, other), deadline = start(cluster)
    # With a deadline decided in every partition, T of each has passed that of the book: who is told later has days.
    eventually(lambda: all(cluster.read(topics.RESTRICTIONS).values()), "the first deadlines fall due")
    third = cluster.worker(session=SESSION_S)
    publish(cluster, while_one_joins())
    eventually(third.owned, "the third has joined")
    stop(one)
    eventually(
        lambda: set(last_owners(1, one, other, third).values()) == {1, 2}, "the two that are left share all"
    )
    other.kill()
    publish(cluster, while_nobody_owns())
    third.wait_owned(*range(PARTITIONS))
    eventually(lambda: is_over(cluster), "all is taken, and every deadline that passed is decided")
    stop(third)
    nothing_is_decided_twice(cluster)
    nothing_is_decided_early(cluster, deadline)
    assert not due_by(outputs_of(cluster), now()), "a grace whose deadline passed is open"
    every_part_came_to_its_end(cluster)
    journal = cluster.export()
    taken = cluster.write_inputs_as_taken(journal, cluster.directory / "taken.jsonl")
    nameplate("verify", journal, "--inputs", taken)


def nothing_is_decided_twice(cluster):
    """Copies aside, what was published is what was journaled, and that holds each output once."""
    outputs = outputs_of(cluster)
    assert cluster.outputs() == journaled(cluster)  # it also refuses a gap, and copies that differ
    assert len({output["id"] for output in outputs}) == len(outputs)
    for records in journaled(cluster).values():
        for values in records.values():
            assert [json.loads(value)["seq"] for value in values] == list(range(len(values)))
    once = ("disclosure-required", "grace-started", "grace-ended", "restriction-imposed")
    times = Counter((output["type"], output["obligation_id"]) for output in outputs if output["type"] in once)
    assert set(times.values()) == {1}
    causes = Counter((decision["key"], *what_for(decision["cause"])) for decision in decisions_of(cluster))
    assert {cause: times for cause, times in causes.items() if times > 1 and cause[0] is not None} == {}


def what_for(cause):
    """Return what names a cause but for the tick that brought it: the same due must not be decided at two."""
    if "due" in cause:
        return cause["kind"], cause["due"]
    return cause["topic"], cause["offset"]


def nothing_is_decided_early(cluster, deadline):
    """A deadline is decided at a T, by a tick and by a stamp of the broker that have all reached it."""
    clocks = {
        (number, record.offset): record
        for number, records in cluster.read(topics.CLOCK).items()
        for record in records
    }
    effective = {}
    for number, entries in accepted(cluster).items():
        for decision in (one for entry in entries for one in entry.content.decisions):
            cause = decision["cause"]
            if cause.get("kind") != "deadline":
                continue
            tick, due = clocks[number, cause["offset"]], parse(cause["due"])
            written = parse(json.loads(tick.value)["at"])
            assert min(parse(decision["T"]), written, tick.timestamp * 1000) >= due
            assert {output["effective_at"] for output in decision["outputs"]} == {cause["due"]}
            effective[decision["key"].partition(":")[2]] = cause["due"]
    for name in (*accounts_of("silent"), *accounts_of("declines")):
        assert effective[name] == instant(deadline)
    for number, name in enumerate(accounts_of("extended"), 1):
        assert effective[name] == instant(deadline + timedelta(seconds=number * STEP_S))


def every_part_came_to_its_end(cluster):
    lives, whys = {}, {}
    for output in outputs_of(cluster):
        name = output["account_id"]
        lives.setdefault(name, []).append(" ".join((output["type"], *filter(None, [output.get("outcome")]))))
        if output["type"] == "restriction-imposed":
            whys.setdefault(name.rpartition("-")[0], set()).add(output["why"])
    for part, life in PARTS.items():
        assert {name: lives[name] for name in accounts_of(part)} == dict.fromkeys(accounts_of(part), life)
    assert whys["declines"] == whys["wavers"] == whys["held-twice"] == {"declined"}
    assert whys["silent"] == whys["released"] == whys["suspended"] == {"no-reply"}
    for name in accounts_of(RACING):
        extended = lives[name].count("grace-extended")
        assert extended in {1, 2}
        assert lives[name] == [*STARTS, *["grace-extended"] * extended, *EXPIRES]
