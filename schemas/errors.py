"""Errors by whose fault they are, because that decides the answer.

| family | whose fault | answer |
|---|---|---|
| InputError | the sender of a record | dead letter, go on |
| PolicyError | the author of a policy file | refuse to start, exit 2 |
| OperatorError | whoever made the call or the environment | exit 2, with the remedy |
| AuditError | the evidence does not agree | report, exit 1 |
| TransportError | another machine | retry with a bound, then stop the partition |
| InvariantBroken | ourselves | stop the worker loudly; never caught |
"""


class StreamsError(Exception):
    """Every error that Nameplate raises by itself; the message says what, why and what to do."""

    code: str = "error"
    exit_status: int = 70
    """Of a command that ends with it. 70: our own fault, as nobody else caught it."""


class InputError(StreamsError):
    """A record cannot be read. `code` is the dead-letter code of the contract, section 4.

    The message never holds any of the payload: it may be a name.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PolicyError(StreamsError):
    """A policy file or book is refused: all its mistakes at once, one a line (file, where, what, remedy)."""

    code = "policy"
    exit_status = 2


class OperatorError(StreamsError):
    """The call, a setting or the environment is wrong; the message ends with the next command to type."""

    code = "operator"
    exit_status = 2


class AuditError(StreamsError):
    """The evidence does not agree with itself or with what is derived again from it."""

    code = "audit"
    exit_status = 1


class TransportError(StreamsError):
    """Another machine did not do its part in time."""

    code = "transport"
    exit_status = 2


class InvariantBroken(StreamsError):
    """Our own code reached what it must never reach. Nobody catches it: the worker stops."""

    code = "invariant"
