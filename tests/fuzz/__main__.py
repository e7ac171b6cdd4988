"""`python -m tests.fuzz`: feed the decoders and loaders 100,000 cases each target's share, and say what they did.

With atheris installed it is guided by coverage; otherwise good inputs are changed at random, from a seed. No case may
raise anything but a typed error, take longer than ten seconds, or need more than 2 GiB.

Exit status: 0 nothing was found; 1 a case does not end as it should: it is written to .nameplate/fuzz; 2 a wrong call.
"""

import argparse
import importlib.util
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from types import FrameType

CASE_S = 10
MEMORY = 2 << 30
FOUND = Path(".nameplate/fuzz")
NAMES = (
    *("records", "many-counts", "json", "journals", "forged-journals", "kept", "policies"),
    *("replay-files", "client-settings", "batches"),
)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *NAMES], help="all where none is named")
    parser.add_argument("--cases", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0, help="of the changes")
    parser.add_argument("--blind", action="store_true", help="without atheris, also where it is installed")
    asked = parser.parse_args()
    names = asked.targets or NAMES
    share = -(-asked.cases // len(names))
    is_guided = not asked.blind and importlib.util.find_spec("atheris") is not None
    print("guided by atheris" if is_guided else "changed at random: atheris is not installed", flush=True)
    if not is_guided:
        return max(by_chance(name, share, asked.seed) for name in names)
    return max(in_a_process(name, share, asked.seed) for name in names)


def by_chance(name: str, cases: int, seed: int) -> int:
    """Feed one target with changed inputs of its corpus."""
    from .mutate import mutated
    from .targets import TARGETS

    def too_long(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"a case takes more than {CASE_S} s")

    resource.setrlimit(
        resource.RLIMIT_AS, (MEMORY + (2 << 30), resource.RLIM_INFINITY)
    )  # with what is mapped by libraries
    signal.signal(signal.SIGALRM, too_long)
    target, corpus = TARGETS[name]
    random, began = Random(f"{name} {seed}"), time.monotonic()
    for number in range(cases):
        data = mutated(random, corpus)
        signal.alarm(CASE_S)
        try:
            target(data)
        except BaseException:
            FOUND.mkdir(parents=True, exist_ok=True)
            (FOUND / name).write_bytes(data)
            print(f"{name}: case {number} is in {FOUND / name}", flush=True)
            raise
        finally:
            signal.alarm(0)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{name}: {cases} cases in {time.monotonic() - began:.0f} s, at most {used} MiB", flush=True)
    return 0


def in_a_process(name: str, cases: int, seed: int) -> int:
    """Feed one target by atheris, which ends its process."""
    found = FOUND / name
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    code = f"from tests.fuzz.guided import run; run({name!r}, {str(found)!r})"
    limits = [f"-runs={cases}", f"-seed={seed + 1}", f"-timeout={CASE_S}", f"-rss_limit_mb={MEMORY >> 20}"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *limits, "-max_len=80000", f"-artifact_prefix={found}/"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{name}: not as it should; the case is in {found}\n{(done.stdout + done.stderr)[-4000:]}")
        return 1
    print(f"{name}: {cases} cases in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
