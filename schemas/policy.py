"""Policies: one platform's rules, dated and cited, and the book that holds them all.

Theory of operation. A policy is written as tables (contract, section 5): one TOML file for each
platform, merged with the book's `_defaults.toml`, or the same tables in a policy-book record. The
*JSON form* of a book is `{"policies": {platform: merged tables}}` with instants as UTC text and
nothing filled in; its hash is the SHA-256 of the canonical JSON of that form, so a book has one hash
wherever it is read from. The models say what the tables mean: keys of a file are their aliases,
what it leaves out has its documented default there, and every number is an integer.
"""

import hashlib
from functools import cached_property
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from schemas.errors import PolicyError
from schemas.fields import VERSION
from schemas.policy_leaves import WRITTEN, Identifier, json_form, read_array
from schemas.policy_mistakes import Mistake, cross_check, from_validation
from schemas.policy_tables import (
    Below,
    Confirm,
    Display,
    Floor,
    Grace,
    Measures,
    Notice,
    Part,
    Phase,
    Purge,
    Rule,
    Scope,
    Source,
    Viewer,
    Watch,
)

__all__ = [
    "Below",
    "Confirm",
    "Display",
    "Floor",
    "Grace",
    "Measures",
    "Notice",
    "Phase",
    "Policy",
    "PolicyBook",
    "Purge",
    "Rule",
    "Scope",
    "Source",
    "Viewer",
    "Watch",
    "book_from_tables",
    "examine",
]


def _share_of(share: int, count: int) -> int:
    """Return the lowest integer that is at least this share (ten-thousandths) of a count."""
    return -(-share * count // 10_000)


def _by_threshold(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    if not phases:
        raise ValueError("is empty. Add a table [[phase]] with id, threshold, op, from and grace.days")
    return tuple(sorted(phases, key=lambda phase: (phase.threshold, phase.begins)))


class Policy(Part):
    """One platform's rules."""

    platform: Identifier
    """Its name, under which it stands in the book, too."""
    version: Annotated[str, Field(pattern=VERSION)]
    """The author's own name of this state of the file, for example `2023-12-22.1`."""
    enabled: bool = True
    """False: loaded and checked, decides nothing."""
    scope: Scope = Scope()
    """Whom it is about."""
    phases: Annotated[tuple[Phase, ...], BeforeValidator(read_array), AfterValidator(_by_threshold)] = Field(
        alias="phase", json_schema_extra={"minItems": 1}
    )
    """By threshold, then by begin; at least one."""
    confirm: Confirm = Confirm()
    """How long and how far a count must be over or under the line."""
    measures: Measures = Measures()
    """What the platform may do, by name, and what it leaves alone."""
    below: Below = Below()
    """What a fall below the line does."""
    purge: Purge | None = None
    """When a fall is named as a suspected purge; left out: never."""
    display: Display = Display()
    """What is shown, and where."""
    notice: Notice = Notice()
    """How an account is told."""
    viewer: Viewer = Viewer()
    """Who may not look at a displayed name."""
    floor: Floor | None = None
    """The lowest threshold that was pledged in public, where one was."""
    watch: Watch = Watch()
    """From which count on accounts are watched."""
    rules: Annotated[tuple[Rule, ...], BeforeValidator(read_array)] = Field(default=(), alias="rule")
    """Dated rules for everybody, without a threshold; shown, decide nothing."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """By key path, for example `phase.p1.threshold`; a path of `_defaults.toml` has no phase: `phase.op`."""

    @cached_property
    def watch_from(self) -> int:
        """The watch floor: the lowest count of which an account without a row is watched."""
        lowest = min(phase.threshold for phase in self.phases)
        return _share_of(self.watch.floor_share, lowest)

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """The lines of the policy, rising: each is the lowest count on its upper side.

        Source:
            Contract, section 3, "What is taken": each phase, in force or not, hysteresis, the watch floor.
        """
        cuts = {self.watch_from}
        for phase in self.phases:
            cuts.add(phase.threshold if phase.op == ">=" else phase.threshold + 1)
            if self.confirm.hysteresis:
                cuts.add(_share_of(10_000 - self.confirm.hysteresis, phase.threshold))
        return tuple(sorted(cuts))

    def source_of(self, path: str) -> Source | None:
        """Return where a leaf stands: its own source, else that of the default for every phase.

        Args:
            path: A key path such as `phase.p1.grace.days` or `measures.impose`.
        """
        own = self.sources.get(path)
        if own is not None or not path.startswith("phase."):
            return own
        _, _, leaf = path.removeprefix("phase.").partition(".")
        return self.sources.get(f"phase.{leaf}")


class PolicyBook(Part):
    """The policies of all platforms at one moment, named by the hash of what was written."""

    hash: str
    """SHA-256 of the canonical JSON of `tables`, 64 hex digits."""
    policies: dict[str, Policy]
    tables: dict[str, Any]
    """The JSON form: `{"policies": {platform: merged tables}}`."""


def book_from_tables(tables: object) -> PolicyBook:
    """Return the checked book that tables in the JSON form describe.

    Args:
        tables: `{"policies": {platform: merged tables}}`; decimals as float, int or Decimal.

    Raises:
        PolicyError: the tables are refused; the message holds every mistake, one a line. A source
            that is missing in a platform's own file only `streams.policies.load_book` can see.
    """
    book, mistakes = examine(tables)
    if book is None:
        lines = (f"{mistake.platform or 'policy book'}: {mistake}" for mistake in mistakes)
        raise PolicyError("\n".join(" ".join(line.split()) for line in lines))
    return book


def examine(tables: object) -> tuple[PolicyBook | None, tuple[Mistake, ...]]:
    """Return the book that tables in the JSON form describe, or None and every mistake in them."""
    written = tables.get("policies") if isinstance(tables, dict) else None
    if not isinstance(tables, dict) or not isinstance(written, dict) or set(tables) != {"policies"}:
        what = 'is no table with the one key "policies". Publish it with `nameplate policy publish`'
        return None, (Mistake("", (), "the book", what),)
    if not written:
        what = "is empty. A book holds at least one platform"
        return None, (Mistake("", ("policies",), "policies", what),)
    policies: dict[str, Policy] = {}
    mistakes: list[Mistake] = []
    for platform, merged in sorted(written.items()):
        try:
            policies[platform] = Policy.model_validate(merged, context=WRITTEN, by_alias=True, by_name=False)
        except ValidationError as error:
            mistakes += from_validation(platform, merged, error, Policy)
        if isinstance(merged, dict):
            mistakes += cross_check(platform, merged, Policy)
    if mistakes:
        return None, tuple(mistakes)
    form = json_form(tables)
    digest = hashlib.sha256(msgspec.json.encode(form, order="sorted")).hexdigest()
    return PolicyBook(hash=digest, policies=policies, tables=form), ()
