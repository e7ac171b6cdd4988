"""The little language of tests/scenarios, word by word: instants, accounts and numbers of one line.

tests/scenarios/README.md shows the language to people; a line that is not of it is answered with the
file, the line and what could have stood there.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, NoReturn

PLATFORM = "weibo"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_NUMBER = re.compile(r"\d[\d_]*")
_ACCOUNT = re.compile(r"(?:([a-z0-9_]+)/)?([a-z0-9][a-z0-9_-]{2,63})")


class ScenarioMistake(Exception):
    """A scenario cannot be read; the message names the file, the line and what to write."""


class Who(NamedTuple):
    """An account of a platform; `bilibili/acc-a`, or `acc-a` alone for weibo."""

    platform: str
    account_id: str

    def __str__(self) -> str:
        return self.account_id if self.platform == PLATFORM else f"{self.platform}/{self.account_id}"


def said(instant: datetime) -> str:
    """Return an instant as outputs write it."""
    text = instant.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"


def shown(text: str) -> str:
    """Return an instant of an output as scenarios write it."""
    date, _, time = text.removesuffix("Z").partition("T")
    time = time.removesuffix(":00") if time.count(":") == 2 else time
    return date if time == "00:00" else f"{date} {time}"


class Words:
    """One line, taken word by word from the left."""

    def __init__(self, file: Path, number: int, line: str) -> None:
        self.file = file
        self.number = number
        self.line = line.partition("#")[0].strip()
        self._words = self.line.split()

    def refuse(self, why: str) -> NoReturn:
        raise ScenarioMistake(f'{self.file.name}:{self.number}: "{self.line}": {why}')

    @property
    def next(self) -> str:
        return self._words[0] if self._words else ""

    def take(self, what: str) -> str:
        if not self._words:
            self.refuse(f"ends where {what} is missing.")
        return self._words.pop(0)

    def took(self, *words: str) -> bool:
        """Take these words if they come next."""
        if tuple(self._words[: len(words)]) != words:
            return False
        del self._words[: len(words)]
        return True

    def one_of(self, what: str, choices: Iterable[str]) -> str:
        choices = tuple(choices)
        word = self.take(f"{what} ({', '.join(choices)})")
        if word not in choices:
            self.refuse(f'"{word}" is no {what}. Write one of {", ".join(choices)}.')
        return word

    def number_of(self, what: str) -> int:
        word = self.take(what)
        if not _NUMBER.fullmatch(word):
            self.refuse(f'"{word}" is no {what}. Write a whole number like 1_000_000.')
        return int(word)

    def account(self) -> Who:
        word = self.take("an account")
        match = _ACCOUNT.fullmatch(word)
        if match is None:
            self.refuse(f'"{word}" is no account. Write acc-a, or bilibili/acc-a for another platform.')
        return Who(match[1] or PLATFORM, match[2])

    def instant(self, *, end_of_day: bool = False) -> str:
        """Take `2024-01-02` or `2024-01-02 12:00`, UTC; alone a date is its first or its last instant."""
        date = self.take("a date like 2024-01-02")
        time = self.take("a time") if _TIME.fullmatch(self.next) else ""
        try:
            if not _DATE.fullmatch(date):
                raise ValueError
            instant = datetime.fromisoformat(f"{date}T{time or '00:00'}").replace(tzinfo=UTC)
        except ValueError:
            self.refuse(f'"{date} {time}" is no instant. Write 2024-01-02, or 2024-01-02 12:00 (UTC).')
        return said(instant + timedelta(days=1, microseconds=-1) if end_of_day and not time else instant)

    def end(self, after: str) -> None:
        if self._words:
            self.refuse(f'"{" ".join(self._words)}" is too much after {after}.')
