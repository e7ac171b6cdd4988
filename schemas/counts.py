"""Counts in the forms that nearly all have, read as strictly as by the full path and far below its price.

What is read here is sound and plain. Anything else is refused without a reason, for the full path, which has one: this
never errs on the lenient side (a test holds the two against each other).

Compiled where there was a C compiler when this program was built; elsewhere the same in Python, many times slower.
"""

try:
    from schemas.counts_compiled import read_count

    IS_COMPILED = True
except ImportError:
    from schemas.counts_python import read_count

    IS_COMPILED = False

__all__ = ["IS_COMPILED", "read_count"]
