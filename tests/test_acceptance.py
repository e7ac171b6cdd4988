"""The acceptance cases that are kept beside the project, run through its own command.

They stand in `shared/acceptance`, beside the repository. Where they are not there the test is skipped;
in CI (`CI=true`) it fails, because then they have to be.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from beside import of_shared

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def compare():
    """The script that runs all cases and says which of them do not hold."""
    return of_shared("acceptance", "compare.py")


@pytest.mark.parametrize("partitions", [(), ("--partitions", "3")], ids=["as told", "on three partitions"])
def test_every_acceptance_case_holds(compare, partitions):
    command = [sys.executable, str(compare), *partitions, sys.executable, "-m", "streams.cli"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("cases hold")
