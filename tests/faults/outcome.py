"""What came of a world: its faults, what was violated, what was counted; one line of the results."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Fault:
    """One thing that was done to a world, and how long until each hit partition took input again."""

    kind: str
    place: str = ""
    unread: int = 0
    """Records that waited in the hit partitions at that moment."""
    partitions: int = 0
    recovery_s: float | None = None
    """Until the last of them went on; None where nothing was hit or none was measured."""


@dataclass
class Result:
    """What came of a world; one line of the results."""

    test: str
    number: int
    seed: int
    time: str
    faults: list[Fault] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    """Workers that ended by themselves, and with what words."""
    counts: dict[str, int] = field(default_factory=dict)
    rss_mb: int = 0
    seconds: float = 0
    not_run: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not any(self.violations.values()) and not self.stuck

    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)
