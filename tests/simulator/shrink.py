"""A failing run made small: fewer days, accounts, faults and records, and no chance in what is left."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .chance import Tape
from .outcome import Outcome, outcome_of
from .run import Spec


def shrunk(found: Outcome, seconds: float = 120) -> Outcome:
    """Return the smallest run that was found in a time to fail in the same way."""
    assert found.violation is not None
    return _Shrinking(found, seconds).run()


class _Shrinking:
    def __init__(self, found: Outcome, seconds: float) -> None:
        self.best = found
        self._which = found.violation.which if found.violation else ""
        self._until = time.process_time() + seconds

    def run(self) -> Outcome:
        if not self._try(self.best.spec.but(tape=self.best.world.chance.tape)):
            return self.best
        self._days()
        self._try(self.best.spec.but(calm=True))
        self._faults()
        self._accounts()
        self._days()
        self._faults()
        self._records()
        self._try(self.best.spec.but(calm=True))
        self._faults()
        return self.best

    def _try(self, spec: Spec) -> bool:
        """Take a smaller spec over if it fails in the same way."""
        if time.process_time() > self._until:
            return False
        outcome = outcome_of(spec)
        if outcome.violation is None or outcome.violation.which != self._which:
            return False
        self.best = outcome
        return True

    def _days(self) -> None:
        low, high = 0, self.best.spec.until_day or self.best.world.settings.days
        while high - low > 1:
            middle = (low + high) // 2
            if self._try(self.best.spec.but(until_day=middle)):
                high = middle
            else:
                low = middle

    def _faults(self) -> None:
        happened = self.best.world.chance.tape.faults  # of a tape, what was reached
        self._fewer(happened, lambda faults: self.best.spec.but(tape=Tape(tuple(faults))))

    def _accounts(self) -> None:
        keys = sorted({one.key for one in self.best.world.inputs if one.key is not None})
        inputs = self.best.world.inputs

        def with_only(kept: Sequence[Any]) -> Spec:
            wanted = set(kept)
            return self.best.spec.but(only=tuple(sorted({one.number for one in inputs if one.key in wanted})))

        self._fewer(keys, with_only)

    def _records(self) -> None:
        numbers = sorted({one.number for one in self.best.world.inputs})
        self._fewer(numbers, lambda kept: self.best.spec.but(only=tuple(kept)))

    def _fewer(self, items: Sequence[Any], spec_of: Callable[[Sequence[Any]], Spec]) -> None:
        """Delete parts, halves first, as long as it fails in the same way."""
        items = list(items)
        size = len(items)
        while size and time.process_time() < self._until:
            start = 0
            while start < len(items):
                fewer = items[:start] + items[start + size :]
                if self._try(spec_of(fewer)):
                    items = fewer
                else:
                    start += size
            size //= 2


# On disk -----------------------------------------------------------------------------------------


def write(spec: Spec, file: Path) -> None:
    """Write a spec as JSON."""
    whole = {name: getattr(spec, name) for name in Spec.__dataclass_fields__}
    whole["tape"] = spec.tape.faults if spec.tape is not None else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: said for name, said in whole.items() if said is not None}), "utf-8")


def read(file: Path) -> Spec:
    """Read a spec that `write` wrote."""
    said = json.loads(file.read_text("utf-8"))
    if "tape" in said:
        said["tape"] = Tape(tuple((kind, number, tuple(drawn)) for kind, number, drawn in said["tape"]))
    for name in ("kinds", "only"):
        if name in said:
            said[name] = tuple(said[name])
    said["given"] = tuple((name, value) for name, value in said.get("given", ()))
    return Spec(**said)
