"""Records that must not be read: of every kind that a sender, a bug or an enemy may send.

Every one may carry a canary: a made-up name, address or number that must never come out again anywhere.
"""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

CANARIES = ("王小明欧阳", "Jane Q Publicum", "jane.publicum@example.org", "+8613912345678")
KINDS = ("not-utf8", "cut", "nan", "huge-int", "deep", "double-key", "wrong-type", "null-inside", "missing", "extra",
         "no-key", "other-key", "no-value", "large", "float", "share", "instant", "ahead", "platform", "type", "array",
         "empty", "account", "bom", "trailing", "control")  # fmt: skip


def poisoned(
    random: Random,
    topic: str,
    key: bytes | None,
    value: dict[str, Any],
    now: datetime,
    kind: str | None = None,
) -> tuple[bytes | None, bytes | None]:
    """Return key and value of a record that is broken in one way, and perhaps has a name in it."""
    kind = kind or random.choice(KINDS)
    canary = random.choice(CANARIES)
    number = "followers" if topic == "follower-counts" else "event_id"
    instant = "observed_at" if topic == "follower-counts" else "occurred_at"
    text = json.dumps(value, ensure_ascii=False)
    match kind:
        case "not-utf8":
            return key, text.encode() + b"\xff\xfe" + canary.encode("utf-16-le")
        case "cut":
            return key, text.encode()[: random.randrange(1, len(text))]
        case "nan":
            return key, text.replace(f'"{number}": ', f'"{number}": NaN, "x": ').encode()
        case "huge-int":
            return key, json.dumps({**value, number: 0}).replace(
                ": 0", ": " + "9" * random.choice((17, 400, 6000))
            ).encode()
        case "deep":
            depth = random.choice((200, 3000, 20_000))
            return key, b'{"a":' * depth + b"1" + b"}" * depth
        case "double-key":
            return key, (text[:-1] + f', "{number}": 1}}').encode()
        case "wrong-type":
            return key, json.dumps({**value, random.choice(tuple(value)): [canary]}).encode()
        case "null-inside":
            return key, json.dumps({**value, random.choice(tuple(value)): None}).encode()
        case "missing":
            gone = random.choice(("event_id", "platform", "account_id", instant))
            return key, json.dumps({name: said for name, said in value.items() if name != gone}).encode()
        case "extra":
            return key, json.dumps({**value, "display_name": canary}, ensure_ascii=False).encode()
        case "no-key":
            return None, text.encode()
        case "other-key":
            return canary.encode(), text.encode()
        case "no-value":
            return key, None
        case "large":
            return key, (text[:-1] + f', "x": "{canary * random.choice((5000, 9000))}"}}').encode()
        case "float":
            return key, json.dumps({**value, number: 1000000.0}).encode()
        case "share":
            subjects = {"finance": random.choice((1.5, 7, -0.1))}
            return key, json.dumps({**value, "type": "profile-changed", "subjects": subjects}).encode()
        case "instant":
            return key, json.dumps(
                {**value, instant: random.choice(("now", "2026-02-30T00:00:00Z", canary))}
            ).encode()
        case "ahead":
            ahead = (now + timedelta(days=3)).astimezone(UTC).isoformat()
            return key, json.dumps({**value, instant: ahead}).encode()
        case "platform":
            return b"nowhere:acc-001", json.dumps({**value, "platform": "nowhere"}).encode()
        case "type":
            return key, json.dumps({**value, "type": "renamed"}).encode()
        case "array":
            return key, json.dumps([value]).encode()
        case "empty":
            return key, b""
        case "account":
            return key, json.dumps({**value, "account_id": canary}).encode()
        case "bom":
            return key, b"\xef\xbb\xbf" + text.encode()
        case "trailing":
            return key, text.encode() + b" " + canary.encode()
        case "control":
            return key, json.dumps({**value, "event_id": "e\r\n\x1b[31m"}).encode()
    raise AssertionError(kind)
