"""Columns of bytes: what the keys, or the values, of many records are kept in.

Compiled where there was a C compiler when this program was built; the tests hold both forms against each other.
"""

try:
    from schemas.columns_compiled import Column, numbers
except ImportError:
    from schemas.columns_python import Column, numbers  # type: ignore[assignment]

__all__ = ["Column", "numbers"]
