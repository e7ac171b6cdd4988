"""What goes wrong at its own time, and the operator who mends what a worker has stopped for."""

from typing import TYPE_CHECKING, Any

from schemas.errors import AuditError, TransportError
from schemas.instant import DAY

from .ports import OffsetOutOfRange
from .violation import Violation

if TYPE_CHECKING:
    from .process import Process
    from .run import World

LOOK_MS = 10_000


class Operator:
    """Who is paged."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.lost_allowed: dict[tuple[str, int], int] = {}

    def look(self, process: "Process", error: BaseException) -> None:
        """Judge why a worker stopped."""
        if isinstance(error, TransportError | OffsetOutOfRange):
            return
        if isinstance(error, AuditError):
            raise Violation("progress", f"{process.name} stops for nothing: {error}") from error
        raise Violation("progress", f"{process.name} dies: {type(error).__name__}: {error}") from error


class Weather:
    """The faults that come by the hour."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.clock_error = 0
        self._restarting = 0

    def begin(self) -> None:
        """Begin to look every ten seconds."""
        self.world.loop.after(LOOK_MS, self._look)

    def _look(self) -> None:
        pass

    def restart(self) -> None:
        """Start a worker again, some time after one has died."""
        self._restarting += 1
        self.world.loop.after(self.world.chance.ms(100, 8_000), self._restart)

    def _restart(self) -> None:
        self._restarting -= 1
        if len(self.world.processes) < self.world.settings.workers:
            self.world.start()

    def clear_up(self) -> None:
        """Mend what is left, once there are no more faults."""
        self.world.broker.clock_error = 0


_ = DAY, Any
