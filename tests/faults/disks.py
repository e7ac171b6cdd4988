"""T6: the broker's disk full: it stops, loudly; once there is room again everything goes on."""

import subprocess
import time
from pathlib import Path

from .bench import Bench
from .kafka import Node
from .outcome import Fault, Result
from .watch import Moment
from .world import World

SIZE = "160m"
ROOM_S = 30


def full_disks(bench: Bench, result: Result, times: int) -> None:
    """Fill a small disk on which a broker of its own has its data, so many times."""
    place = bench.directory / "disk"
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        result.not_run = f"no small disk can be mounted here: {done.stderr.strip()}"
        return
    node = Node(bench.directory / "disk-broker", logs=place / "data")
    try:
        world = bench.world(result, node.up(), rate=100)
        for _ in range(2):
            world.start()
        for _ in range(times):
            world.wait_owned()
            if world.is_stuck:
                break
            fill(world, place)
        world.finish()
    finally:
        bench.clear()
        node.kill()
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(world: World, place: Path) -> None:
    """Fill the disk until the broker gives up, make room, and start it again."""
    filler, unread = place / "filler", world.unread()
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
        end = time.monotonic() + ROOM_S
        while world.node.is_alive and time.monotonic() < end:
            try:
                file.write(b"\0" * 512)
            except OSError:
                time.sleep(0.1)
            world.supervise()
    gave_up = not world.node.is_alive
    filler.unlink()
    since = Moment.now()
    if gave_up:
        world.node.up()
    kind = "disk full, the broker stopped" if gave_up else "disk full, the broker held out"
    world.recovers(Fault(kind, unread=unread), set(range(world.partitions)), since, 90)
