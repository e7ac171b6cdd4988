"""The books of the acceptance cases, which stand beside the project and are never copied into it."""

from pathlib import Path

import pytest
from beside import of_shared

from schemas.errors import PolicyError
from streams.policies.load import load_book

REFUSED = {
    "bad-key": "weibo.toml:11: confirm.dwell_weeks is no key of confirm",
    "bad-empty-subjects": "weibo.toml:38: phase.p1.subjects is empty",
}

pytestmark = pytest.mark.shared


@pytest.fixture
def books() -> list[Path]:
    return sorted(of_shared("acceptance", "books").iterdir())


def test_books_load_or_are_refused_as_the_cases_say(books: list[Path]) -> None:
    refused = {}
    for directory in books:
        try:
            book = load_book(directory)
        except PolicyError as error:
            refused[directory.name] = str(error)
        else:
            assert set(book.policies) == {"weibo"}

    assert set(refused) == set(REFUSED)
    for name, beginning in REFUSED.items():
        assert refused[name].startswith(beginning)
        assert "\n" not in refused[name]


def test_hashes_of_different_books_differ(books: list[Path]) -> None:
    hashes = {
        directory.name: load_book(directory).hash for directory in books if directory.name not in REFUSED
    }
    assert len(set(hashes.values())) == len(hashes)
