"""What an owner makes of the statuses in its partition (rule 24): which of them it has to compare with its rows."""

from types import SimpleNamespace

from streams.journaling import status_headers
from streams.live.statuses import Tail, Told, fingerprint

MET, CLEAR = b'{"stage":"met","entry":4,"as_of":"2023-11-01T00:00:00Z"}', b'{"stage":"clear"}'


def status(offset, key, value, writer="we", entry=0):
    return SimpleNamespace(offset=offset, key=key, value=value, headers=status_headers(writer, entry))


def told(value, entry=0):
    return Told(fingerprint(value), entry)


def test_what_stood_there_before_is_compared_once_by_its_last_word():
    tail = Tail(3, "we")
    for record in (
        status(0, b"a", MET, "they", 1),
        status(1, b"b", MET, "they", 1),
        status(2, b"a", None, "they", 2),
    ):
        assert tail.see(record) == {}
        assert tail.reach(record.offset) == {}
    assert tail.reach(3) == {b"a": told(None, 2), b"b": told(MET, 1)}
    assert tail.reach(3) == {}


def test_what_a_stranger_writes_later_is_compared_and_what_we_write_is_not():
    tail = Tail(0, "we")
    assert tail.see(status(0, b"a", MET, entry=5)) == {}
    assert tail.see(status(1, b"a", CLEAR, "they", 4)) == {b"a": told(CLEAR, 4)}


def test_a_late_copy_of_our_own_is_compared():
    tail = Tail(0, "we")
    assert tail.see(status(0, b"a", CLEAR, entry=5)) == {}
    assert tail.see(status(1, b"b", CLEAR, entry=5)) == {}
    assert tail.see(status(2, b"a", MET, entry=6)) == {}
    assert tail.see(status(3, b"a", CLEAR, entry=5)) == {b"a": told(CLEAR, 5)}


def test_a_status_that_names_no_entry_is_older_than_anything_of_ours():
    tail = Tail(0, "we")
    for said in (b"soon", b"-1", b"", None, b"9" * 5000):
        headers = (("nameplate-entry", said),) if said != b"" else ()
        record = SimpleNamespace(offset=0, key=b"a", value=None, headers=headers)
        assert tail.see(record) == {b"a": told(None, -1)}


def test_a_fingerprint_is_of_the_state_and_not_of_its_writing():
    assert fingerprint(MET) == fingerprint(b'{"as_of":"2024-01-01T00:00:00Z","entry":9,"stage":"met"}')
    assert len({fingerprint(value) for value in (MET, CLEAR, None, b"junk")}) == 4
