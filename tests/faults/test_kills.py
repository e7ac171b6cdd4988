"""Ten real kills at random moments, and every invariant afterwards: the campaign in its smallest form."""

from pathlib import Path

import pytest

from .checker import INVARIANTS
from .kills import random_kills
from .outcome import Result
from .world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

KILLS = 10


def test_after_ten_kills_at_random_moments_every_invariant_holds(broker, prefix, tmp_path: Path) -> None:
    result = Result("ten", 1, 1, "")
    world = World(broker, tmp_path, result, rate=60, platforms=16, prefix=prefix)
    try:
        random_kills(world, KILLS)
        world.finish()
    finally:
        world.abandon()
    assert not result.stuck
    assert result.violations == {name: [] for name in (*INVARIANTS, "I8")}
    assert sum(fault.kind == "kill" for fault in result.faults) >= KILLS
    assert sum(fault.recovery_s is not None for fault in result.faults) > KILLS // 2
    assert result.counts["takeovers"] > KILLS
    assert result.counts["obligations"]
    assert result.counts["dead"]
