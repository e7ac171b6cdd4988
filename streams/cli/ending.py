"""How a command ends, and what it says of an error.

Exit status: 0 done; 1 the evidence does not agree; 2 the call, a setting, a policy or the environment is wrong;
70 our own fault, with its traceback; 130 interrupted; 141 nobody reads the output any more.
"""

import os
import sys
import traceback

from schemas.errors import PolicyError
from streams.cli import logs
from streams.cli.app import app
from streams.cli.screen import ClosedPipe, err, say_error

WRONG_CALL = 2
OUR_FAULT = 70
INTERRUPTED = 130
CLOSED_PIPE = 141
"""As a shell says it of a program that SIGPIPE ended."""

LOADED_NOTHING = (
    "\nNothing was loaded. Correct it, see that it loads with `nameplate policy check DIR`, then go on."
)
OURS = "This is a mistake of Nameplate's own. Please report it with the lines above."


def main() -> None:
    """Run the command line, and say of every error what, why and what to type next."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _run()
        sys.stdout.flush()
    except (ClosedPipe, BrokenPipeError):
        status = CLOSED_PIPE
        # what is still buffered goes nowhere, instead of failing once more at the very end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(status)


def _run() -> int:
    try:
        logs.begin("CRITICAL")
        app(prog_name="nameplate")
    except SystemExit as end:
        if isinstance(
            end.__context__, BrokenPipeError
        ):  # Typer's answer to it is a 1, which is ours for evidence
            raise end.__context__ from None
        if end.code == INTERRUPTED:
            err.print("Interrupted.")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except logs.SAID_AT_THE_END as error:
        say_error(f"{error}{LOADED_NOTHING if isinstance(error, PolicyError) else ''}")
        return error.exit_status
    except (ClosedPipe, BrokenPipeError):
        raise
    except OSError as error:
        say_error(_refused(error))
        return WRONG_CALL
    except Exception:  # noqa: BLE001 - ours: nobody else takes it
        traceback.print_exc()
        say_error(OURS)
        return OUR_FAULT
    return 0


def _refused(error: OSError) -> str:
    """Return what the system did not let us do."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    why = error.strerror or str(error) or type(error).__name__
    return (
        f"{where}{why}. The system refused it: check the path, its permissions and the space that is left, then "
        "run the command again."
    )
