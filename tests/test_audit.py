"""The audit of locked packages: what was not looked up is never a pass."""

import json

import pytest
from audit import LOCK, NOT_ALL, judge, locked

WANTED = {"faust-streaming": "0.15.3", "msgspec": "0.22.0"}
GOOD = [{"name": name, "version": version, "vulns": []} for name, version in WANTED.items()]


def found(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        (found(*GOOD), 0, "2 locked packages"),
        (found(GOOD[0]), NOT_ALL, "NOT AUDITED: 1 of 2"),
        (found(GOOD[0], {"name": "msgspec", "skip_reason": "not found on PyPI"}), NOT_ALL, "msgspec"),
        (found(GOOD[0], {**GOOD[1], "vulns": [{"id": "CVE-1"}]}), 1, "msgspec 0.22.0: CVE-1"),
        ("", NOT_ALL, "NOT AUDITED"),
        ("{}", NOT_ALL, "NOT AUDITED"),
    ],
)
def test_only_what_was_looked_up_passes(said, status, told):
    code, text = judge(said, "no such host", WANTED)
    assert code == status
    assert told in text


def test_every_package_of_the_lock_has_its_hashes():
    blocks = LOCK.read_text("utf-8").split("\n    # via")
    assert {"faust-streaming", "aiokafka", "msgspec", "cramjam"} <= set(locked())
    assert sum("--hash=sha256:" in block for block in blocks) >= len(locked())
