"""What the program put out, held against what the oracle expects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

Output = dict[str, Any]
Outputs = dict[tuple[str, str, str], list[Output]]
"""By topic, platform and account."""


def in_oracle_words(records: Iterable[Output]) -> list[Output]:
    """Return outputs of the program, each with its topic, with the number of its account's obligation and its purge.

    Args:
        records: A notice before all that belongs to its obligation.
    """
    numbers: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    found = []
    for record in records:
        seen = numbers[record["platform"], record["account_id"]]
        if record["type"] == "disclosure-required":
            seen.setdefault(record["obligation_id"], len(seen) + 1)
        named = [reason for reason in record["reasons"] if reason["code"] == "suspected-purge"]
        purge = sorted({value for reason in named for value in reason.values() if type(value) is int})
        found.append({**record, "obligation": seen.get(record["obligation_id"], 0), "purge": purge})
    return found


def differences(
    expected: Iterable[Output], found: Iterable[Output]
) -> Iterator[tuple[str, list[Output], list[Output]]]:
    """Yield the first difference of each account and topic: where, what is expected, what was found; [] is nothing."""
    wanted, got = by_account(expected), by_account(found)
    for place in sorted(wanted.keys() | got.keys()):
        ours, theirs = wanted[place], got[place]
        for number in range(max(len(ours), len(theirs))):
            left, right = ours[number : number + 1], theirs[number : number + 1]
            if not (left and right and is_same(left[0], right[0])):
                yield f"{place} #{number + 1}", left, right
                break


def by_account(outputs: Iterable[Output]) -> Outputs:
    """Return outputs by topic and account, in order; a resume that ends in the same decision is passed over."""
    groups: Outputs = defaultdict(list)
    for output in outputs:
        group = groups[output["topic"], output["platform"], output["account_id"]]
        last = (group[-1]["type"], group[-1]["decided_at"]) if group else None
        if output["type"] == "grace-ended" and last == ("grace-resumed", output["decided_at"]):
            group.pop()
        group.append(output)
    return groups


def is_same(wanted: Output, got: Output) -> bool:
    """Whether an output is what the oracle expects; where the contract has two readings, it names both."""
    for name, value in wanted.items():
        other = got.get(name)
        if name in ("measures", "untouched"):
            alike = sorted(value) == sorted(other or [])
        elif name == "purge":
            alike = set(value) <= set(other or []) and bool(value) == bool(other)
        elif name == "why":
            alike = other in value.split("|")
        else:
            alike = value == other and type(value) is type(other)
        if not alike:
            return False
    return True
