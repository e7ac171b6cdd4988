"""Run the tests against every mutant of the core: `make mutants`.

The tests are collected once. Each mutant gets a fork of that process: its code is put in the place of
the module's, the tests run, and the first that fails has caught it; so has one that does not end. First
come the tests that caught a mutant of the same function, then those that call the function, the short
before the long, then all others: a survivor has passed every test. What was found is kept in a file, so
that a run goes on where it stopped.

Not mutmut 3: it has no forced conditions, removed statements or swapped calls. Not cosmic-ray: a new
process with all imports costs seconds for each of the mutants.
"""

import ast
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from mutate import Mutant, mutants_of, read_core
from survivors import SURVIVORS, listed

TESTS = ("core", "test_scenarios.py", "test_laws.py", "test_replay.py", "test_verify.py", "test_worlds.py")
FOUND = Path(".nameplate/mutants.jsonl")
CALLS = Path(".nameplate/mutants-calls.json")
"""Of each test the functions that it calls, from when it was first seen: only the order depends on it."""
MEMORY_BYTES = 4 << 30
SLACK_S = 5
"""A test of a mutant gets ten times its own processor time and this: what takes longer does not end."""


class Runner:
    """Takes the place of pytest's loop over the tests.

    Args:
        jobs: How many mutants are tried at a time.
        again: Survivors found before are tried again.
        only: Mutants of functions whose name begins with this.
    """

    def __init__(self, jobs: int, only: str, *, again: bool) -> None:
        self.jobs, self.only, self.again = jobs, only, again
        self.core = read_core()
        FOUND.parent.mkdir(exist_ok=True)
        self.mutants = [one for name, (_, tree) in self.core.items() for one in mutants_of(name, tree)]
        self.seconds: dict[int, float] = {}
        self.callers: dict[str, set[int]] = defaultdict(set)
        self.catchers: dict[str, Counter[int]] = defaultdict(Counter)

    def pytest_configure(self) -> None:
        """The same examples for every mutant, and none made smaller."""
        import hypothesis

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants", hypothesis.settings.get_profile("nameplate"), derandomize=True, phases=phases
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant that was not tried yet."""
        sys.modules["test_worlds"].shrunk = lambda world, _: world
        self._measure(session)
        found = read_found()
        todo = []
        for mutant in self.mutants:
            known = found.get((mutant.digest, *mutant.name))
            if mutant.where.startswith(tuple(self.only.split(","))) and (
                known is None or (self.again and known["by"] is None)
            ):
                todo.append(mutant)
        print(f"\n{len(self.mutants)} mutants, {len(todo)} to try", flush=True)
        self._try_all(session, todo)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say why a test fails without a mutant; those of the mutants are silenced."""
        if report.failed:
            print(report.nodeid, report.longreprtext, sep="\n", file=sys.stderr, flush=True)

    def _measure(self, session: pytest.Session) -> None:
        """Run all tests of the code as it is; see how long each takes and, once, which functions it calls."""
        known = json.loads(CALLS.read_text("utf-8")) if CALLS.exists() else {}
        names = {
            id(function.__code__): f"{name}.{place}"
            for name, (file, _) in self.core.items()
            for place, function in _functions(vars(import_module(f"streams.core.{name}")), file)
        }
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryDirectory() as directory:
            pid = os.fork()
            if pid == 0:
                _enter(session, directory, 1)
                for place, item in enumerate(session.items):
                    called: set[int] = set()
                    if item.nodeid not in known:
                        sys.settrace(lambda frame, *_, called=called: called.add(id(frame.f_code)))
                    begun = time.process_time()
                    _run(session, place, None)
                    sys.settrace(None)
                    calls = known.get(item.nodeid) or sorted(names[one] for one in called if one in names)
                    json.dump([item.nodeid, time.process_time() - begun, calls], out)
                    out.write("\n")
                    if session.testsfailed:
                        os._exit(1)
                out.flush()
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                pytest.exit("the tests have to pass first", 1)
            out.seek(0)
            for place, line in enumerate(out):
                nodeid, self.seconds[place], known[nodeid] = json.loads(line)
                for name in known[nodeid]:
                    self.callers[name].add(place)
        CALLS.write_text(json.dumps(known), "utf-8")

    def _order(self, mutant: Mutant) -> list[int]:
        callers, catchers = self.callers[mutant.where], self.catchers[mutant.where]
        return sorted(
            self.seconds, key=lambda one: (-catchers[one], one not in callers, self.seconds[one], one)
        )

    def _try_all(self, session: pytest.Session, todo: list[Mutant]) -> None:
        running: dict[int, tuple[Mutant, list[int], Any, str, float]] = {}
        done = 0
        while todo or running:
            while todo and len(running) < self.jobs:
                mutant = todo.pop(0)
                order, directory = self._order(mutant), tempfile.mkdtemp()
                progress = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115
                pid = os.fork()
                if pid == 0:
                    self._try(session, mutant, order, progress, directory)
                running[pid] = mutant, order, progress, directory, time.monotonic()
            pid, status = os.wait()
            mutant, order, progress, directory, begun = running.pop(pid)
            shutil.rmtree(directory, ignore_errors=True)
            passed, by = progress.seek(0, os.SEEK_END), None
            progress.close()
            if status:
                by = session.items[order[passed]].nodeid
                self.catchers[mutant.where][order[passed]] += 1
            note = {
                "digest": mutant.digest, "name": mutant.name, "line": mutant.line, "by": by,
                "ended": not os.WIFSIGNALED(status), "seconds": round(time.monotonic() - begun, 1),
            }  # fmt: skip
            with FOUND.open("a") as file:
                print(json.dumps(note), file=file)
            done += 1
            if by is None or done % 50 == 0:
                print(f"{done:5} {by or 'SURVIVED'} {mutant.line} {mutant.name}", flush=True)

    def _try(
        self, session: pytest.Session, mutant: Mutant, order: list[int], progress: Any, directory: str
    ) -> None:
        """In the fork: exit with 1 if a test fails."""
        try:
            _enter(session, directory, 1, 2)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            self._install(mutant)
            for place, following in zip(order, [*order[1:], None], strict=True):
                signal.setitimer(signal.ITIMER_PROF, SLACK_S + 10 * self.seconds[place])
                _run(session, place, following)
                if session.testsfailed:
                    os._exit(1)
                progress.write(b".")
            os._exit(0)
        finally:
            os._exit(1)

    def _install(self, mutant: Mutant) -> None:
        """Put the code of a mutant in the place of its module's, and its constants wherever they were imported."""
        name = mutant.where.partition(".")[0]
        module = import_module(f"streams.core.{name}")
        file, tree = self.core[name]
        before = _executed(tree, module, file)
        mutant.apply()
        after = _executed(tree, module, file)
        changed = dict(_functions(after, file))
        for place, function in _functions(vars(module), file):
            function.__code__ = changed[place].__code__
            function.__defaults__ = changed[place].__defaults__
            function.__kwdefaults__ = changed[place].__kwdefaults__
        for constant, value in after.items():
            if (
                isinstance(value, int | tuple | dict)
                and constant != "__builtins__"
                and value != before[constant]
            ):
                old = vars(module)[constant]
                for other in list(sys.modules.values()):
                    if vars(other).get(constant) is old:
                        setattr(other, constant, value)


def _enter(session: pytest.Session, directory: str, *silent: int) -> None:
    """Begin a fork: files in a directory of its own, nothing said."""
    session.config._tmp_path_factory._basetemp = Path(directory).resolve()
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in silent:
        os.dup2(null, stream)


def _run(session: pytest.Session, place: int, following: int | None) -> None:
    item, then = session.items[place], session.items[following] if following is not None else None
    item.ihook.pytest_runtest_protocol(item=item, nextitem=then)


def _executed(tree: ast.Module, module: Any, file: Path) -> dict[str, Any]:
    names = {"__name__": module.__name__}
    exec(compile(ast.fix_missing_locations(tree), str(file), "exec"), names)  # noqa: S102
    return names


def _functions(names: Any, file: Path) -> Iterator[tuple[str, FunctionType]]:
    """Every function and method that a module itself defines, by its qualified name."""
    for value in list(names.values()):
        for one in [value, *vars(value).values()] if isinstance(value, type) else [value]:
            function = getattr(one, "fget", None) or getattr(one, "__func__", one)
            if isinstance(function, FunctionType) and function.__code__.co_filename == str(file):
                yield function.__qualname__, function


def read_found() -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the last finding of each mutant."""
    lines = FOUND.read_text("utf-8").splitlines() if FOUND.exists() else []
    notes = [json.loads(line) for line in lines]
    return {(note["digest"], *note["name"]): note for note in notes}


def report(mutants: list[Mutant]) -> int:
    """Print the figures; return how many mutants are not tried, survive unlisted, or are listed and caught."""
    found, reasons = read_found(), listed()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    wrong = 0
    for mutant in mutants:
        note = found.get((mutant.digest, *mutant.name))
        if note is None:
            outcome = "not tried"
        elif note["by"] is not None:
            outcome = "caught" if note["ended"] else "does not end"
        else:
            outcome = "survives"
        if (outcome == "survives") != (mutant.name in reasons):
            wrong += 1
            print(
                f"{outcome}, {'' if mutant.name in reasons else 'not '}listed: line {mutant.line} {mutant.name}"
            )
        kinds[mutant.operator][outcome] += 1
        kinds["all"][outcome] += 1
    outcomes = ("caught", "does not end", "survives", "not tried")
    print("".join(f"{word:>14}" for word in ("operator", "mutants", *outcomes)))
    for operator, counts in sorted(kinds.items(), key=lambda pair: pair[1].total()):
        print(f"{operator:>14}{counts.total():>14}" + "".join(f"{counts[one]:>14}" for one in outcomes))
    share = 1 - (kinds["all"]["survives"] + kinds["all"]["not tried"]) / len(mutants)
    print(f"{share:.2%} of the mutants are caught; {SURVIVORS} gives the reasons of the others")
    return wrong + kinds["all"]["not tried"]


def main() -> int:
    """Try what was not tried, and report."""
    parser = ArgumentParser(description="Run the tests against every mutant of streams/core.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--again", action="store_true", help="try survivors again")
    parser.add_argument("--only", default="", help="functions whose names begin so, as scope.covers,band")
    parser.add_argument("--report", action="store_true", help="say what was found, try nothing")
    given = parser.parse_args()
    runner = Runner(given.jobs, given.only, again=given.again)
    if not given.report:
        sys.path.insert(0, str(Path.cwd()))
        tests = [f"tests/{name}" for name in TESTS]
        options = ["-s", "-p", "no:terminal", "-o", "addopts=", "-o", "timeout=0", "-p", "no:cacheprovider"]
        code = pytest.main([*tests, *options], plugins=[runner])
        if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            return int(code)
    return min(1, report(runner.mutants))


if __name__ == "__main__":
    sys.exit(main())
