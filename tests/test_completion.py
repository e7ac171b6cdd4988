"""What a shell completes when a command is typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from streams.policies.load import load_book, shipped_book_dir

ROOT = Path(__file__).parents[1]
NAMEPLATE = [sys.executable, "-m", "streams.cli"]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def completed(shell: str, *words: str) -> list[str]:
    """Return what a shell is told when the last word is to be completed."""
    line = " ".join(["nameplate", *words])
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        NAMEPLATE,
        env=environment(_NAMEPLATE_COMPLETE=f"complete_{shell}", **asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"[a-z][a-z_-]+", done.stdout) if shell == "zsh" else done.stdout.split()


def test_platforms_are_completed_from_the_book() -> None:
    assert completed("bash", "policy", "show", "''") == sorted(load_book(shipped_book_dir()).policies)
    assert completed("bash", "policy", "show", "we") == ["wechat", "weibo"]
    scenario = str(shipped_book_dir().parent / "scenario")
    assert completed("bash", "policy", "show", "--policies", scenario, "w") == ["wechat", "weibo"]
    assert "douyin" not in completed("bash", "policy", "show", "--policies", scenario, "''")


def test_commands_and_choices_are_completed_in_every_shell() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert {"verify"} <= set(completed(shell, "ver"))
    assert completed("bash", "worker", "--time", "w") == ["wall"]


def test_bash_itself_completes(tmp_path: Path) -> None:
    """The script that is installed, in a real bash, with a program of our name on its path."""
    program = tmp_path / "nameplate"
    program.write_text(f'#!/bin/sh\nexec {" ".join(NAMEPLATE)} "$@"\n')
    program.chmod(0o755)
    ask = (
        'source /dev/stdin <<< "$(nameplate --show-completion bash)"; COMP_WORDS=(nameplate policy show xi); '
        "COMP_CWORD=3; _nameplate_completion nameplate; echo ${COMPREPLY[@]}"
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask], env=environment(PATH=path), capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("xiaohongshu", "")
