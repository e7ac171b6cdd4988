"""Lines that are counts, sound and plain, and say nothing else: nearly all there are. They are read many at once.

Compiled where there was a C compiler when this program was built. Elsewhere there is no such reader, and every line is
read by itself, many times slower.
"""

from collections.abc import Container

from streams.replay.shares import Dealt

try:
    from streams.replay.dealing_compiled import deal
except ImportError:

    def deal(text: bytes, start: int, partitions: int, own: Container[int]) -> Dealt | None:  # noqa: ARG001
        """Return the counts from a place of a text on, None where another line begins there.

        Args:
            text: Whole lines.
            start: Where a line begins.
            partitions: To how many the counts are dealt.
            own: Whose shares are wanted.
        """
        return None


__all__ = ["deal"]
