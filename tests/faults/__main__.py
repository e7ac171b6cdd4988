"""`python -m tests.faults`: kill, stop, cut off and poison real workers on a real Kafka, and hold them to account.

Each finished run appends a line to the results; a campaign that is called again goes on with what is missing there.
Exit status: 0 nothing was found; 1 an invariant is violated, or somebody is stuck; 2 the call is wrong.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from . import report
from .bench import Bench
from .campaign import CAMPAIGNS, Planned, planned
from .outcome import Result
from .workers import ROOT

RESULTS = {
    "full": Path(__file__).with_name("reports") / "full.jsonl",
    "short": ROOT / ".nameplate" / "faults" / "short.jsonl",
}


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument(
        "what",
        choices=[*CAMPAIGNS, "list", "report"],
        help="which campaign; or a report of the full one's results",
    )
    parser.add_argument("--only", default="", help="only these tests, as T1,T3 or T1:2 for its second run")
    parser.add_argument("--seed", type=int, default=1, help="of the whole campaign")
    parser.add_argument(
        "--results", type=Path, help="JSON Lines; by default in reports, of the short one in .nameplate"
    )
    parser.add_argument("--directory", type=Path, help="for logs and dumps; by default a temporary one")
    parser.add_argument("--anew", action="store_true", help="also those runs whose results are there")
    called = parser.parse_args()
    if called.what == "list":
        for name in CAMPAIGNS:
            for one in planned(name, called.seed):
                print(f"{name}: {one.test}:{one.number} seed {one.seed}: {one.what}")
        return 0
    results = called.results or RESULTS.get(called.what, RESULTS["full"])
    if called.what == "report":
        print(report.write(results))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whatever runs is then ended
    wanted = [one for one in planned(called.what, called.seed) if is_wanted(one, called.only)]
    if not wanted:
        parser.error(f"no run is called {called.only}: see `python -m tests.faults list`")
    results.parent.mkdir(parents=True, exist_ok=True)
    done = set() if called.anew else {(one["test"], one["number"], one["seed"]) for one in read(results)}
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as temporary:
        directory = called.directory or Path(temporary)
        left = [one for one in wanted if (one.test, one.number, one.seed) not in done]
        print(f"{len(left)} of {len(wanted)} runs to do; results in {results}", flush=True)
        status = run_all(left, directory, results)
    print(f"report: {report.write(results)}")
    return status


def is_wanted(one: Planned, only: str) -> bool:
    names = {name for name in only.split(",") if name}
    return not names or one.test in names or f"{one.test}:{one.number}" in names


def read(results: Path) -> list[dict]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()]


def run_all(runs: list[Planned], directory: Path, results: Path) -> int:
    """Make the runs one after the other; return the exit status."""
    bench, is_clean = Bench(directory), True
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    try:
        for one in runs:
            result = Result(one.test, one.number, one.seed, "")
            began = time.monotonic()
            try:
                one.run(bench, result)
            except Exception:  # noqa: BLE001 - whatever it is, it is told, and the other runs still count
                print(f"{one.test}:{one.number} broke off:\n{traceback.format_exc()}", flush=True)
                is_clean = False
                continue
            finally:
                bench.clear()
            result.notes |= {
                "commit": commit,
                "what": one.what,
                "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            result.seconds = round(time.monotonic() - began, 1)
            with results.open("a", encoding="utf-8") as file:
                file.write(result.line() + "\n")
            print(said(one, result), flush=True)
            is_clean = is_clean and result.is_clean
    finally:
        bench.close()
    return 0 if is_clean else 1


def said(one: Planned, result: Result) -> str:
    """Return one line on a run, and more where something was found."""
    if result.not_run:
        return f"{one.test}:{one.number} not run: {result.not_run}"
    times = sorted(fault.recovery_s for fault in result.faults if fault.recovery_s is not None)
    middle = f", recovery {times[len(times) // 2]:.1f} s, at most {times[-1]:.1f} s" if times else ""
    found = [f"    {name}: {what}" for name, many in result.violations.items() for what in many]
    found += [f"    stuck: {what}" for what in result.stuck] + [f"    {what}" for what in result.exits]
    head = f"{one.test}:{one.number} {one.what} (seed {one.seed}): {len(result.faults)} faults{middle}; "
    verdict = "clean" if result.is_clean else "VIOLATED"
    return "\n".join([head + f"{verdict}; {result.seconds:.0f} s; {result.counts}", *found])


if __name__ == "__main__":
    sys.exit(main())
