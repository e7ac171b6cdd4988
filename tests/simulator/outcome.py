"""What came of a run, in figures and in words."""

import gc
import time
from collections import Counter
from dataclasses import dataclass, field

from .checks import check
from .run import Spec, World
from .violation import Violation


@dataclass
class Outcome:
    """What came of one run."""

    spec: Spec
    world: World
    violation: Violation | None = None
    digest: str = ""
    """Of a run that is told: over everything that happened."""
    figures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Of CPU time: making the world, living it, and checking it."""
    checked_seconds: float = 0.0
    """The part of it in which the oracle judged and everything was checked."""

    @property
    def years(self) -> float:
        """Pool-years of 50 accounts that were lived."""
        settings = self.world.settings
        return settings.accounts / 50 * (self.spec.until_day or settings.days) / 365

    def line(self) -> str:
        """Return one line on it."""
        settings, figures = self.world.settings, self.figures
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.world.chance.tally().items()))
        end = f"VIOLATED {self.violation.which}" if self.violation else "holds"
        return (
            f"seed {self.spec.seed}: {settings.days} days, {settings.partitions} partitions, "
            f"{settings.workers} workers, {figures['events']:,} events, {figures['decisions']:,} decisions, "
            f"{figures['outputs']} outputs, {figures['takeovers']} takeovers, {figures['void']} void; "
            f"{faults or 'no faults'}; {self.seconds:.1f} s; {end}"
        )


def outcome_of(spec: Spec, *, is_told: bool = False) -> Outcome:
    """Run a spec to its rest and check everything."""
    began = time.process_time()
    collects = gc.isenabled()
    gc.disable()  # a run is short, and most of what it makes stays to its end
    outcome = Outcome(spec, World(spec, is_told=is_told))
    try:
        try:
            outcome.world.run()
            lived = time.process_time()
            outcome.figures = check(outcome.world)
            outcome.checked_seconds = time.process_time() - lived
        except Violation as violation:
            outcome.violation = violation
    finally:
        if collects:
            gc.enable()
    world = outcome.world
    if is_told:
        outcome.digest = world.digest()
    for process in list(world.processes):
        process.die()
    world.loop.close()
    outcome.figures.update(
        faults=sum(world.chance.tally().values()), rebuilds=world.rebuilds, stops=len(world.operator.stops),
        requests=world.broker.requests, workers=world.started,
    )  # fmt: skip
    outcome.seconds = time.process_time() - began
    return outcome
