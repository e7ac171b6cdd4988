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
from types import FunctionType, ModuleType
from typing import Any

import pytest
from mutate import Mutant, mutants_of, read_core
from survivors import SURVIVORS, listed

TESTS = ("core", "test_scenarios.py", "test_laws.py", "test_replay.py", "test_verify.py", "test_worlds.py")
FOUND = Path(".nameplate/mutants.jsonl")
MEMORY_BYTES = 4 << 30
SLACK_S = 5
"""A test of a mutant gets ten times its own processor time and this: what takes longer does not end."""
FAILED, NOT_LOADED = 1, 2


class Runner:
    """Takes the place of pytest's loop over the tests.

    Args:
        jobs: How many mutants are tried at a time.
        only: Mutants of functions whose names begin with one of these, parted by commas.
        again: Survivors found before are tried again.
    """

    def __init__(self, jobs: int, only: str, *, again: bool) -> None:
        self.jobs, self.only, self.again = jobs, tuple(only.split(",")), again
        self.core = read_core()
        self.mutants = [one for name, (_, tree) in self.core.items() for one in mutants_of(name, tree)]
        self.seconds: list[float] = []
        """Of each test, in the order of collection."""
        self.callers: dict[str, set[int]] = defaultdict(set)
        self.catchers: dict[str, Counter[int]] = defaultdict(Counter)

    # What pytest asks --------------------------------------------------------------------------------

    def pytest_configure(self) -> None:
        """The same examples for every mutant, and none made smaller."""
        from hypothesis import Phase, settings

        ours, phases = settings.get_profile("nameplate"), (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", ours, derandomize=True, phases=phases)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say why a test fails without a mutant; the forks of the mutants are silent."""
        if report.failed:
            print(report.nodeid, report.longreprtext, sep="\n", file=sys.stderr, flush=True)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant that was not tried yet."""
        sys.modules["test_worlds"].shrunk = lambda world, _: world
        self._measure(session)
        found = read_found()
        todo = []
        for mutant in self.mutants:
            note = found.get(mutant.identity)
            if mutant.where.startswith(self.only) and (note is None or (self.again and note["by"] is None)):
                todo.append(mutant)
        print(f"{len(self.mutants)} mutants, {len(todo)} to try", flush=True)
        self._try_all(session, todo)
        return True

    # Tests and mutants -------------------------------------------------------------------------------

    def _measure(self, session: pytest.Session) -> None:
        """Run all tests without a mutant; see how long each takes and which functions it calls.

        The code is put in the place of itself first, so that a mistake in doing so is no mutant caught.
        """
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryDirectory() as directory:
            pid = os.fork()
            if pid == 0:
                _enter(session, directory, 1)
                names = {}
                for name, (file, tree) in self.core.items():
                    self._install(name, tree)
                    for place, function in _functions(vars(import_module(f"streams.core.{name}")), file):
                        names[id(function.__code__)] = f"{name}.{place}"
                for place in range(len(session.items)):
                    called: set[int] = set()
                    begun = time.process_time()
                    sys.settrace(lambda frame, *_, called=called: called.add(id(frame.f_code)))
                    _run(session, place, None)
                    sys.settrace(None)
                    found = [names[one] for one in called if one in names]
                    print(json.dumps([time.process_time() - begun, found]), file=out)
                    if session.testsfailed:
                        os._exit(FAILED)
                out.flush()
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                pytest.exit("the tests have to pass first", 1)
            out.seek(0)
            for place, line in enumerate(out):
                seconds, names = json.loads(line)
                self.seconds.append(seconds)
                for name in names:
                    self.callers[name].add(place)

    def _order(self, where: str) -> list[int]:
        callers, catchers = self.callers[where], self.catchers[where]
        every = range(len(self.seconds))
        return sorted(every, key=lambda one: (-catchers[one], one not in callers, self.seconds[one], one))

    def _try_all(self, session: pytest.Session, todo: list[Mutant]) -> None:
        running: dict[int, tuple[Mutant, list[int], Any, str, float]] = {}
        for done in range(1, len(todo) + 1):
            while todo and len(running) < self.jobs:
                mutant = todo.pop(0)
                order, directory = self._order(mutant.where), tempfile.mkdtemp()
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
            if status == NOT_LOADED << 8:
                by = "import"
            elif status:
                by = session.items[order[passed]].nodeid
                self.catchers[mutant.where][order[passed]] += 1
            seconds = round(time.monotonic() - begun, 1)
            ended = not os.WIFSIGNALED(status)
            with FOUND.open("a") as file:
                print(
                    json.dumps([*mutant.identity, {"by": by, "ended": ended, "seconds": seconds}]), file=file
                )
            if by is None or done % 50 == 0:
                print(f"{done:5} {by or 'SURVIVED'} {mutant.line} {mutant.name}", flush=True)

    def _try(
        self, session: pytest.Session, mutant: Mutant, order: list[int], progress: Any, directory: str
    ) -> None:
        """In the fork: exit with the outcome."""
        code = NOT_LOADED
        try:
            _enter(session, directory, 1, 2)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            name = mutant.where.partition(".")[0]
            mutant.apply()
            self._install(name, self.core[name][1])
            code = FAILED
            for place, following in zip(order, [*order[1:], None], strict=True):
                signal.setitimer(signal.ITIMER_PROF, SLACK_S + 10 * self.seconds[place])
                _run(session, place, following)
                if session.testsfailed:
                    break
                progress.write(b".")
            else:
                code = 0
        finally:
            os._exit(code)

    def _install(self, name: str, tree: ast.Module) -> None:
        """Put code in the place of a module's: its functions', and its constants wherever they were imported."""
        module, file = import_module(f"streams.core.{name}"), self.core[name][0]
        before = _executed(ast.parse(file.read_text("utf-8")), module, file)
        after = _executed(tree, module, file)
        changed = dict(_functions(after, file))
        for place, function in _functions(vars(module), file):
            for part in ("__code__", "__defaults__", "__kwdefaults__"):
                setattr(function, part, getattr(changed[place], part))
        for constant in before.keys() - {"__builtins__"}:
            old, value = vars(module)[constant], after.get(constant)
            if isinstance(value, type | FunctionType | ModuleType) or value == before[constant]:
                continue
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


def _executed(tree: ast.Module, module: ModuleType, file: Path) -> dict[str, Any]:
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


# What was found --------------------------------------------------------------------------------------


def read_found() -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the last finding of each mutant."""
    lines = FOUND.read_text("utf-8").splitlines() if FOUND.exists() else []
    return {tuple(identity): note for *identity, note in map(json.loads, lines)}


def report(mutants: list[Mutant]) -> int:
    """Print the figures; return how many mutants are not tried, survive unlisted, or are listed and caught."""
    found, reasons = read_found(), listed()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    wrong = 0
    for mutant in mutants:
        note = found.get(mutant.identity)
        if note is None:
            outcome = "not tried"
        elif note["by"] is not None:
            outcome = "caught" if note["ended"] else "does not end"
        else:
            outcome = "survives"
        is_listed = mutant.name in reasons
        if outcome == "not tried" or (outcome == "survives") != is_listed:
            wrong += 1
            print(f"{outcome}, {'' if is_listed else 'not '}listed: line {mutant.line} {mutant.name}")
        for kind in (mutant.operator, "all"):
            kinds[kind][outcome] += 1
    outcomes = ("caught", "does not end", "survives", "not tried")
    print("".join(f"{word:>14}" for word in ("operator", "mutants", *outcomes)))
    for operator, counts in sorted(kinds.items(), key=lambda pair: pair[1].total()):
        print(f"{operator:>14}{counts.total():>14}" + "".join(f"{counts[one]:>14}" for one in outcomes))
    share = (kinds["all"]["caught"] + kinds["all"]["does not end"]) / len(mutants)
    print(f"{share:.2%} of the mutants are caught; {SURVIVORS.name} gives the reasons of the others")
    return wrong


def main() -> int:
    """Try what was not tried, and report."""
    parser = ArgumentParser(description="Run the tests against every mutant of streams/core.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument("--only", default="", help="of functions whose names begin so: scope.covers,band")
    parser.add_argument("--again", action="store_true", help="try survivors again, too")
    parser.add_argument("--report", action="store_true", help="try nothing, say what was found")
    given = parser.parse_args()
    runner = Runner(given.jobs, given.only, again=given.again)
    if not given.report:
        FOUND.parent.mkdir(exist_ok=True)
        sys.path.insert(0, str(Path.cwd()))
        options = ["-s", "-p", "no:terminal", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "timeout=0"]
        code = pytest.main([*(f"tests/{name}" for name in TESTS), *options], plugins=[runner])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return int(code)
    return min(1, report(runner.mutants))


if __name__ == "__main__":
    sys.exit(main())
