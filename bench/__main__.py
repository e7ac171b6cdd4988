"""Measure, and write bench/RESULTS.md, results.svg and results.json: `make bench`, or `python -m bench`.

What is measured again replaces what the files said of it; the rest stays.
"""

import argparse
import logging
import shlex
import subprocess
import sys
import time
from pathlib import Path

from bench import loads, plot, race, report, results
from bench.contestants import CONTESTANTS, Peers, Stream
from bench.results import HERE, Measure, Race
from bench.rig import ROOT, broker, keep_in_memory, load

MEASURES: dict[str, tuple[str, ...]] = {
    "wake": ("bench.wake",),
    "recovery": ("bench.recovery",),
    "deadlines": ("bench.deadlines",),
    "latency": ("bench.latency",),
    "scale": ("bench.scale",),
    "quiet-memory": ("bench.quiet_memory",),
    "offline": ("bench.offline",),
}
"""What is measured beside the race: a name, and the module with its arguments. What it prints is reported."""


def run_race(said: argparse.Namespace, command: str) -> Race:
    """Let all contestants take turns."""
    peers = Peers(said.python, _say)
    ran = Race(results.made(command, peers.versions()), [], dict(peers.missing))
    chosen = [one for one in CONTESTANTS if not said.contestant or one.name in said.contestant]
    fed: dict[tuple[Stream, int], loads.Load] = {}
    with broker(said.bootstrap) as bootstrap:
        for number in range(said.rounds):
            for one in chosen[:: -1 if number % 2 else 1]:
                if one.name in ran.missing:
                    continue
                counts = min(said.events, one.most)
                if (one.stream, counts) not in fed:
                    fed[one.stream, counts] = loads.load_of(one.stream, counts)
                try:
                    run = race.run(
                        bootstrap,
                        one.name,
                        peers.command(one),
                        fed[one.stream, counts],
                        small_batches=one.small_batches,
                    )
                except (SystemExit, OSError) as end:
                    if not one.peer:
                        raise
                    ran.missing[one.name] = str(end).strip().splitlines()[-1]
                    _say(f"{one.title} cannot take part: {end}")
                    continue
                ran.rounds.append(run)
                rates = f"{counts / max(run.cpu_s, 0.01):,.0f} a CPU s, {counts / run.wall_s:,.0f} a wall s"
                _say(f"round {number + 1}, {one.title}: {rates}; {load()}")
    return ran


def run_measure(name: str) -> Measure:
    """Let a measurement run, and return what it said."""
    command = f"python -m {shlex.join(MEASURES[name])}"
    _say(f"{name}: {command}")
    lines = []
    call = [sys.executable, "-u", "-m", *MEASURES[name]]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        lines.append(f"It did not come to its end: exit status {process.returncode}.\n")
    return Measure(results.made(command, {}), "".join(lines))


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=("race", *MEASURES), help="of all; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the race")
    parser.add_argument("--events", type=int, default=3_000_000, help="of the race; the slow take fewer")
    parser.add_argument(
        "--contestant",
        action="append",
        choices=[one.name for one in CONTESTANTS],
        help="of the race; may be repeated",
    )
    parser.add_argument("--python", type=Path, help="of an environment that has the peers installed")
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    said = parser.parse_args()
    keep_in_memory()
    # The rig's producer meets topics whose leaders are a moment old, and says so each time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    found = results.read()
    for name in said.only or ("race", *MEASURES):
        if name == "race":
            found.race = run_race(said, command)
        else:
            found.measures[name] = run_measure(name)
        results.write(found)
        if found.race is not None:
            (HERE / "results.svg").write_text(plot.svg(found.race), "utf-8")
        (HERE / "RESULTS.md").write_text(report.markdown(found), "utf-8")
    _say(f"Written: {HERE / 'RESULTS.md'}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main()
