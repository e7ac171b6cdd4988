from collections.abc import Container

from streams.replay.shares import Dealt

def deal(text: bytes, start: int, partitions: int, own: Container[int]) -> Dealt | None: ...
