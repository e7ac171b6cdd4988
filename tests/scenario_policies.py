"""Policies as scenarios write them: only what differs from one small base, in short names."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from scenario_words import said

WHERE = {
    "version": ("version",),
    "enabled": ("enabled",),
    "owners": ("scope", "owners"),
    "subjects": ("scope", "subjects"),
    "min_subject_share": ("scope", "min_subject_share"),
    "exempt_daily_life": ("scope", "exempt_daily_life"),
    "dwell_days": ("confirm", "dwell_days"),
    "hysteresis_pct": ("confirm", "hysteresis_pct"),
    "measures": ("measures", "impose"),
    "untouched": ("measures", "untouched"),
    "on_decline": ("measures", "on_decline"),
    "below_pending": ("below", "pending"),
    "below_measures": ("below", "measures"),
    "purge_share": ("purge", "drop_share"),
    "purge_days": ("purge", "within_days"),
    "display_individual": ("display", "individual"),
    "display_organisation": ("display", "organisation"),
    "channel": ("notice", "channel"),
    "floor_share": ("watch", "floor_share"),
}
"""The short names, and where each stands in a policy file."""

OF_PHASE = {
    "threshold": ("threshold",),
    "op": ("op",),
    "from": ("from",),
    "until": ("until",),
    "grace_days": ("grace", "days"),
    "deadline": ("grace", "deadline"),
    "min_days": ("grace", "min_days"),
    "reminders": ("grace", "reminders_days_before"),
}
"""May stand in a policy, for all its phases, and in one of its `phases`."""

IN_PHASE = {**OF_PHASE, "id": ("id",), "subjects": ("subjects",)}

BASE = {"version": "2024-01-01.1", "measures": ["hot_search", "tipping"], "untouched": ["basic_functions"]}
PHASE = {"threshold": 1_000_000, "op": ">=", "from": date(2023, 10, 31), "grace_days": 10}


def tables_of(platform: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a policy file.

    Raises:
        KeyError: a short name that there is not.
    """
    tables: dict[str, Any] = {"platform": platform}
    phases = written.get("phases", [{}])
    common = {name: value for name, value in written.items() if name in OF_PHASE}
    for name, value in {**BASE, **written}.items():
        if name != "phases" and name not in OF_PHASE:
            _put(tables, WHERE[name], value)
    tables["phase"] = [
        _phase({"id": f"p{number}", **PHASE, **common, **phase}) for number, phase in enumerate(phases, 1)
    ]
    return tables


def _phase(written: Mapping[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name, value in written.items():
        _put(tables, IN_PHASE[name], value)
    return tables


def _put(tables: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, last = path
    for name in outer:
        tables = tables.setdefault(name, {})
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        value = said(value if value.tzinfo else value.replace(tzinfo=UTC))
    tables[last] = value
