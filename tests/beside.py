"""The papers, cases and histories that stand beside the project and are never copied into it."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def of_shared(*parts: str) -> Path:
    """Return a path beside the project; where it is not there, skip the test that asks, and in CI fail it."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        missing = f"{path} is not there: put what is shared beside the project"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
