"""Replay files: a value reaches its reader as written, whatever it is; the rest is the operator's."""

import base64
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.errors import InputError, OperatorError
from schemas.wire import decode
from streams.replay.files import Line, read_lines

COUNT = (
    '{"event_id": "e", "platform": "weibo", "account_id": "acc-a", "followers": 5,'
    ' "observed_at": "2024-01-03T00:00:00Z"}'
)
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def lines(tmp_path):
    def read(*texts, name="input.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"".join(text if isinstance(text, bytes) else text.encode() for text in texts))
        return list(read_lines([path]))

    return read


def counted(value, **more):
    rest = "".join(f', "{name}": {json.dumps(inner)}' for name, inner in more.items())
    return f'{{"topic": "follower-counts", "value": {value}{rest}}}\n'


def test_a_line_says_where_it_stands(lines, tmp_path):
    file = str(tmp_path / "input.jsonl")
    assert lines("\n", counted(COUNT), " \r\n", counted(COUNT).rstrip()) == [
        Line(file, 2, topics.COUNTS, COUNT.encode(), b"weibo:acc-a"),
        Line(file, 4, topics.COUNTS, COUNT.encode(), b"weibo:acc-a"),
    ]


def test_a_line_may_say_everything(lines, tmp_path):
    more = {"key": 'weibo:"b', "partition": 3, "offset": 9, "timestamp": 17, "timestamp_type": 1}
    assert lines(counted("{}", **more)) == [
        Line(str(tmp_path / "input.jsonl"), 1, topics.COUNTS, b"{}", b'weibo:"b', 3, 9, 17, 1)
    ]


@pytest.mark.parametrize(
    "value",
    [
        COUNT,
        COUNT.replace("5", "1000000.0"),
        COUNT.replace("5", "9" * 5000),
        COUNT.replace("5", "1e400"),
        COUNT.replace("5", "NaN"),
        COUNT.replace("5", "-Infinity"),
        COUNT.replace("5", DEEP),
        COUNT.replace("5", "[" * 140 + "]" * 140),
        COUNT.replace('"e"', '"\\ud800"'),
        COUNT.replace('"e"', '"' + "x" * 2_000_000 + '"'),
        COUNT.replace("{", '{"followers":7,', 1),
        COUNT.replace('"e"', '"\\"value\\": {\\""'),
        COUNT.replace(", ", " ,\t"),
        '{"value": {"value": 1}, "topic": "clock"}',
        DEEP,
        "[]",
        '"x"',
        "0.10",
        "{}",
    ],
)
def test_a_value_is_passed_on_exactly_as_written(lines, value):
    for text in (
        counted(value),
        counted(value).replace(": ", ":", 1),
        counted(value, key="k", offset=3),
        f'  {{ "value" :\t{value} ,"topic":"follower-counts" }}',
    ):
        (line,) = lines(text)
        assert line.value == value.encode()
        assert line.topic == topics.COUNTS


def test_a_value_that_is_no_utf8_is_for_the_reader_of_values(lines):
    (line,) = lines(counted(COUNT).encode().replace(b'"e"', b'"\xff"'))
    assert line.key == b"weibo:acc-a"
    with pytest.raises(InputError, match="not-utf8"):
        decode(line.topic, line.key, line.value, {"weibo"})


def test_a_value_of_null_is_no_value(lines):
    assert [(line.value, line.key) for line in lines(counted("null"), counted("null", key="k"))] == [
        (None, None),
        (None, b"k"),
    ]


def test_raw_bytes_may_stand_in_place_of_the_value(lines):
    for raw, key in ((b"\xff\x00", None), (COUNT.encode(), b"weibo:acc-a"), (b"", None), (b"null", None)):
        text = json.dumps({"topic": "account-facts", "raw_base64": base64.b64encode(raw).decode()})
        (line,) = lines(text)
        assert (line.value, line.key) == (raw, key)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (COUNT, b"weibo:acc-a"),
        (COUNT.replace("acc-a", "NO SUCH, \u7231"), "weibo:NO SUCH, \u7231".encode()),
        (COUNT.replace('"e"', '"\\ud800"'), b"weibo:acc-a"),
        (COUNT.replace("5", "NaN"), b"weibo:acc-a"),
        (COUNT.replace('"acc-a"', "5"), None),
        (COUNT.replace('"acc-a"', "null"), None),
        (COUNT.replace('"acc-a"', '"\\ud800"'), None),
        (COUNT.replace('"acc-a"', '{"acc": "a"}'), None),
        (COUNT.replace('"platform"', '"plat"'), None),
        (COUNT.replace("5", DEEP), None),
        ("[1]", None),
        ("5", None),
    ],
)
def test_the_key_is_that_of_the_value_where_it_has_one(lines, value, key):
    assert [line.key for line in lines(counted(value))] == [key]
    assert [line.key for line in lines(counted(value, key="other"))] == [b"other"]
    assert [line.key for line in lines(counted(value, key=None))] == [None]


def test_ticks_and_books_have_no_key_of_their_own(lines):
    for topic in (topics.CLOCK, topics.BOOKS):
        assert [line.key for line in lines(f'{{"topic": "{topic}", "value": {COUNT}}}')] == [None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "no JSON"),
        ("{", "no JSON"),
        (counted(COUNT)[:-2], "no JSON"),
        (counted(COUNT)[:-1] + counted(COUNT), "no JSON"),
        ('{"topic": "clock", "value": {"at": }}', "no JSON"),
        ('{"topic": "clock", "value": }', "no JSON"),
        ("\ufeff" + counted(COUNT), "no JSON"),
        (b'{"topic": "clock", "value": {}, "key": "\xff"}', "UTF-8"),
        ("[]", "array"),
        (COUNT, "unknown field"),
        ("{}", "topic"),
        ('{"topic": "clock"}', "value or raw_base64"),
        ('{"topic": "clock", "value": {}, "raw_base64": ""}', "value or raw_base64"),
        ('{"topic": "clock", "raw_base64": "$"}', "no base64"),
        ('{"topic": "clock", "raw_base64": "\u00e9"}', "no base64"),
        ('{"topic": "clock", "raw_base64": null}', "raw_base64"),
        ('{"topic": "counts", "value": {}}', "follower-counts"),
        ('{"topic": null, "value": {}}', "topic"),
        ('{"topic": "clock", "value": {}, "colour": 1}', "unknown field"),
        ('{"topic": "clock", "value": {}, "key": 5}', "key"),
        ('{"topic": "clock", "value": {}, "partition": -1}', "partition"),
        ('{"topic": "clock", "value": {}, "partition": null}', "partition"),
        ('{"topic": "clock", "value": {}, "offset": 1.0}', "offset"),
        ('{"topic": "clock", "value": {}, "offset": 99999999999999999999}', "offset"),
        ('{"topic": "clock", "value": {}, "timestamp_type": 2}', "timestamp_type"),
        ('{"topic": "clock", "topic": "clock", "value": {}}', "twice"),
        ('{"topic": "clock", "value": {}, "value": {}}', "twice"),
        ('{"topic": "clock", "value": NaN, "value": {}}', "twice"),
        ('{"topic": "clock", "value": {}, "offset": 1, "offset": 1}', "twice"),
        ('{"topic": "clock", "value": {}, "key": ' + DEEP + "}", "deep"),
        (DEEP, "deep"),
    ],
)
def test_a_line_that_is_not_of_the_form_is_the_operators_mistake(lines, tmp_path, text, why):
    with pytest.raises(OperatorError) as refused:
        lines(counted(COUNT), text)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'input.jsonl'}, line 2: ")
    assert why in message
    assert "Correct the line" in message
    assert refused.value.__context__ is None


def test_files_are_read_one_after_the_other_and_gz_too(tmp_path):
    first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"
    first.write_bytes(gzip.compress((counted(COUNT) * 3).encode()))
    second.write_text(counted("{}"), encoding="utf-8")
    assert [(line.file, line.number) for line in read_lines([first, second, first])] == [
        *((str(first), number) for number in (1, 2, 3)),
        (str(second), 1),
        *((str(first), number) for number in (1, 2, 3)),
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    missing, folder, broken = tmp_path / "none.jsonl", tmp_path / "folder", tmp_path / "broken.jsonl.gz"
    plain = tmp_path / "plain.jsonl.gz"
    folder.mkdir()
    broken.write_bytes(gzip.compress(counted(COUNT).encode() * 1000)[:-20])
    plain.write_text(counted(COUNT), encoding="utf-8")
    for path in (missing, folder, broken, plain):
        with pytest.raises(
            OperatorError, match=r"cannot be read( after line \d+)? \(.+\)\. Check"
        ) as refused:
            list(read_lines([path]))
        assert str(refused.value).startswith(str(path))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, st.booleans(), st.none() | st.text(max_size=5))))
def test_any_json_in_a_value_comes_through(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("lines") / "input.jsonl"
    texts = [json.dumps(value, ensure_ascii=escaped) for value, escaped, _ in values]
    path.write_text(
        "".join(counted(text, key=key) for text, (_, _, key) in zip(texts, values, strict=True)),
        encoding="utf-8",
        newline="",
    )
    read = list(read_lines([path]))
    assert [line.value for line in read] == [None if text == "null" else text.encode() for text in texts]
    assert [line.key for line in read] == [None if key is None else key.encode() for _, _, key in values]
