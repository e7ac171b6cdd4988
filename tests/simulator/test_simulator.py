"""The worker's own code keeps the invariants through months of lives and troubles."""

import subprocess
import sys
from pathlib import Path

import pytest

from .chance import KINDS
from .corpus import OF_EACH_KIND, OF_MANY_KINDS, ONCE_WRONG, WITHOUT_FAULTS
from .flaws import FLAWS
from .outcome import outcome_of
from .shrink import read, shrunk, write

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_world_with_one_kind_of_fault_comes_to_rest_and_everything_holds(kind):
    outcome = outcome_of(OF_EACH_KIND[kind])
    assert outcome.violation is None
    assert outcome.world.chance.tally()[kind], "it never happened"


@pytest.mark.parametrize(
    "spec", [*OF_MANY_KINDS, *ONCE_WRONG, *WITHOUT_FAULTS], ids=lambda spec: f"seed {spec.seed}"
)
def test_a_world_of_a_seed_comes_to_rest_and_everything_holds(spec):
    outcome = outcome_of(spec)
    assert outcome.violation is None
    assert outcome.figures["decisions"]


def test_a_seed_is_the_same_run_in_every_process():
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulator", "tell", "--seed", "5", "--days", "12", "--lines", "0"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_a_failing_run_is_made_small_and_fails_again_from_its_file(tmp_path):
    (flaw,) = (flaw for flaw in FLAWS if flaw.name == "nothing is published again")
    with flaw.planted():
        found = outcome_of(flaw.spec)
        assert found.violation is not None
        small = shrunk(found, seconds=6)
        write(small.spec, tmp_path / "spec.json")
        again = outcome_of(read(tmp_path / "spec.json"), is_told=True)
    assert again.violation is not None
    assert again.violation.which == found.violation.which
    assert len(again.world.chance.happened) < len(found.world.chance.happened)
    assert len(again.world.inputs) < len(found.world.inputs)
    assert outcome_of(small.spec).violation is None
