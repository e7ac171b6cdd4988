"""Looks up every package of requirements.lock among the known vulnerabilities, by pip-audit in a venv of its own.

Exit status: 0 all were looked up and none has one; 1 some have; 3 not all could be looked up, which is no pass: it
says which and why.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
TOOL = "pip-audit==2.10.1"
NOT_ALL = 3
PATIENCE_S = 60


def locked() -> dict[str, str]:
    """Return the version of each package of the lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE))


def look_up(directory: Path) -> tuple[str, str]:
    """Return what pip-audit found, as JSON, and what it said; of one package only where that one is not found."""
    venv.create(directory, with_pip=True)
    python = str(directory / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", TOOL]
    found, said = _run(install)
    if said:
        return "", said
    name, version = next(iter(locked().items()))
    probe = directory / "one.txt"
    probe.write_text(f"{name}=={version}\n", "utf-8")
    audit = [python, "-m", "pip_audit", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    found, said = _run([*audit, "--requirement", str(probe), "--no-deps", "--timeout", "10"])
    if "skip_reason" in found or not found:  # each of the others would be waited for as long
        return found, said
    return _run([*audit, "--requirement", str(LOCK), "--require-hashes"])


def _run(call: list[str]) -> tuple[str, str]:
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return "", f"it took more than {PATIENCE_S} s"
    return done.stdout, done.stderr if done.returncode else ""


def judge(found: str, said: str, wanted: dict[str, str]) -> tuple[int, str]:
    """Return the exit status and what is told; pure."""
    try:
        packages = json.loads(found)["dependencies"]
    except (ValueError, KeyError):
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        return NOT_ALL, f"NOT AUDITED: pip-audit could not look anything up ({last})."
    seen = {one["name"].lower().replace("_", "-"): one for one in packages if "skip_reason" not in one}
    bad = [
        f"{one['name']} {one['version']}: {', '.join(known['id'] for known in one['vulns'])}"
        for one in seen.values()
        if one["vulns"]
    ]
    if bad:
        return 1, "Known vulnerabilities:\n" + "\n".join(bad)
    missing = sorted(set(wanted) - set(seen))
    if missing:
        return (
            NOT_ALL,
            f"NOT AUDITED: {len(missing)} of {len(wanted)} packages are unknown there: {', '.join(missing[:5])}",
        )
    return 0, f"{len(wanted)} locked packages, none with a known vulnerability."


def main() -> int:
    """Look it up."""
    with tempfile.TemporaryDirectory() as directory:
        status, told = judge(*look_up(Path(directory)), locked())
    print(told)
    return status


if __name__ == "__main__":
    sys.exit(main())
