"""Holds the dump of a world against the invariants; shares no code with what it checks (`streams`, `schemas`).

I1  every account is told exactly what the naive oracle expects: nothing is lost, nothing invented
I2  never two payloads under one id, and each id is the hash that the contract names
I3  at most one open obligation per platform and account
I4  no restriction without notice and full grace, none twice, none after compliance
I5  no deadline fires early by either clock; T is what the ticks (or the records) say
I6  after de-duplication the sequence numbers are dense, and copies are equal byte for byte
I7  the chain, the seals and all state roots hold; the table ends as the journal says
I8  the program's own auditor derives every decision again (`streams.verify`, run as a process; see `world`)
I9  no fork: one writer per epoch, nobody builds on a void entry
I10 whatever any reader sees in an output topic stands in an accepted entry; at rest all of it is there
I11 the journal takes every input once, in order, to the end, and the digests fit the raw records
I12 no canary (a name, an address, a number) anywhere but in the inputs

`python -m tests.faults.checker DIRECTORY` checks a dump that was written to files.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import checker_inputs, checker_law, checker_outputs, checker_state
from .checker_dump import INPUTS, Dump, read
from .checker_journal import Judged, judged

Journal = dict[int, list[Judged]]
ROOT = Path(__file__).parents[2]


@dataclass
class Found:
    """Violations by invariant (an empty list: checked, none), and counts of what was looked at."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


INVARIANTS: dict[str, Callable[[Dump, Journal, dict[str, int]], list[str]]] = {
    "I1": checker_law.told_as_expected,
    "I2": checker_outputs.one_payload_per_id,
    "I3": checker_outputs.one_open_obligation,
    "I4": checker_outputs.restrictions_are_due,
    "I5": checker_inputs.time_is_right,
    "I6": checker_outputs.dense,
    "I7": checker_state.chain_and_roots,
    "I9": checker_state.no_fork,
    "I10": checker_outputs.backed,
    "I11": checker_inputs.inputs_are_taken_once,
    "I12": checker_state.no_canary,
}
MOST = 20
"""So many violations of one invariant are told."""


def check(dump: Dump) -> Found:
    """Hold a dump against every invariant but I8."""
    found, journal = Found(), judged(dump)
    entries = [one for records in journal.values() for one in records]
    found.counts = {
        "entries": sum(one.is_accepted for one in entries),
        "void": sum(not one.is_accepted for one in entries),
        "takeovers": sum(one.is_takeover for one in entries),
        "inputs": sum(len(records) for topic in INPUTS for records in dump.topics[topic].values()),
    }
    for name, holds in INVARIANTS.items():
        try:
            found.violations[name] = holds(dump, journal, found.counts)[:MOST]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            found.violations[name] = [f"the dump cannot be read so far: {error!r}"]
    return found


def write_for_auditor(dump: Dump, directory: Path) -> tuple[Path, Path]:
    """Write the accepted entries and the raw inputs as the program's auditor takes them; return both files."""
    journal, inputs = directory / "accepted.jsonl", directory / "inputs.jsonl"
    with journal.open("wb") as file:
        for records in judged(dump).values():
            file.writelines((one.record.value or b"") + b"\n" for one in records if one.is_accepted)
    with inputs.open("w", encoding="utf-8") as lines:
        for topic in INPUTS:
            for partition, records in dump.topics[topic].items():
                for record in records:
                    line = {"topic": topic, "partition": partition, "offset": record.offset}
                    line |= {"timestamp": record.timestamp, "timestamp_type": record.kind}
                    line["key"] = (
                        None if record.key is None else record.key.decode("utf-8", "surrogateescape")
                    )
                    raw = record.value
                    line |= {"value": None} if raw is None else {"raw_base64": base64.b64encode(raw).decode()}
                    lines.write(json.dumps(line) + "\n")
    return journal, inputs


def audit(dump: Dump, directory: Path) -> list[str]:
    """I8: let the program's own auditor, as a process of its own, derive every decision again from the raw inputs."""
    journal, inputs = write_for_auditor(dump, directory)
    call = [sys.executable, "-m", "streams.cli", "verify", str(journal), "--inputs", str(inputs)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    return [f"verify ends with {done.returncode}: {done.stdout}{done.stderr}"] if done.returncode else []


def main() -> int:
    found = check(read(Path(sys.argv[1])))
    print(json.dumps(found.counts))
    for name, said in found.violations.items():
        print(f"{name}: {len(said)} violations")
        for one in said:
            print(f"    {one}")
    return int(any(found.violations.values()))


if __name__ == "__main__":
    sys.exit(main())
