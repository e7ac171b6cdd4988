"""Runs that are tried every time: one for each kind of fault, worlds with many kinds, and what was once found wrong."""

from .chance import KINDS
from .run import Spec

SMALL = (("days", 15), ("accounts", 25), ("pace", 7200), ("hours", 12))

OF_EACH_KIND = {
    kind: Spec(seed, SMALL, (kind,) if kind in ("kill", "killed") else (kind, "kill"))
    for seed, kind in enumerate(KINDS, 200)
}
"""By kind of fault; with a worker killed now and then, so that somebody reads what is left."""

OF_MANY_KINDS = tuple(Spec(seed, (("days", 30),)) for seed in (1, 5, 6, 10))
WITHOUT_FAULTS = tuple(Spec(seed, (("days", 40),), ()) for seed in (3, 9))

ONCE_WRONG = (
    Spec(
        8, (("days", 25), ("pace", 7200)), ("pause", "stopped", "deaf", "join", "late", "doubled", "unacked")
    ),
)
"""Records that came through an old gate were taken by an owner that recovered in the same assignment."""
