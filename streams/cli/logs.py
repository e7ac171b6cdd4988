"""What the libraries and the worker log, on standard error; the variable NAMEPLATE_LOG says from which level on."""

import logging
import os
import sys

from schemas.errors import AuditError, OperatorError, PolicyError, TransportError

VARIABLE = "NAMEPLATE_LOG"
SAID_AT_THE_END = (AuditError, OperatorError, PolicyError, TransportError)
"""Errors whose message is all that there is to know: what, why and the next command."""

AGAIN_S = 10.0
"""How long a text of a library that was let through is not said again."""

_root = logging.getLogger()
_handler = logging.Handler()


class _Stderr(logging.Handler):
    """Writes to what is the standard error now, not to what it was."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler does: a log stops nobody
            self.handleError(record)


def begin(default: str) -> None:
    """Log from a level on: that of the variable, else the default.

    Raises:
        OperatorError: the variable names no level.
    """
    global _handler  # noqa: PLW0603 - the process has one standard error
    level = os.environ.get(VARIABLE) or default
    if level not in logging.getLevelNamesMapping():
        raise OperatorError(
            f"{VARIABLE}={level} is no level of a log. Set it to DEBUG, INFO, WARNING or ERROR, or unset it, "
            "then run the command again."
        )
    _root.removeHandler(_handler)
    _handler = _Stderr()
    _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    _handler.setLevel(level)
    _root.addHandler(_handler)
    _root.setLevel(min(_root.level, _handler.level))


def begin_worker() -> None:
    """Log as a worker does: what it owns and what it decides, not every start and stop of a part."""
    begin("INFO")
    services = ("app", "consumer_thread", "rows", "transport")
    for noisy in ("aiokafka", "faust", "mode", *(f"streams.live.{name}" for name in services)):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # also in DEBUG: they would log what they carry
    if _handler.level > logging.DEBUG:
        _handler.addFilter(_Stops())
        _handler.addFilter(_Repeated())


class _Stops(logging.Filter):
    """Takes out how a stop goes through Faust: what, why and the next command is said once, at the end.

    Crashes of our own keep all their tracebacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known = False

    def filter(self, record: logging.LogRecord) -> bool:
        reason = record.exc_info[1] if record.exc_info else None
        said = record.args if isinstance(record.args, tuple) else ()
        if any(isinstance(error, SAID_AT_THE_END) for error in (reason, *said)):
            self._known = True
            return record.levelno < logging.ERROR
        return not (self._known and _RERAISED in record.getMessage())


_RERAISED = "We experienced a crash! Reraising original exception..."
"""Faust's last words; ours follow."""


class _Repeated(logging.Filter):
    """Lets through once in a while what a library says again and again: without a broker, 200 lines a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}
        """By logger and text: when it was let through, and how often it came since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("streams"):
            return True
        key = (record.name, str(record.msg))
        last, more = self._said.get(key, (0.0, 0))
        if record.created - last < AGAIN_S:
            self._said[key] = (last, more + 1)
            return False
        self._said[key] = (record.created, 0)
        if more:
            record.msg = f"{record.msg} (and {more} times more since)"
        return True
