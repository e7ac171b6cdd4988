"""Everything that others may rely on, as files."""

import json
from pathlib import Path
from typing import Any

from schemas import topics
from schemas.errors import OperatorError
from streams.interface.asyncapi import document
from streams.interface.examples import examples
from streams.interface.topics import TOPICS, schema_of

DOCUMENT = "asyncapi.json"
_REMEDY = f"Name one that a release wrote, as in `nameplate schema check DIR/{DOCUMENT}`."


def files() -> dict[str, bytes]:
    """Return the files by name: one JSON Schema for each topic, and the AsyncAPI document."""
    written = {f"{topics.full_name(topic.short, '')}.json": schema_of(topic, examples()) for topic in TOPICS}
    return {name: _text(value) for name, value in {**written, DOCUMENT: document()}.items()}


def export(directory: Path) -> list[Path]:
    """Write the files into a directory, over those that are there, and return where they are."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in files().items():
        paths.append(directory / name)
        paths[-1].write_bytes(text)
    return paths


def read_document(path: Path) -> dict[str, Any]:
    """Return an AsyncAPI document that this or another release wrote.

    Raises:
        OperatorError: it is none.
    """
    try:
        read = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise OperatorError(f"{path} cannot be read as JSON: {why}. {_REMEDY}") from error
    if not isinstance(read, dict) or read.get("id") != document()["id"]:
        raise OperatorError(f"{path} is no AsyncAPI document of Nameplate. {_REMEDY}")
    return read


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
