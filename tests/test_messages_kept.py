"""Every error text that the program can say stands in a golden file, and says what to do next."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import golden

ROOT = Path(__file__).parents[1]

ERRORS = {
    "OperatorError",
    "PolicyError",
    "AuditError",
    "TransportError",
    "Diverged",
    "EntryUnreadable",
    "Stop",
}
ERRORS |= {"BadParameter"}
NOT_PROVOKED = {
    "All workers ended before the history did": "tests/live/test_demo_live.py",
    "Wait for its end, or name another directory": "two demos at once",
    "Whether the journal has it, says": "tests/test_demo.py: a broker that lost an output",
    "Run the demo again, or without a broker": "a broker that goes while a demo runs",
    "the inputs lead to": "tests/test_verify.py: a journal that leaves a decision out, chained and digested anew",
    "When that is mended": "tests/live/test_broker.py: it ends with what Kafka says",
    "it is no address of this machine": "a machine without a free port",
    "is not in the log (deleted": "tests/live/test_transport.py",
    "cannot be parsed (": "a broker that sends broken batches",
    "The broker does not say": "a broker that falls silent",
    "The broker did not give": "a broker that falls silent",
    "lines and then took no more": "a broker that falls silent",
    "a send was not acknowledged": "a broker that falls silent",
    "the table's recovery in": "a broker that falls silent",
    "are not ready after": "a broker that makes topics and gives them no leaders",
    "it is gone again": "a broker that goes within a millisecond",
    "Nothing is lost: whoever owns": "tests/live/test_watchdog.py",
    "not within": "tests/live/test_topics.py",
    ". Make it with `nameplate topics apply`": "tests/live/test_topics.py: a topic that goes under a worker",
    "See what is asked of it with": "a broker that forbids something",
    "nobody allowed us": "tests/live/test_guarded.py",
    "was ended by somebody else": "tests/test_replay_crew.py: a process of a replay that is killed",
    "is not of the journal's form": "tests/test_explain.py: only a forger writes it",
    "does not follow the account's last one": "tests/test_explain.py: only a forger writes it",
    "its policy book is none": "only a forger writes it",
}
"""Beginnings of texts that no golden file has, and where they are tried, or why they are not."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the longest piece of each error text that a module writes itself."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = node.args[-1] if name == "Stop" else node.args[0]
            pieces = [
                piece
                for part in ast.walk(said)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
                for piece in re.split(r"\{\w*\}", part.value)  # of a text that is filled by format
            ]
            if name in ERRORS and max(map(len, pieces), default=0) > 10:
                yield node.lineno, max(pieces, key=len).strip()


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_every_error_text_is_in_a_golden_file() -> None:
    kept = squeezed(" ".join(path.read_text("utf-8") for path in golden.MESSAGES.glob("*.txt")))
    missing = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for room in ("schemas", "streams")
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, text in texts(path)
        if squeezed(text) not in kept and not any(known in text for known in NOT_PROVOKED)
    ]
    assert missing == []


def test_what_is_not_provoked_is_still_said() -> None:
    """A text that is gone, or that has a golden file by now, needs no excuse."""
    kept = squeezed(" ".join(path.read_text("utf-8") for path in golden.MESSAGES.glob("*.txt")))
    said = [
        text
        for room in ("schemas", "streams")
        for path in (ROOT / room).rglob("*.py")
        for _, text in texts(path)
    ]
    stale = [
        known
        for known in NOT_PROVOKED
        if not any(known in text and squeezed(text) not in kept for text in said)
    ]
    assert stale == []


def test_every_error_of_the_command_line_names_the_next_step() -> None:
    """What to type, or what to correct before the command is typed again."""
    for path in golden.MESSAGES.glob("cli-*.txt"):
        for call in path.read_text("utf-8").split("\n\n$ "):
            if not call.rstrip().endswith("=> 0"):
                assert re.search(
                    r"`nameplate |run the command again|Try 'nameplate|Write it like|\"remedy\"", call
                ), call
