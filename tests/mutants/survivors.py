"""The survivors that are known, with the reason why no test can or should catch them."""

import tomllib
from pathlib import Path

SURVIVORS = Path(__file__).with_name("survivors.toml")


def listed() -> dict[tuple[str, str, str, str, int], str]:
    """Return the reason of each survivor by its mutant's name."""
    found: dict[tuple[str, str, str, str, int], str] = {}
    for group in tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivors", []):
        for one in group["mutants"]:
            name = (group["where"], one["operator"], one["was"], one["becomes"], one.get("nth", 1))
            if name in found:
                raise ValueError(f"listed twice: {name}")
            found[name] = group["reason"]
    return found
