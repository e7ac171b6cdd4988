"""The topics by their short names, as replay files, journals and dead letters say them.

On a broker a topic is called prefix + short name + `.v1` (contract, section 1).
"""

COUNTS = "follower-counts"
FACTS = "account-facts"
CLOCK = "clock"
BOOKS = "policy-book"
INPUTS = (COUNTS, FACTS, CLOCK, BOOKS)

DISCLOSURE = "disclosure-required"
GRACE = "grace-periods"
RESTRICTIONS = "restrictions"
OUTPUTS = (DISCLOSURE, GRACE, RESTRICTIONS)

JOURNAL = "journal"
STATUS = "account-status"
DEAD_LETTERS = "dead-letters"
ALL = (*INPUTS, *OUTPUTS, JOURNAL, STATUS, DEAD_LETTERS)

DEFAULT_PREFIX = "nameplate."


def full_name(short: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the name of a topic on the broker, for example `nameplate.clock.v1`."""
    return f"{prefix}{short}.v1"
