"""The real owner writes a status again that is older than its rows, and leaves alone what is newer than them."""

import pytest

from schemas.topics import STATUS
from streams.live.statuses import Told, fingerprint

from .tails import Seen, correct
from .tiny import Row, State

STALE = fingerprint(b'{"row":[9,5,0]}')
ROWS = State((), (), (("x", Row(9, 12, 4)),))


def seen(entry):
    return Seen(0, doubted=((b"x", Told(STALE, entry)),))


@pytest.mark.parametrize("entry", [-1, 4, 5])
def test_a_stale_status_is_written_again_with_the_last_entry(entry):
    after, sent = correct(seen(entry), ROWS, 5, "we")
    assert after.doubted == ()
    ((topic, ((key, value, headers),)),) = sent
    assert (topic, key, value) == (STATUS, b"x", b'{"entry":5,"row":[9,12,4]}')
    assert dict(headers) == {"nameplate-writer": b"we", "nameplate-entry": b"5"}


def test_a_paused_owner_does_not_correct_its_successor():
    after, sent = correct(seen(6), ROWS, 5, "we")
    assert (after.doubted, sent) == ((), ())
