"""What to type next when a broker or its topics are not as they must be; and the quick look at who listens."""

import socket
from collections.abc import Sequence

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)

from schemas.topics import DEFAULT_PREFIX
from streams.live.access import Where, access_of, hosts

LOCAL = "127.0.0.1:9092"
"""Where `nameplate broker up` listens, and where every command looks unless it is told otherwise."""

REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
"""How aiokafka says that a right is missing."""

LISTEN_S = 3
"""A connection is made in less than a second even across the world."""


def called(command: str, bootstrap: Where, prefix: str) -> str:
    """Return a command as it must be typed to mean this broker and these topics.

    Examples:
        >>> called("topics apply", LOCAL, "mine.")
        '`nameplate topics apply --prefix mine.`'
    """
    words = ["nameplate", command]
    words += ["--bootstrap", str(bootstrap)] if str(bootstrap) != LOCAL else []
    words += access_of(bootstrap).words
    words += ["--prefix", prefix] if prefix != DEFAULT_PREFIX else []
    return f"`{' '.join(words)}`"


def no_answer(bootstrap: Where, why: str) -> str:
    """Return what is said when no broker answers; why, where somebody listens."""
    silent = why_silent(bootstrap)
    said = f"No Kafka broker answers at {bootstrap} ({silent or why}). "
    if silent is not None:
        return said + (
            "Start a local one with `nameplate broker up`, name yours with --bootstrap HOST:PORT, or see what is "
            "missing with `nameplate doctor`."
        )
    file = access_of(bootstrap).file
    return said + (
        f"Somebody listens there: see that {file or '--client-config FILE'} says what a broker with TLS or passwords "
        "wants; with NAMEPLATE_LOG=ERROR you see what was answered. Then run the command again."
    )


def not_allowed(what: str, bootstrap: Where) -> str:
    """Return what is said when the broker knows us, and does not let us."""
    return (
        f"The broker at {bootstrap} refused: {what}. See which rights a role needs with `nameplate topics acls plan "
        "--grant ROLE=User:NAME`; who may give them does so with `nameplate topics acls apply`."
    )


def missing(names: Sequence[str], bootstrap: Where, prefix: str) -> str:
    """Return what is said when topics are not there."""
    more = f" and {len(names) - 2} more" if names[2:] else ""
    return (
        f"The broker at {bootstrap} has no topic {', '.join(names[:2])}{more}. Make what is missing with "
        f"{called('topics apply', bootstrap, prefix)}."
    )


LOOK = "Look at it with `nameplate doctor`, then run the command again."


def said(error: BaseException) -> str:
    """Return in a few words what a library said of a broker.

    Examples:
        >>> said(TimeoutError())
        'TimeoutError'
    """
    what = ", ".join(map(str, error.args)).rstrip(".")
    return f"{type(error).__name__}: {what}" if what else type(error).__name__


def why_silent(bootstrap: Where) -> str | None:
    """Return why nobody can be reached at all, None where somebody listens at one of the addresses at least."""
    why = "nothing listens there"
    for host, port in hosts(bootstrap):
        try:
            socket.create_connection((host, port), timeout=LISTEN_S).close()
        except (OSError, OverflowError) as error:
            why = str(getattr(error, "strerror", None) or error).lower()
        else:
            return None
    return why
