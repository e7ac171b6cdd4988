"""The line of a mistake is the line of its key, however the table is written."""

from streams.policies.lines import key_lines, nearest

TEXT = '''\
platform = "weibo"
[scope]
subjects = [
  "law",
]
[[phase]]
id = "p1"
grace.days = 10
[[phase]]
"id" = "p2"
grace = { days = 3 }
[[phase]]
[ phase . grace ]
days = 3
[sources."phase.p1.op"]
text = """
threshold = 5
"""
status = "news"
[[rule]]
id = "r"
'''


def test_keys_are_found_in_tables_arrays_and_dotted_names() -> None:
    lines = key_lines(TEXT)
    assert lines["platform",] == 1
    assert lines["scope", "subjects"] == 3
    assert lines["phase", 0, "grace", "days"] == 8
    assert lines["phase", 1, "id"] == 10
    assert lines["phase", 2, "grace", "days"] == 14
    assert lines["sources", "phase.p1.op", "status"] == 19
    assert lines["rule", 0, "id"] == 21


def test_text_of_several_lines_states_no_key() -> None:
    assert ("sources", "phase.p1.op", "threshold") not in key_lines(TEXT)


def test_key_that_stands_nowhere_is_shown_at_its_table() -> None:
    lines = key_lines(TEXT)
    assert nearest(lines, ("phase", 1, "grace", "days")) == (3, 11)
    assert nearest(lines, ("phase", 2, "op")) == (2, 12)
    assert nearest(lines, ("version",)) == (0, None)
