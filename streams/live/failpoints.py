"""Places where a test lets a worker die: `NAMEPLATE_FAILPOINT=append.after:3` kills it at the third pass.

In life the variable is not set, and a place costs one look into an empty dict.
"""

import os
import signal

_VARIABLE = "NAMEPLATE_FAILPOINT"
_STOP = "stop"

PLACES = ("append.before", "append.after", "publish.after", "rows.after", "head.after")
"""Before the append; between append and publish; publish and rows; rows and head; head and commit."""


def _wanted() -> dict[str, tuple[int, str]]:
    said = os.environ.get(_VARIABLE, "")
    wanted = {}
    for part in filter(None, said.split(",")):
        place, count, *action = part.split(":")
        wanted[place] = (int(count), action[0] if action else "kill")
    return wanted


_left = _wanted()


def reach(place: str) -> None:
    """Die here, or stand still (`:stop`), if this is the pass that the environment names."""
    if not _left or place not in _left:
        return
    count, action = _left[place]
    if count == 1:
        del _left[place]
        os.kill(os.getpid(), signal.SIGSTOP if action == _STOP else signal.SIGKILL)
    else:
        _left[place] = (count - 1, action)
