"""Quiet counts: those inside the band of their account, on a day that has its sample. Nearly all there are.

Compiled where there was a C compiler when this program was built; the tests hold both forms against each other.
"""

try:
    from streams.core.quiet_compiled import pass_quiet
except ImportError:
    from streams.core.quiet_python import pass_quiet

__all__ = ["pass_quiet"]
