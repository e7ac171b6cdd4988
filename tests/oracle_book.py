"""Policy files as the oracle reads them, with its own eyes."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from oracle_inputs import DAY, at

FOR_GOOD = 10**20


@dataclass
class Phase:
    id: str
    threshold: int
    op: str
    begins: int
    ends: int
    subjects: list[str] | None
    days: int
    deadline: int | None
    min_days: int
    reminders: list[int]

    def in_force(self, instant: int) -> bool:
        return self.begins <= instant < self.ends

    def on_reached_side(self, followers: int) -> bool:
        return followers >= self.threshold if self.op == ">=" else followers > self.threshold


@dataclass
class Policy:
    version: str
    phases: list[Phase]
    owners: list[str]
    subjects: list[str]
    share: Fraction
    exempt_daily_life: bool
    dwell: int
    hysteresis: Fraction
    impose: list[str]
    untouched: list[str]
    at_once: bool
    keep_pending: bool
    keep_measures: bool
    purge: tuple[Fraction, int] | None
    display: dict[str, str]
    channel: str
    floor: Fraction
    enabled: bool

    def is_below(self, phase: Phase, followers: int) -> bool:
        if self.hysteresis:
            return followers < self.hysteresis_line(phase)
        return not phase.on_reached_side(followers)

    def hysteresis_line(self, phase: Phase) -> Fraction:
        return _less(phase.threshold, self.hysteresis)

    def sides(self, followers: int) -> list[bool]:
        """On which side of each line a count stands."""
        reached = [phase.on_reached_side(followers) for phase in self.phases]
        fallen = [followers < self.hysteresis_line(phase) for phase in self.phases] if self.hysteresis else []
        return [*reached, *fallen, followers >= self.floor]


@lru_cache
def _less(threshold: int, hysteresis: Fraction) -> Fraction:
    return threshold * (1 - hysteresis / 100)


def load(directory: Path) -> dict[str, Policy]:
    """Return the policies of a directory of TOML files, by platform."""
    defaults: dict[str, Any] = {}
    if (directory / "_defaults.toml").exists():
        defaults = tomllib.loads((directory / "_defaults.toml").read_text("utf-8"), parse_float=Decimal)
    book = {}
    for file in sorted(directory.glob("[!_.]*.toml")):
        own = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        phases = [_merged(defaults.get("phase", {}), phase) for phase in own["phase"]]
        policy = _policy({**_merged(defaults, own), "phase": phases})
        book[own["platform"]] = policy
    return book


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(under[key], over[key]) for key in under.keys() & over.keys() if _tables(under, over, key)
    }
    return {**under, **over, **both}


def _tables(under: dict[str, Any], over: dict[str, Any], key: str) -> bool:
    return isinstance(under[key], dict) and isinstance(over[key], dict)


def _policy(tables: dict[str, Any]) -> Policy:
    scope, confirm, measures = (tables.get(name, {}) for name in ("scope", "confirm", "measures"))
    below, purge, display = tables.get("below", {}), tables.get("purge"), tables.get("display", {})
    phases = [_phase(phase) for phase in tables["phase"]]
    share = Fraction(tables.get("watch", {}).get("floor_share", Decimal("0.8")))
    return Policy(
        version=tables["version"],
        phases=phases,
        owners=scope.get("owners", ["individual", "organisation"]),
        subjects=scope.get("subjects", []),
        share=Fraction(scope.get("min_subject_share", Decimal("0.3"))),
        exempt_daily_life=scope.get("exempt_daily_life", False),
        dwell=confirm.get("dwell_days", 0) * DAY,
        hysteresis=Fraction(confirm.get("hysteresis_pct", 0)),
        impose=measures.get("impose", []),
        untouched=measures.get("untouched", []),
        at_once=measures.get("on_decline", "at-deadline") == "at-once",
        keep_pending=below.get("pending", "cancel") == "keep",
        keep_measures=below.get("measures", "lift") == "keep",
        purge=(Fraction(purge["drop_share"]), purge["within_days"]) if purge else None,
        display={
            "individual": display.get("individual", "real_name"),
            "organisation": display.get("organisation", "organisation_name"),
        },
        channel=tables.get("notice", {}).get("channel", "in_app_message"),
        floor=share * min(phase.threshold for phase in phases),
        enabled=tables.get("enabled", True),
    )


def _phase(table: dict[str, Any]) -> Phase:
    grace = table["grace"]
    return Phase(
        id=table["id"],
        threshold=table["threshold"],
        op=table["op"],
        begins=at(table["from"].isoformat()),
        ends=at(table["until"].isoformat()) if "until" in table else FOR_GOOD,
        subjects=table.get("subjects"),
        days=grace["days"],
        deadline=at(grace["deadline"].isoformat()) if "deadline" in grace else None,
        min_days=grace.get("min_days", 0),
        reminders=grace.get("reminders_days_before", []),
    )
