"""What is kept of a record that could not be read: where it stood, its hash, its length and one code."""

from typing import Any

from schemas import instant
from schemas.strict_json import sha256_hex

CODES = (
    "null-value",
    "too-large",
    "not-utf8",
    "not-json",
    "duplicate-key",
    "unknown-type",
    "unknown-field",
    "missing-field",
    "wrong-type",
    "ill-formed",
    "out-of-range",
    "unknown-platform",
    "key-mismatch",
)
"""The dead-letter codes; where several hold, the first. Source: contract, section 4."""

CODE_OF_KIND = {
    "extra_forbidden": "unknown-field",
    "missing": "missing-field",
    "bool_type": "wrong-type",
    "dict_type": "wrong-type",
    "int_type": "wrong-type",
    "model_type": "wrong-type",
    "null": "wrong-type",
    "share_type": "wrong-type",
    "string_type": "wrong-type",
    "instant": "ill-formed",
    "share_digits": "ill-formed",
    "string_pattern_mismatch": "ill-formed",
    "string_unicode": "ill-formed",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "literal_error": "out-of-range",
    "share_range": "out-of-range",
}
"""What the kinds of pydantic's errors, and our own in `schemas.fields`, mean as codes."""


def dead_letter(
    topic: str, partition: int, offset: int, value: bytes | None, *, code: str, at: int | None
) -> dict[str, Any]:
    """Return the record of a value that could not be read: never the value itself.

    Args:
        topic: Short name of the input topic.
        partition: Where the record stood.
        offset: Where in the partition.
        value: Its bytes; None counts as no bytes.
        code: One of `CODES`.
        at: T; None before the first.

    Source:
        Contract, section 4, `dead-letters`.
    """
    data = value or b""
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "sha256": sha256_hex(data),
        "bytes": len(data),
        "code": code,
        "at": None if at is None else instant.text(at),
    }
