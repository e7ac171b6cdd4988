"""Texts as people read them, kept whole in `tests/messages`.

Where a text is meant to be another one, NAMEPLATE_WRITE_MESSAGES=1 writes the files anew; then read what changed.
"""

import os
from pathlib import Path

MESSAGES = Path(__file__).parent / "messages"


def hold(name: str, said: str) -> None:
    """Hold a text against its file, `messages/<name>.txt`."""
    path = MESSAGES / f"{name}.txt"
    if os.environ.get("NAMEPLATE_WRITE_MESSAGES") and os.environ.get("CI") != "true":
        path.write_text(said, "utf-8")
    assert path.exists(), f"{path} is missing; NAMEPLATE_WRITE_MESSAGES=1 writes it:\n{said}"
    assert said == path.read_text("utf-8")
