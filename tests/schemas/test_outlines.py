"""An outline is of an entry that is as we write it, and of no other."""

import json

import msgspec
import pytest

from schemas import topics
from schemas.errors import AuditError
from schemas.journal import encode_entry, entry_hash, read_content, read_envelope
from schemas.outlines import read_outline
from schemas.wire import canonical

DIGEST = "0123456789abcdef" * 4
CONTENT = {
    "partition": 3,
    "time": "clock",
    "runs": [[topics.COUNTS, 5, 9, DIGEST], [topics.CLOCK, 0, 1, None]],
    "positions": {topics.COUNTS: 9, topics.CLOCK: 1},
    "T": "2024-01-02T03:04:05Z",
    "book": DIGEST,
    "decisions": [
        {
            "T": None,
            "cause": {"topic": '},"epoch":'},
            "key": None,
            "before": None,
            "reasons": [],
            "outputs": [],
        }
    ],
    "next_seq": {},
    "published_upto": {},
    "state_root": DIGEST,
    "more": False,
    "last_runs": [[topics.FACTS, 1, 2, DIGEST]],
}


def written(writer='},"epoch":', **changes):
    content = {name: value for name, value in {**CONTENT, **changes}.items() if value is not ...}
    return encode_entry(7, 2, "1" * 64, writer, canonical(content))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"book": None, "T": None},
        {"decisions": []},
        {"last_runs": ...},
        {"writer": 'Ä\\"'},
        {"decisions": [], "last_runs": ...},
    ],
)
def test_what_we_write_is_read_as_it_is_read_in_full(changes):
    raw = written(**changes)
    outline, envelope = read_outline(raw), read_envelope(raw)
    content = read_content(envelope)
    assert outline.hash == entry_hash(raw)
    for name in ("n", "epoch", "prev", "writer"):
        assert getattr(outline.envelope, name) == getattr(envelope, name)
    without, decisions = (
        canonical({**json.loads(bytes(envelope.content)), "decisions": []}),
        content.decisions,
    )
    assert msgspec.json.encode(outline.content, order="sorted") == without
    assert outline.decisions == b",".join(map(canonical, decisions))
    assert [(one.T, one.key) for one in outline.told] == [(one["T"], one["key"]) for one in decisions]
    assert [one.cause.topic for one in outline.told] == [one["cause"]["topic"] for one in decisions]


NO_DIGESTS = (DIGEST[1:], DIGEST + "0", DIGEST.upper(), "g" * 64, "ä" * 64, " " * 64, "")
NO_CONTENTS = [
    *({"state_root": no} for no in (*NO_DIGESTS, None)),
    *({"book": no} for no in NO_DIGESTS),
    *({"runs": [[topics.COUNTS, 5, 9, no]]} for no in NO_DIGESTS),
    *({"last_runs": [[topics.COUNTS, 5, 9, no]]} for no in NO_DIGESTS),
    *({name: [[topics.COUNTS, 5, end, None]]} for name in ("runs", "last_runs") for end in (5, 4)),
    {"runs": [[topics.COUNTS, -1, 1, DIGEST]]},
    {"runs": [[topics.COUNTS, 0, 1, DIGEST, 0]]},
    {"time": "sun"},
    {"more": True},
    {"extra": 1},
    {"state_root": ...},
]


@pytest.mark.parametrize("changes", NO_CONTENTS, ids=str)
def test_what_cannot_be_read_in_full_has_no_outline(changes):
    raw = written(**changes)
    assert read_outline(raw) is None
    with pytest.raises(AuditError):
        read_content(read_envelope(raw))


def test_another_form_of_an_entry_has_no_outline():
    raw = written()
    parts = json.loads(raw)
    forms = [
        raw + b" ",
        b" " + raw,
        raw.replace(b'"epoch":2', b'"epoch": 2'),
        raw.replace(b'"more":false', b'"more" :false'),
        raw.replace(b'"last_runs":', b'"decisions":[],"last_runs":'),
        raw.replace(b'"last_runs":', b'"last_runs":[],"last_runs":'),
        raw.replace(b'"decisions":[', b'"decisions":[],"decisions":['),
        raw.replace(b'"decisions":', b'"decision":'),
        raw.replace(b'"v":1', b'"u":0,"v":1'),
        json.dumps(parts, separators=(",", ":")).encode().replace(b'"v":1', b'"v":2'),
        canonical({**parts, "seal": "0" * 64}),
        canonical({**parts, "more": 1}),
        canonical({name: value for name, value in parts.items() if name != "epoch"}),
        b"",
        b"{}",
        b'},"epoch":',
        b"[" * 10_000,
    ]
    assert [form for form in forms if read_outline(form) is not None] == []


@pytest.mark.parametrize("last_runs", [CONTENT["last_runs"], ...])
@pytest.mark.parametrize("blank", [b" ", b"\n", b"\t "])
def test_blanks_where_no_decision_stands_have_no_outline_though_the_seal_fits(blank, last_runs):
    content = {**CONTENT, "decisions": [], "last_runs": last_runs}
    canonically = canonical({name: value for name, value in content.items() if value is not ...})
    raw = encode_entry(7, 2, "1" * 64, "w", canonically.replace(b"[],", b"[" + blank + b"],", 1))
    assert read_content(read_envelope(raw)).decisions == ()
    assert read_outline(raw) is None
