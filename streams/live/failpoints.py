"""Places where a test lets a worker die: `NAMEPLATE_FAILPOINT=append.after:3` kills it at the third pass.

`append.after:3:stop` stops the whole process there, and `append.after:3:hang` only who passes, for ever.

In life the variable is not set, and a place costs one look into an empty dict.
"""

import asyncio
import os
import signal

_VARIABLE = "NAMEPLATE_FAILPOINT"
_STOP, _HANG = "stop", "hang"

PLACES = ("deliver.before", "append.before", "append.after", "publish.after", "rows.after", "head.after")
"""Before a run is handed to its owner; before the append; between append and publish; publish and rows; rows
and head (of a step the rows are in the view then, and leave with the head); head and commit."""


def _wanted() -> dict[str, tuple[int, str]]:
    said = os.environ.get(_VARIABLE, "")
    wanted = {}
    for part in filter(None, said.split(",")):
        place, count, *action = part.split(":")
        wanted[place] = (int(count), action[0] if action else "kill")
    return wanted


_left = _wanted()


async def reach(place: str) -> None:
    """Die here, or stand still (`:stop`, `:hang`), if this is the pass that the environment names."""
    if not _left or place not in _left:
        return
    count, action = _left[place]
    if count > 1:
        _left[place] = (count - 1, action)
        return
    del _left[place]
    if action == _HANG:
        await asyncio.Event().wait()
    os.kill(os.getpid(), signal.SIGSTOP if action == _STOP else signal.SIGKILL)
