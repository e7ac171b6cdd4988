"""What a generated population is asked to be."""

from dataclasses import dataclass

from schemas import instant
from schemas.errors import OperatorError
from schemas.instant import DAY, parse
from schemas.policy import PolicyBook

MOST_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is generated.

    Raises:
        OperatorError: a number is outside of its range; the message says which it is.
    """

    seed: int = 1
    accounts: int = 2_000
    """How many, over all platforms."""
    records: int | None = None
    """Stop after so many lines; None: at the end of the days."""
    start: int = parse("2023-10-25T00:00:00Z")
    """µs; the whole UTC hour that holds it. By default a week before the first phases begin."""
    days: int = 70
    platforms: tuple[str, ...] = ()
    """Names of the policy book; none: each of which the policy is enabled."""
    near: float = 0.25
    """Share of the accounts that start near a line: the tail of sizes alone would leave it at a few percent."""
    late: float = 0.002
    """Share of the records that come behind the next one of their account."""
    doubled: float = 0.002
    """Share of the records that come twice."""
    broken: float = 0.0005
    """Share of the records behind which a copy comes that cannot be read."""
    ticks: int | None = None
    """Seconds between two clock lines; None: there are none, and the records move the time."""

    def __post_init__(self) -> None:
        ranges = (
            ("accounts", self.accounts, 1, 2**32),
            ("days", self.days, 1, MOST_DAYS),
            ("start", self.start, instant.FIRST + DAY, instant.LAST - 2 * MOST_DAYS * DAY),
            ("records", 1 if self.records is None else self.records, 1, 2**53),
            ("ticks", 1 if self.ticks is None else self.ticks, 1, 86_400),
            ("late + doubled + broken", self.late + self.doubled + self.broken, 0, 1),
            *((name, getattr(self, name), 0, 1) for name in ("near", "late", "doubled", "broken")),
        )
        for name, value, least, most in ranges:
            if not least <= value <= most:
                said = [_said(number, is_instant=name == "start") for number in (value, least, most)]
                raise OperatorError(
                    "{} is {}, and must be from {} to {}. Correct it, then run the command again.".format(
                        name, *said
                    )
                )

    def platforms_of(self, book: PolicyBook) -> tuple[str, ...]:
        """Return the platforms whose accounts are generated.

        Raises:
            OperatorError: the book has no policy of one that is named.
        """
        for platform in self.platforms:
            if platform not in book.policies:
                raise OperatorError(
                    f"The book has no policy of {platform!r}. It has {', '.join(book.policies)}: name some of them, as "
                    f"in `nameplate generate FILE --platform {next(iter(book.policies))}`."
                )
        enabled = (name for name, policy in book.policies.items() if policy.enabled)
        return tuple(dict.fromkeys(self.platforms)) or tuple(sorted(enabled))


def _said(number: float, *, is_instant: bool) -> str:
    if is_instant and instant.FIRST <= number <= instant.LAST:
        return instant.text(int(number))
    return str(number)
