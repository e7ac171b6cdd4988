"""All mutants of a module: small changes of its code, each of which some test has to notice.

A mutant puts another node into one place of the syntax tree. Left alone are annotations, texts,
docstrings, decorators, `__slots__`, and `assert_never`, which is there for mypy and cannot be reached.

operator    what becomes of it
compare     < to <= and >=, and so for > <= >=; == to !=, `is` to `is not`, `in` to `not in`, and back
boolean     `and` to `or` and back; each operand left out
not         left out
condition   of if, while, a conditional expression, a comprehension: True, False; a case never matches
loop        a for loop over nothing
arithmetic  + to - and back, * to // and back, % to *; a sign left out; also of += and its like
constant    0 to 1, n to n + 1 and n - 1; True to False and back
return      of a predicate True, False; of others None
statement   left out: an expression, a raise, a bare return, a del, an assignment that is not the name's first
swap        min and max, any and all, break and continue, sorted and list, bisect_right and bisect_left
entry       of a table of the module left out
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

CORE = Path("streams/core")
COMPARE = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
SWAP = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
SWAP["bisect_right"] = "__import__('bisect').bisect_left"
NOT_MUTATED = ("annotation", "returns", "decorator_list")
Found = Iterator[tuple[str, ast.AST]]


@dataclass(frozen=True)
class Mutant:
    """One change of one module. `where`, `was`, `becomes` and `nth` name it as long as its line stays."""

    where: str
    """Module and function, as `scope.covers`."""
    operator: str
    was: str
    becomes: str
    nth: int
    """Which of several alike in one function."""
    line: int
    digest: str
    """Of the function as it is: another one has to be tried again."""
    parent: Any
    field: str
    index: int | None
    node: Any

    @property
    def name(self) -> tuple[str, str, str, str, int]:
        return self.where, self.operator, self.was, self.becomes, self.nth

    @property
    def identity(self) -> tuple[str, str, str, str, str, int]:
        """Its digest and its name: what was found of it holds as long as both stay."""
        return self.digest, *self.name

    def apply(self) -> None:
        """Change the tree that this mutant was found in."""
        _put(self.parent, self.field, self.index, self.node)


def mutants_of(module: str, tree: ast.Module) -> list[Mutant]:
    """Return all mutants of a module, in the order of its lines."""
    found, alike = [], Counter()
    for parent, field, index, scope in list(_places(tree, ())):
        node = getattr(parent, field) if index is None else getattr(parent, field)[index]
        function = next((one for one in reversed(scope) if isinstance(one, ast.FunctionDef)), None)
        where = ".".join([module, *(one.name for one in scope)])
        digest = sha256(ast.unparse(function or node).encode()).hexdigest()[:16]
        for operator, other in _others(node, parent, function):
            ast.copy_location(other, node)
            was, becomes = _texts(parent, field, index, node, other)
            alike[where, operator, was, becomes] += 1
            nth = alike[where, operator, was, becomes]
            line = getattr(node, "lineno", 0)
            found.append(
                Mutant(where, operator, was, becomes, nth, line, digest, parent, field, index, other)
            )
    return found


def _places(node: ast.AST, scope: tuple[Any, ...]) -> Iterator[tuple[ast.AST, str, int | None, Any]]:
    """Every place of the tree with the classes and functions around it."""
    for field, value in ast.iter_fields(node):
        if field in NOT_MUTATED:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_for_mypy(child):
                continue
            yield node, field, index, scope
            inner = (*scope, child) if isinstance(child, ast.FunctionDef | ast.ClassDef) else scope
            yield from _places(child, inner)


def _is_for_mypy(node: ast.AST) -> bool:
    body = getattr(node, "body", None) if isinstance(node, ast.match_case) else [node]
    return len(body) == 1 and isinstance(body[0], ast.Expr) and "assert_never" in ast.unparse(body[0])


def _others(node: Any, parent: ast.AST, function: ast.FunctionDef | None) -> Found:
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                for other in COMPARE[type(op)]:
                    ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                    yield "compare", ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            yield "boolean", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for place in range(len(node.values)):
                left = node.values[:place] + node.values[place + 1 :]
                yield "boolean", ast.BoolOp(node.op, left) if len(left) > 1 else left[0]
        case ast.UnaryOp():
            yield ("not" if isinstance(node.op, ast.Not) else "arithmetic"), node.operand
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield "arithmetic", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield from (("constant", ast.Constant(other)) for other in (value + 1, value - 1) if other >= 0)
        case ast.Name(id=name) if name in SWAP:
            yield "swap", ast.parse(SWAP[name], mode="eval").body
        case ast.match_case() if node.guard is None:
            yield "condition", ast.match_case(node.pattern, ast.Constant(value=False), node.body)
        case ast.For():
            yield "loop", ast.For(node.target, ast.Tuple([], ast.Load()), node.body, node.orelse)
        case ast.Break() | ast.Continue():
            yield "swap", ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        case ast.Dict() | ast.Tuple() if function is None and isinstance(parent, ast.Assign | ast.AnnAssign):
            if "__slots__" in ast.unparse(parent):
                return
            yield from (("entry", shorter) for shorter in _shorter(node))
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            is_predicate = function is not None and ast.unparse(function.returns or value) == "bool"
            for other in (True, False) if is_predicate else (None,):
                yield "return", ast.Return(ast.Constant(other))
    if isinstance(node, ast.expr) and not isinstance(node, ast.Constant) and _is_condition(node, parent):
        yield from (("condition", ast.Constant(value)) for value in (True, False))
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "arithmetic", ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
    if function is not None and _can_be_left_out(node, function):
        yield "statement", ast.Pass()


def _shorter(table: ast.Dict | ast.Tuple) -> Iterator[ast.AST]:
    for place in range(len(table.values if isinstance(table, ast.Dict) else table.elts)):
        if isinstance(table, ast.Dict):
            yield ast.Dict(*([*part[:place], *part[place + 1 :]] for part in (table.keys, table.values)))
        else:
            yield ast.Tuple([*table.elts[:place], *table.elts[place + 1 :]], ast.Load())


def _is_condition(node: ast.AST, parent: ast.AST) -> bool:
    if isinstance(parent, ast.comprehension):
        return node in parent.ifs
    return node is getattr(parent, "test", None) or node is getattr(parent, "guard", None)


def _can_be_left_out(node: ast.AST, function: ast.FunctionDef) -> bool:
    """Whether a statement does something: a name's first assignment is not counted, its lack is an error."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        before = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        before |= {
            one.id
            for one in ast.walk(function)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store) and one.lineno < node.lineno
        }
        return not isinstance(targets[0], ast.Name | ast.Tuple) or names <= before
    return isinstance(node, ast.AugAssign | ast.Delete | ast.Raise) or (
        isinstance(node, ast.Return) and node.value is None
    )


def _texts(parent: Any, field: str, index: int | None, node: ast.AST, other: ast.AST) -> tuple[str, str]:
    """What stood there and what stands there now, in so many words that the place is known."""
    if isinstance(node, ast.Dict | ast.Tuple) and isinstance(parent, ast.Assign | ast.AnnAssign):
        entries = [_entries(one) for one in (node, other)]
        return next(one for one in entries[0] if one not in entries[1]), "nothing"
    is_short = isinstance(node, ast.Constant | ast.Name) or isinstance(other, ast.Constant)
    if not is_short:
        return _head(node), _head(other)
    was = _head(parent)
    _put(parent, field, index, other)
    becomes = _head(parent)
    _put(parent, field, index, node)
    return was, becomes


def _entries(table: Any) -> list[str]:
    if isinstance(table, ast.Tuple):
        return [ast.unparse(one) for one in table.elts]
    return [f"{ast.unparse(key)}: {ast.unparse(value)}" for key, value in zip(table.keys, table.values)]  # noqa: B905


def _head(node: ast.AST) -> str:
    """The code of a node, of a compound statement its first line."""
    if isinstance(node, ast.comprehension):
        return ast.unparse(node).strip()
    if isinstance(node, ast.stmt | ast.match_case):
        return ast.unparse(node).strip().splitlines()[0]
    return " ".join(ast.unparse(node).split())


def _put(parent: Any, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def read_core() -> dict[str, tuple[Path, ast.Module]]:
    """Return the syntax tree of each module of the core by its name."""
    files = sorted(CORE.resolve().glob("[a-z]*.py"))
    return {file.stem: (file, ast.parse(file.read_text("utf-8"))) for file in files}


def all_mutants() -> list[Mutant]:
    """Return every mutant of the core."""
    return [one for name, (_, tree) in read_core().items() for one in mutants_of(name, tree)]
