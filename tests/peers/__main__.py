"""`python -m tests.peers`: the crossing job by Nameplate and by plain Faust under the same faults; writes REPORT.md.

Exit status: 0 Nameplate lost nothing and contradicted nothing, whatever the others did; 1 it did.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streams.broker import local

from .job import Publisher, judge
from .script import SCRIPTS, Stage
from .systems import SYSTEMS, Nameplate, System

HERE = Path(__file__).parent
PATIENCE_S = 120
"""After the last fault; what is not read by then stays unread."""
QUIET_S = 3.0
START_S = 12.0
"""For two workers to share the partitions, before there is anything to do."""
COLUMNS = (
    "fault",
    "system",
    "faults",
    "counts",
    "due",
    "lost",
    "doubled",
    "contradicting",
    "unread",
    "restarts",
)
EXPLAINED = """\
Due: counts that take an account to the other side of 500,000. Lost: nothing was said of them. Doubled: copies
beyond the first, as a reader sees them (of exactly_once: one who waits for commits; of Nameplate each copy has the
same bytes and number, so that one integer drops it). Contradicting: counts of which two different things were said,
or something though they crossed nothing. Unread: counts that nobody had taken two minutes after the last fault.
Restarts: workers that ended by themselves and were started again.
"""


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.peers", description=__doc__)
    parser.add_argument("--faults", type=int, help="so many of each kind, instead of 20, 10 and 25")
    parser.add_argument("--only", default="", help="only systems whose name contains this")
    parser.add_argument("--rate", type=float, default=400, help="counts a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=HERE / "REPORT.md")
    called = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        broker = local.up(Path(directory) / "broker", ephemeral=True, say=print)
        try:
            for name, (script, count) in SCRIPTS.items():
                for kind in SYSTEMS:
                    if called.only in kind.name:
                        system = kind(broker.bootstrap, f"p{secrets.token_hex(3)}.", Path(directory))
                        run = play(system, script, called.faults or count, called.seed, called.rate)
                        found.append({"fault": name, "system": kind.name, **run})
                        print(row(found[-1]), flush=True)
        finally:
            local.kill(broker.data_dir)
    write(called.report, found, called)
    ours = [run for run in found if run["system"] == Nameplate.name]
    return 1 if any(run["lost"] or run["contradicting"] or run["unread"] for run in ours) else 0


def play(system: System, script: Any, count: int, seed: int, rate: float) -> dict[str, Any]:
    """Run the job under one script, and return what came of it."""
    publisher = Publisher(system.bootstrap, system.counts, seed, rate)
    stage = Stage(system, seed)
    try:
        stage.wait(START_S, START_S)
        publisher.start()
        script(stage, count)
        publisher.end()
        unread = drain(stage)
    finally:
        stage.close()
    verdict = judge(publisher.sent, system.said())
    return {"faults": stage.faults, "restarts": stage.ended, "unread": unread, **asdict(verdict)}


def drain(stage: Stage) -> int:
    """Let two workers come to the end of the counts; return how many are left unread where they do not."""
    while len(stage.workers) < 2:
        stage.workers.append(stage.system.start())
    until = time.monotonic() + PATIENCE_S
    while (lag := stage.system.lag()) and time.monotonic() < until:
        stage.wait(0.5, 0.5)
    stage.wait(QUIET_S, QUIET_S)
    return lag


def row(run: dict[str, Any]) -> str:
    return "| " + " | ".join(f"{run[n]:,}" if isinstance(run[n], int) else run[n] for n in COLUMNS) + " |"


def write(report: Path, found: list[dict[str, Any]], called: argparse.Namespace) -> None:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()
    made_by = (
        f"`python -m tests.peers --seed {called.seed} --rate {called.rate:g}` on {time.strftime('%Y-%m-%d')}, "
        f"commit {commit}, faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')}, "
        f"Apache Kafka {local.KAFKA_VERSION}, Python {sys.version.split()[0]}."
    )
    head = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines = ["# The same job under the same faults", made_by, "", EXPLAINED, *head, *map(row, found)]
    examples = [f"- {run['fault']}, {run['system']}: `{said}`" for run in found for said in run["examples"]]
    if examples:
        lines += ["", "What contradicting looks like:", *examples]
    report.write_text("\n".join(lines) + "\n", "utf-8")
    report.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
