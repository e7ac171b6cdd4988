"""What the classes of `schemas` say of themselves and of their fields: the docstrings that stand there already."""

import ast
import inspect
import textwrap
from itertools import pairwise


def said_of_class(cls: type) -> str:
    """Return the first paragraph of a class's docstring, on one line."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())


def said_of_fields(cls: type) -> dict[str, str]:
    """Return what stands below each field of a class or of one it is made from, by the field's name."""
    said: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("schemas."):
            said |= _below_fields(base)
    return said


def _below_fields(cls: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    said = {}
    for field, below in pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = " ".join(text.split())
    return said
