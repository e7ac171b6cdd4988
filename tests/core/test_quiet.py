"""Quiet counts, passed by compiled code and by Python: both stop before the same count, at the same T."""

import json

import pytest
from forms import compiled, forms_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import instant
from schemas.columns import Column
from schemas.instant import FOREVER
from streams.core import quiet_python
from streams.core.band import AWAKE, HIGHEST, Band

FORMS = forms_of("streams.core.quiet")

T = instant.parse("2024-01-03T00:00:00Z")
KEY = b"weibo:acc-a"


def value(followers=5, at="2024-01-03T00:00:00Z", platform="weibo", account_id="acc-a"):
    said = {"event_id": "e", "platform": platform, "account_id": account_id}
    return json.dumps({**said, "followers": followers, "observed_at": at}).encode()


def passed(form, values, keys=None, *, bands=None, asleep=None, index=0, before=FOREVER, moves=False):
    """Return up to where counts are quiet; the account's band takes 4 to 6 followers unless another is said."""
    found, later = form.pass_quiet(
        Column([KEY] * len(values) if keys is None else keys),
        Column(values),
        index,
        {KEY: Band(4, 6, FOREVER, FOREVER)} if bands is None else bands,
        asleep or {},
        T,
        before,
        moves,
    )
    return found if later == T else (found, later - T)


# Laws ------------------------------------------------------------------------------------------------

ATS = [f"2024-01-0{day}T00:00:00{fraction}Z" for day in (2, 3, 4) for fraction in ("", ".000001")]
INSTANTS = st.sampled_from([instant.parse(at) for at in ATS] + [FOREVER, -FOREVER])
FOLLOWERS = st.sampled_from([0, 4, 5, 6, 7, HIGHEST])
ACCOUNTS = st.sampled_from(
    [("weibo", "acc-a"), ("weibo", "acc-b"), ("douyin", "acc-a"), ("nowhere", "acc-a")]
)
BANDS = st.builds(Band, FOLLOWERS, FOLLOWERS, INSTANTS, INSTANTS) | st.just(
    Band(0, HIGHEST, FOREVER, FOREVER)
)
DAMAGE = st.sampled_from([None, b"", b" ", b"{", b"}", b"null", b"\0", b'"', b"7", b"x" * 70_000])


@st.composite
def records(draw):
    """Some counts with their keys; some are damaged, and some are two halves that stand side by side."""
    keys, values = [], []
    for platform, account_id in draw(st.lists(ACCOUNTS, max_size=6)):
        key = f"{platform}:{account_id}".encode()
        said = value(draw(FOLLOWERS), draw(st.sampled_from(ATS)), platform, account_id)
        damage = draw(st.sampled_from(["none"] * 12 + ["key", "cut", "put", "halves", "other"]))
        place = draw(st.integers(0, len(said))) if damage in {"cut", "put", "halves"} else 0
        if damage == "key":
            key = draw(st.sampled_from([None, b"", key[:-1], key + b"a", key.replace(b":", b";")]))
        elif damage == "cut":
            said = said[:place]
        elif damage == "put":
            said = said[:place] + (draw(DAMAGE) or b"") + said[place:]
        elif damage == "halves":
            keys.append(key)
            values.append(said[:place])
            said = said[place:]
        elif damage == "other":
            said = draw(DAMAGE)
        keys.append(key)
        values.append(said)
    return keys, values


@settings(max_examples=600)
@given(
    records(),
    st.dictionaries(ACCOUNTS.map(lambda one: ":".join(one).encode()), BANDS),
    st.dictionaries(st.sampled_from(["weibo", "douyin"]), BANDS),
    INSTANTS,
    INSTANTS,
    st.booleans(),
    st.integers(0, 3),
)
@pytest.mark.parametrize("form", compiled("streams.core.quiet"))
def test_compiled_code_passes_what_python_passes(form, drawn, bands, asleep, now, before, moves, index):
    keys, values = drawn
    asked = (Column(keys), Column(values), min(index, len(values)), bands, asleep, now, before, moves)
    assert form.pass_quiet(*asked) == quiet_python.pass_quiet(*asked)


# Each bound of a band, one before and one behind it -------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_count_is_quiet_between_the_lines_of_its_band(form):
    assert [passed(form, [value(count)]) for count in (3, 4, 5, 6, 7)] == [0, 1, 1, 1, 0]
    assert passed(form, [value(4), value(6), value(5), value(7), value(5)]) == 3
    assert passed(form, [value(7), value(5), value(3)], index=1) == 2
    assert passed(form, []) == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_count_is_quiet_before_its_sample_and_before_an_instant(form):
    for bound in ({"bands": {KEY: Band(4, 6, T, FOREVER)}}, {"before": T}):
        assert passed(form, [value(at="2024-01-02T23:59:59.999999Z")], **bound) == 1
        assert passed(form, [value(at="2024-01-03T00:00:00Z")], **bound) == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_count_that_moves_t_is_quiet_while_its_band_holds_at_the_new_t(form):
    later, bands = value(at="2024-01-03T00:00:00.000007Z"), {KEY: Band(4, 6, FOREVER, T + 6)}
    assert passed(form, [later], moves=True) == (1, 7)
    assert passed(form, [later, value()], moves=True) == (2, 7)
    assert passed(form, [later], moves=False) == 1
    assert passed(form, [later], bands=bands, moves=True) == 0
    assert passed(form, [later], bands=bands, moves=False) == 1
    assert passed(form, [value()], bands={KEY: Band(4, 6, FOREVER, T - 1)}) == 0


@pytest.mark.parametrize("form", FORMS)
def test_an_account_without_a_band_has_that_of_its_platform_if_there_is_one(form):
    asleep = {"weibo": Band(0, 5, FOREVER, FOREVER)}
    assert passed(form, [value(0), value(6)], bands={}, asleep=asleep) == 1
    assert passed(form, [value(6)], asleep=asleep) == 1
    assert passed(form, [value(6)], bands={KEY: AWAKE}, asleep=asleep) == 0
    other = value(platform="douyin"), b"douyin:acc-a"
    assert passed(form, [value(), other[0], value()], [KEY, other[1], KEY], bands={}, asleep=asleep) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_not_read_on_into_the_next_one(form):
    said = value()
    for place in range(len(said)):
        assert passed(form, [said[:place], said[place:]]) == 0
    assert passed(form, [b"", said], index=1) == 2
    assert passed(form, [said + b" ", said, b" " + said]) == 3
    assert passed(form, [None, said]) == passed(form, [b" ", said]) == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_that_of_its_value_and_not_read_on_into_the_next_one(form):
    everybody = {"bands": {}, "asleep": {"weibo": Band(0, HIGHEST, FOREVER, FOREVER)}}
    for more in ({}, everybody):
        assert passed(form, [value()] * 2, **more) == 2
        for place in range(len(KEY)):
            assert passed(form, [value()] * 2, [KEY[:place], KEY[place:]], **more) == 0
            assert passed(form, [value()] * 2, [KEY, KEY[place + 1 :]], **more) == 1
        for key in (None, b"weibo:acc-b", b"weibp:acc-a", b"weibo;acc-a", KEY + b"a"):
            assert passed(form, [value()], [key], **more) == 0
