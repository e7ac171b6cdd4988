"""Who takes part in the race, with which load, and what the peers among them need to be installed."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import loads
from bench.loads import Load
from bench.race import Command
from bench.rig import ROOT, Rig
from schemas import topics
from schemas.errors import OperatorError
from streams.broker.jars import KAFKA_VERSION, copy_jars, find_java, find_maven

HERE = Path(__file__).parent / "peers"
INSTALLED = ROOT / ".nameplate"

Stream = Callable[[int], Iterator[loads.Count]]


class Contestant(NamedTuple):
    """One program with one kind of load."""

    name: str
    title: str
    does: str
    """What it does with a count."""
    stream: Stream
    most: int
    """Counts that it is given at most: a slow one needs fewer for a run of some seconds."""
    against: str
    """The row of ours that it is compared with; its own name: it is that row."""
    peer: str = ""
    """What starts it: a module of `bench.peers`, or a guarantee of Kafka Streams; nothing: it is ours."""
    small_batches: bool = False


ANY = 10**9
CONTESTANTS = (
    Contestant(
        "ours",
        "Nameplate",
        "checks it by the whole contract; where it matters: row, status, notice, grace, journal",
        loads.quiet,
        ANY,
        "ours",
    ),
    Contestant(
        "ours-small",
        "Nameplate, small record batches",
        "the same; fewer than 100 counts a record batch",
        loads.quiet,
        ANY,
        "ours",
        small_batches=True,
    ),
    Contestant(
        "bare",
        "bare aiokafka",
        "decodes it, looks at a band; sends, keeps and commits nothing",
        loads.quiet,
        ANY,
        "ours",
        "bare_aiokafka",
    ),
    Contestant(
        "bytewax",
        "Bytewax",
        "state in memory, not durable; a record per crossing",
        loads.quiet,
        1_000_000,
        "ours",
        "bytewax_flow",
    ),
    Contestant(
        "streams",
        "Kafka Streams, at_least_once",
        "a row per count, a changelog record per account and commit; a record per crossing",
        loads.quiet,
        ANY,
        "ours",
        "at_least_once",
    ),
    Contestant(
        "streams-exactly",
        "Kafka Streams, exactly_once_v2",
        "the same, in transactions",
        loads.quiet,
        ANY,
        "ours",
        "exactly_once_v2",
    ),
    Contestant(
        "quix",
        "Quix Streams",
        "a row per count (RocksDB), a changelog record per account and commit; a record per crossing",
        loads.quiet,
        1_000_000,
        "ours",
        "quix",
    ),
    Contestant(
        "faust",
        "plain Faust",
        "a row and a changelog record per count; a record per crossing",
        loads.quiet,
        15_000,
        "ours",
        "plain_faust",
    ),
    Contestant(
        "ours-rows",
        "Nameplate, every count writes a row",
        "row, status, journal: the first count of a watched account on a new day",
        loads.samples,
        100_000,
        "ours-rows",
    ),
    Contestant(
        "ours-wakes",
        "Nameplate, every count wakes",
        "a decision: row, status, notice, grace, journal",
        loads.wakes,
        60_000,
        "ours-wakes",
    ),
    Contestant(
        "faust-wakes",
        "plain Faust, every count wakes",
        "a row, a changelog record and a record sent",
        loads.wakes,
        15_000,
        "ours-wakes",
        "plain_faust",
    ),
)
GUARANTEES = ("at_least_once", "exactly_once_v2")


class Peers:
    """What the peers need, as far as it can be had.

    Args:
        python: Of an environment that has `peers/requirements.lock`; none: one is made, once.
        say: Told what takes long.
    """

    def __init__(self, python: Path | None, say: Callable[[str], None]) -> None:
        self.missing: dict[str, str] = {}
        """Why a contestant cannot take part."""
        self.python = Path(sys.executable)
        self.java = Path("java")
        self.jars = INSTALLED / f"bench-streams-{KAFKA_VERSION}"
        try:
            self.python = python or _installed(say)
        except (OSError, subprocess.SubprocessError) as error:
            self._miss(lambda peer: peer not in GUARANTEES, _last_line(error))
        try:
            self.java = find_java()
            if not self.jars.is_dir():
                say("Fetching Kafka Streams, once")
                part = self.jars.with_suffix(".part")
                copy_jars(find_maven(), self.java, part, HERE / "kafka_streams" / "pom.xml")
                part.rename(self.jars)
        except (OSError, OperatorError) as error:
            self._miss(lambda peer: peer in GUARANTEES, _last_line(error))

    def _miss(self, is_meant: Callable[[str], bool], why: str) -> None:
        self.missing |= {one.name: why for one in CONTESTANTS if one.peer and is_meant(one.peer)}

    def command(self, contestant: Contestant) -> Command | None:
        """Return what starts a contestant; nothing for ours."""
        return partial(self._call, contestant.peer) if contestant.peer else None

    def _call(self, peer: str, rig: Rig, fed: Load) -> list[str]:
        warm = fed.warm.counts
        called = [rig.bootstrap, rig.name(topics.COUNTS), rig.name(topics.DISCLOSURE)]
        called += [str(warm), str(warm + fed.measured.counts)]
        if peer in GUARANTEES:
            program = str(HERE / "kafka_streams" / "Crossings.java")
            return [
                str(self.java),
                f"-Djava.io.tmpdir={tempfile.gettempdir()}",
                "-cp",
                f"{self.jars}/*",
                program,
                *called,
                peer,
            ]
        return [str(self.python), "-m", f"bench.peers.{peer}", *called]

    def versions(self) -> dict[str, str]:
        """Return the versions of what the peers are made of."""
        names = ("aiokafka", "faust-streaming", "msgspec", "orjson", "uvloop", "quixstreams", "bytewax")
        asked = f"import importlib.metadata as m; print(*map(m.version, {names!r}))"
        try:
            said = subprocess.check_output([self.python, "-c", asked], text=True, stderr=subprocess.DEVNULL)
            found = dict(zip(names, said.split(), strict=True))
        except (OSError, subprocess.SubprocessError):
            found = {}
        try:
            java = subprocess.run([self.java, "-version"], capture_output=True, text=True, check=True).stderr
            found |= {"Kafka Streams": KAFKA_VERSION, "Java": java.splitlines()[0].split('"')[1]}
        except (OSError, subprocess.SubprocessError, IndexError):
            pass
        return found


def _installed(say: Callable[[str], None]) -> Path:
    """Return the Python of the peers' own environment; make it if the lock has changed since."""
    lock = HERE / "requirements.lock"
    directory = INSTALLED / "bench-venv"
    python, mark = directory / "bin" / "python", directory / "installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not mark.is_file() or mark.read_text() != wanted:
        say(f"Installing the peers into {directory}, once")
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
        ]
        for call in ([sys.executable, "-m", "venv", "--clear", str(directory)], [*pip, "-r", str(lock)]):
            subprocess.run(call, capture_output=True, text=True, check=True)
        mark.write_text(wanted)
    return python


def _last_line(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return said.strip().splitlines()[-1]
