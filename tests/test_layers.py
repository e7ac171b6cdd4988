"""The architecture, held by reading the source: who may import whom, and what the core may never touch.

Each rule takes the tree of one module and yields what it found there, so that every rule is also shown
a planted offence (and something innocent that looks like one).
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# Imports -----------------------------------------------------------------------------------------

OFFLINE = ("schemas", "streams.core", "streams.ledger", "streams.policies", "streams.journaling")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "schemas": (),
    "streams.core": ("schemas",),
    "streams.ledger": ("schemas",),
    "streams.policies": ("schemas",),
    "streams.journaling": ("schemas", "streams.core", "streams.ledger"),
    "streams.replay.line": ("schemas",),
    "streams.replay.shares": ("schemas",),
    "streams.replay.dealing": ("schemas", "streams.replay.shares"),
    "streams.replay.files": (
        "schemas",
        *(f"streams.replay.{name}" for name in ("line", "shares", "dealing")),
    ),
    "streams.replay.run": (*OFFLINE, "streams.replay.files", "streams.replay.shares"),
    "streams.replay.crew": (*OFFLINE, "streams.replay.files", "streams.replay.run"),
    "streams.verify": (*OFFLINE, "streams.replay.files"),
    "streams.verify_inputs": (*OFFLINE, "streams.replay.files", "streams.replay.run", "streams.verify"),
    "streams.explain": ("schemas", "streams.core", "streams.ledger"),
    "streams.generate": ("schemas", "streams.core", "streams.policies"),
    "streams.interface": (
        *("schemas", "streams.core", "streams.journaling", "streams.replay.run", "streams.replay.files"),
        "streams.live.topic_specs",
    ),
    "streams.cli": ("schemas", "streams"),
}
"""Which rooms of ours a room may import beside itself. The rooms that are not here are shells that meet
the world: they may import everything but the command line."""

ONLY_IN: dict[str, tuple[str, ...]] = {
    "faust": ("streams.live",),
    "mode": ("streams.live",),
    "aiokafka": ("streams.live", "streams.demo"),
    "confluent_kafka": ("streams.live", "streams.broker"),
    "prometheus_client": ("streams.live.metrics",),
    "typer": ("streams.cli",),
}
"""Where a library may be imported at all."""

# The fence ---------------------------------------------------------------------------------------

FENCED = ("schemas", "streams.core", "streams.ledger")
BANNED_MODULES = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "threading"),
        *("time", "locale", "random", "secrets", "uuid", "zoneinfo"),
        *("glob", "io", "logging", "os", "pathlib", "platform", "shutil", "tempfile"),
        *("select", "signal", "socket", "subprocess"),
        *("aiokafka", "confluent_kafka", "faust", "mode", "rich", "typer"),
        *("builtins", "importlib"),
    }
)
CORE_LIBRARY = frozenset({"bisect", "collections.abc", "heapq", "msgspec", "typing"})
"""All that the core takes from outside; more needs a reason and a line here."""
COMPILED_LIBRARY = frozenset(
    {
        *("array", "collections.abc", "sys"),
        *(
            "cpython.array",
            "cpython.buffer",
            "cpython.bytes",
            "cpython.dict",
            "cpython.mem",
            "cpython.memoryview",
            "cpython.object",
        ),
        *("libc.stdint", "libc.string"),
    }
)
"""All that compiled modules behind the fence take from outside: `cpython` and `libc` have clocks and files, too."""
CLOCK_READS = frozenset({"now", "utcnow", "today", "getenv", "environ"})
BANNED_CALLS = frozenset(
    {"__import__", "breakpoint", "eval", "exec", "globals", "hash", "id", "input", "open"}
)
"""`hash` of a text and `id` differ from process to process."""

THRESHOLDS = range(100_000, 2**53)
"""What could be a number of followers that somebody has made a law of."""
NO_THRESHOLDS: dict[str, frozenset[int]] = {
    "schemas.instant": frozenset({1_000_000}),  # microseconds of a second
    "schemas.instant_python": frozenset({1_000_000, 999_999}),
    "schemas.strict_json": frozenset({999_999}),  # exponents
    "schemas.partitioner": frozenset({0x9747B28C, 0x5BD1E995}),  # murmur2
    "streams.core.fold": frozenset({256 * 1024, 384 * 1024}),  # bytes of an entry
}
"""Large numbers that are in no law. Powers of two, and one less, are none anywhere."""


class Module(NamedTuple):
    """One module: its dotted name and its tree."""

    name: str
    tree: ast.Module


def module_of(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, ast.parse(path.read_text("utf-8"), str(path)))


IMPORT = re.compile(r"\s*(from\s+[\w.]+\s+)?c?import\s")
FOREIGN = re.compile(r"\s*(cdef\s+extern|include)\b")


def compiled_module(name: str, source: str) -> Module:
    """Return of a Cython module what it imports, as Python; what it takes from C by itself is an import, too."""
    return Module(name, ast.parse("\n".join(map(_import_of, source.splitlines()))))


def _import_of(line: str) -> str:
    if IMPORT.match(line):
        return re.sub(r"\($", "*", line.strip().replace("cimport ", "import "))  # names on lines of their own
    return "import extern" if FOREIGN.match(line) else ""


MODULES = [module_of(path) for room in ("schemas", "streams") for path in sorted((ROOT / room).rglob("*.py"))]

COMPILED = {
    path.name: compiled_module(
        ".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text("utf-8")
    )
    for room in ("schemas", "streams")
    for path in sorted((ROOT / room).rglob("*.p[yx][xd]"))
}


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str:
    """Return the innermost room of the table that holds a module; the module itself for a shell."""
    return max(
        (room for room in MAY_IMPORT if is_in(name, room)), key=len, default=".".join(name.split(".")[:2])
    )


PACKAGES = ("streams", "streams.core", "streams.ledger", "streams.live", "cpython", "libc")
"""What is imported from them is a module."""


def imports_of(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of whatever is imported, wherever in the module it stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "(a relative import)"
            elif node.module in PACKAGES:
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


# The rules ---------------------------------------------------------------------------------------

Found = Iterator[tuple[int, str]]
Rule = Callable[[Module], Found]


def imports_outward(module: Module) -> Found:
    room = room_of(module.name)
    allowed = MAY_IMPORT.get(room)
    for line, name in imports_of(module):
        ours = is_in(name, "schemas") or is_in(name, "streams")
        if name == "(a relative import)":
            yield line, name
        elif not ours or is_in(name.removesuffix("_compiled"), room):
            continue
        elif is_in(name, "streams.cli") or (
            allowed is not None and not any(is_in(name, at) for at in allowed)
        ):
            yield line, f"{module.name} imports {name}"


def imports_a_library_elsewhere(module: Module) -> Found:
    for line, name in imports_of(module):
        rooms = ONLY_IN.get(name.partition(".")[0])
        if rooms is not None and not any(is_in(module.name, room) for room in rooms):
            yield line, f"{name} outside of {' and '.join(rooms)}"


def imports_the_world(module: Module) -> Found:
    for line, name in imports_of(module):
        if name.partition(".")[0] in BANNED_MODULES:
            yield line, f"{name} inside the fence"


def imports_more_than_the_core_needs(module: Module) -> Found:
    if is_in(module.name, "streams.core"):
        for line, name in imports_of(module):
            if not is_in(name, "schemas") and not is_in(name, "streams") and name not in CORE_LIBRARY:
                yield line, f"{name} is not in CORE_LIBRARY"


def takes_more_than_compiled_code_needs(module: Module) -> Found:
    for line, name in imports_of(module):
        if not is_in(name, "schemas") and not is_in(name, "streams") and name not in COMPILED_LIBRARY:
            yield line, f"{name} is not in COMPILED_LIBRARY"


def reads_a_clock(module: Module) -> Found:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READS:
            yield node.lineno, f".{node.attr}: time and environment are inputs"


def calls_the_world(module: Module) -> Found:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BANNED_CALLS:
            yield node.lineno, f"{node.func.id}()"


def computes_with_floats(module: Module) -> Found:
    if not is_in(module.name, "streams.core"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"{node.value}: the core computes with integers"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "a true division: the core computes with integers"


def states_a_threshold(module: Module) -> Found:
    allowed = NO_THRESHOLDS.get(module.name, frozenset())
    inner: set[ast.AST] = set()
    for node in ast.walk(module.tree):
        number = None if node in inner else _number(node)
        if number is None:
            continue
        inner.update(ast.walk(node))
        size = abs(number)
        is_power = size & (size - 1) == 0 or (size + 1) & size == 0
        if size in THRESHOLDS and not is_power and number not in allowed:
            yield node.lineno, f"{number:_} looks like a threshold: it belongs into a policy, with its source"


def _number(node: ast.AST) -> int | None:
    """Return the integer that an expression of constants stands for: 10 ** 6 is no better than 1_000_000."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if not isinstance(node, ast.BinOp) or any(
        isinstance(part, ast.Name | ast.Call) for part in ast.walk(node)
    ):
        return None
    try:
        value = eval(compile(ast.Expression(node), "constants", "eval"), {"__builtins__": {}})  # noqa: S307
    except (ArithmeticError, TypeError, AttributeError, NameError):
        return None
    return value if type(value) is int else None


ORDERLESS = frozenset({"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"})
"""What gives the same for a set in whatever order it comes."""
ORDERED = frozenset({"dict", "enumerate", "iter", "join", "list", "map", "next", "reversed", "tuple", "zip"})


def iterates_over_a_set(module: Module) -> Found:
    """Best effort: it sees sets that are made, or annotated, in the same function."""
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef)]
    for scope in (module.tree, *functions):
        names = _names_of_sets(scope)
        harmless = _arguments_of_orderless(scope)
        for node in ast.walk(scope):
            for iterated in _iterated(node, harmless):
                if _is_set(iterated, names):
                    yield iterated.lineno, "the order of a set decides: say sorted()"


def _names_of_sets(scope: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and _is_set(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            target = node.arg if isinstance(node, ast.arg) else getattr(node.target, "id", "")
            if ast.unparse(node.annotation).startswith(("set", "frozenset", "Set[", "AbstractSet[")):
                names.add(target)
    return names


def _is_set(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Name(id=name):
            return name in names
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return _is_set(left, names) or _is_set(right, names)
        case _:
            return False


def _arguments_of_orderless(scope: ast.AST) -> set[ast.AST]:
    return {
        argument
        for node in ast.walk(scope)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDERLESS
        for argument in node.args
    }


def _iterated(node: ast.AST, harmless: set[ast.AST]) -> Iterator[ast.AST]:
    match node:
        case ast.For(iter=iterated):
            yield iterated
        case (
            ast.ListComp(generators=parts)
            | ast.GeneratorExp(generators=parts)
            | ast.DictComp(generators=parts)
        ):
            if node not in harmless:
                yield from (part.iter for part in parts)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in ORDERED:
            yield from arguments
        case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=arguments):
            yield from arguments
        case ast.Call(func=ast.Attribute(attr="pop", value=popped), args=[]):
            yield popped
        case ast.Starred(value=value):
            yield value


EVERYWHERE: tuple[Rule, ...] = (imports_outward, imports_a_library_elsewhere, states_a_threshold)
BEHIND_THE_FENCE: tuple[Rule, ...] = (
    imports_the_world,
    imports_more_than_the_core_needs,
    reads_a_clock,
    calls_the_world,
    computes_with_floats,
    iterates_over_a_set,
)
LAWFUL_ROOMS = ("schemas", "streams.core", "streams.policies", "streams.generate")
"""Where no threshold may stand; what a broker or a demo needs is no law. A made-up population takes its lines
from the book, so that it stands near them whatever they are."""


def rules_for(module: Module) -> Iterator[Rule]:
    for rule in EVERYWHERE:
        if rule is not states_a_threshold or any(is_in(module.name, room) for room in LAWFUL_ROOMS):
            yield rule
    if any(is_in(module.name, room) for room in FENCED):
        yield from BEHIND_THE_FENCE


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_keeps_to_the_architecture(module):
    found = [f"{module.name}:{line}: {what}" for rule in rules_for(module) for line, what in rule(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", COMPILED.values(), ids=COMPILED)
def test_a_compiled_module_keeps_to_the_architecture(module):
    rules = [imports_outward, imports_a_library_elsewhere]
    if any(is_in(module.name, room) for room in FENCED):
        rules += [imports_the_world, takes_more_than_compiled_code_needs]
    found = [f"{module.name}:{line}: {what}" for rule in rules for line, what in rule(module)]
    assert not found, "\n".join(found)


def test_all_modules_are_looked_at():
    names = {module.name for module in MODULES}
    assert {"schemas.wire", "streams.core.decide", "streams.ledger.step", "streams.cli"} <= names
    assert {
        "counts_compiled.pyx",
        "counts_compiled.pxd",
        "quiet_compiled.pyx",
        "batches_compiled.pyx",
    } <= set(COMPILED)


OFFENCES = [
    (imports_outward, "schemas.wire", "from streams.core.fold import Fold"),
    (imports_outward, "schemas.wire", "def late():\n    import streams.replay.run"),
    (imports_outward, "streams.core.fold", "from streams.ledger.chain import Head"),
    (imports_outward, "streams.core.fold", "from streams import journaling"),
    (imports_outward, "streams.core.fold", "from . import band"),
    (imports_outward, "streams.ledger.step", "from streams.core import fold"),
    (imports_outward, "streams.policies.load", "from streams.core.band import bounds"),
    (imports_outward, "streams.replay.run", "from streams.live.app import App"),
    (imports_outward, "streams.live.app", "from streams.cli import app"),
    (imports_outward, "streams.journaling", "from streams import cli"),
    (imports_a_library_elsewhere, "streams.replay.run", "import faust"),
    (imports_a_library_elsewhere, "streams.ledger.step", "from aiokafka.errors import KafkaError"),
    (imports_the_world, "streams.core.fold", "import os"),
    (imports_the_world, "streams.core.fold", "from time import time_ns"),
    (imports_the_world, "schemas.wire", "def late():\n    import random"),
    (imports_the_world, "schemas.wire", "import logging.handlers"),
    (imports_the_world, "streams.ledger.step", "import asyncio"),
    (imports_the_world, "streams.ledger.step", "from pathlib import Path"),
    (imports_more_than_the_core_needs, "streams.core.band", "from datetime import datetime"),
    (reads_a_clock, "schemas.instant", "at = datetime.now(UTC)"),
    (reads_a_clock, "schemas.instant", "read = datetime.utcnow"),
    (reads_a_clock, "schemas.instant", "day = date.today()"),
    (calls_the_world, "streams.core.fold", "open('x')"),
    (calls_the_world, "streams.core.fold", "place = hash('weibo:a') % 3"),
    (computes_with_floats, "streams.core.scope", "share = 0.3"),
    (computes_with_floats, "streams.core.scope", "share = lost / highest"),
    (iterates_over_a_set, "streams.core.fold", "for key in {1, 2}:\n    print(key)"),
    (iterates_over_a_set, "streams.core.fold", "def f(x):\n    seen = set(x)\n    return list(seen)"),
    (iterates_over_a_set, "streams.core.fold", "def f(seen: set[str]):\n    return [k for k in seen]"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: set[int], b):\n    return tuple(a - b)"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: set[int]):\n    return (*a, 1)"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: frozenset[int]):\n    return ''.join(a)"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: set[int]):\n    return a.pop()"),
    (states_a_threshold, "streams.core.scope", "FLOOR = 500_000"),
    (states_a_threshold, "streams.core.scope", "if followers >= 10 ** 6:\n    pass"),
    (states_a_threshold, "streams.policies.load", "floor = 50 * 10_000"),
    (states_a_threshold, "schemas.policy", "def f(followers=1_000_000):\n    pass"),
    (states_a_threshold, "streams.core.fold", "x = 7_058_000"),
]


@pytest.mark.parametrize(
    ("rule", "name", "source"), OFFENCES, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_rule_finds_a_planted_offence(rule, name, source):
    assert list(rule(Module(name, ast.parse(source))))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_outward, "schemas.counts_compiled", "from streams.core.quiet_compiled cimport pass_quiet"),
        (imports_outward, "streams.core.quiet_compiled", "def late():\n    from streams.live import capped"),
        (imports_outward, "streams.core.quiet_compiled", "from .band cimport Band"),
        (imports_outward, "streams.live.batches_compiled", "cimport streams.cli"),
        (imports_a_library_elsewhere, "schemas.counts_compiled", "from aiokafka.record cimport cutil"),
        (imports_the_world, "schemas.counts_compiled", "import time"),
        (takes_more_than_compiled_code_needs, "schemas.counts_compiled", "from libc cimport time"),
        (takes_more_than_compiled_code_needs, "schemas.counts_compiled", "cimport libc.stdio"),
        (
            takes_more_than_compiled_code_needs,
            "streams.core.quiet_compiled",
            "from cpython.datetime cimport datetime",
        ),
        (
            takes_more_than_compiled_code_needs,
            "schemas.counts_compiled",
            'cdef extern from "time.h":\n    pass',
        ),
        (takes_more_than_compiled_code_needs, "schemas.counts_compiled", 'include "more.pxi"'),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_rule_finds_a_planted_offence_in_cython(rule, name, source):
    assert list(rule(compiled_module(name, f"# cython: language_level=3\ncdef int x = 1\n{source}")))


INNOCENT = [
    (imports_outward, "streams.core.fold", "from streams.core import band\nfrom schemas import topics"),
    (
        imports_outward,
        "streams.live.owner",
        "from streams.ledger import root\nfrom streams.core.fold import Fold",
    ),
    (imports_outward, "streams.cli", "from streams.replay.run import replay"),
    (imports_the_world, "streams.core.fold", "from typing import NamedTuple\nimport timeit_of_ours"),
    (reads_a_clock, "streams.core.agenda", "now = planned.get(key)\nnow.due"),
    (calls_the_world, "streams.core.decide", "case.open.hash\nfile.hash()"),
    (computes_with_floats, "streams.core.band", "day = at // DAY"),
    (iterates_over_a_set, "streams.core.fold", "for key in sorted({1, 2}):\n    print(key)"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: set[int]):\n    return max(x for x in a)"),
    (iterates_over_a_set, "streams.core.fold", "def f(a: list[int]):\n    return [x for x in a], a.pop()"),
    (
        states_a_threshold,
        "streams.core.scope",
        "WHOLE = 10_000\nTOP = 2**53 - 1\nMOD = 1 << 256\nDAY = 86_400 * SECOND",
    ),
]


@pytest.mark.parametrize(
    ("rule", "name", "source"), INNOCENT, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_rule_lets_the_innocent_pass(rule, name, source):
    assert not list(rule(Module(name, ast.parse(source))))


def test_every_rule_is_shown_an_offence():
    assert {rule for rule, _, _ in OFFENCES} == {*EVERYWHERE, *BEHIND_THE_FENCE}
