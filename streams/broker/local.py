"""A local Apache Kafka without Docker: one KRaft node, for the demo, for trying things and for the tests.

The node runs detached, in a session of its own. Its data directory holds `broker.json` (pid and ports),
`broker.properties`, `broker.log`, and the data: `data`, or `ephemeral`, which `down` deletes. What it is
made of (a Java, the jars) is the business of `jars.py`, processes and ports of `process.py`.
"""

import base64
import json
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import OperatorError
from streams.broker.jars import KAFKA_VERSION, fetch_jars, find_java, find_maven, locked
from streams.broker.process import detach, end, free_port, is_alive, is_free, is_open, undisturbed

__all__ = ["DEFAULT_DATA_DIR", "Broker", "Status", "down", "find_java", "find_maven", "kill", "status", "up"]

DEFAULT_DATA_DIR = Path(".nameplate/broker")

START_S = 90
"""Measured 4 s on two cores; twenty times that is a machine that will not get there."""
_SETTINGS = Path(__file__).with_name("broker.properties")
# C1 only and the serial collector: starts in half the time and leaves the second core to the workers.
_JVM = ("-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
_QUIET_LOG = "-Dlog4j2.level=WARN"


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that is up and answers."""

    bootstrap: str
    """Host and port for clients, for example `127.0.0.1:9092`."""
    pid: int
    data_dir: Path


@dataclass(frozen=True, slots=True)
class Status:
    """What is known about the broker of a data directory."""

    up: bool
    """It runs and its port is open."""
    bootstrap: str | None
    """Where it answers, or last answered; None if there was never one."""
    pid: int | None
    """Of the process, also while it is still starting; None if there is none."""


@dataclass(frozen=True, slots=True)
class _Node:
    """The file `broker.json`: kept after a stop, so that the ports stay the same."""

    data_dir: Path
    host: str
    port: int
    controller_port: int
    ephemeral: bool
    pid: int

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def settings(self) -> Path:
        return self.data_dir / "broker.properties"

    @property
    def log(self) -> Path:
        return self.data_dir / "broker.log"

    @property
    def data(self) -> Path:
        return self.data_dir / ("ephemeral" if self.ephemeral else "data")

    def is_alive(self) -> bool:
        return is_alive(self.pid, str(self.settings))

    def end(self, sign: signal.Signals) -> None:
        end(self.pid, str(self.settings), sign)


def up(
    data_dir: Path = DEFAULT_DATA_DIR,
    *,
    port: int | None = None,
    ephemeral: bool = False,
    host: str = "127.0.0.1",
    say: Callable[[str], None] = lambda _: None,
) -> Broker:
    """Start the broker of a data directory and wait until it serves; if it is up already, return it.

    Args:
        data_dir: Keeps the topics between a `down` and the next `up`.
        port: For clients; None: the one used before if it is free, else any free one.
        ephemeral: Begin empty, and let `down` delete the data.
        host: The address to listen on, which is also the one clients are told.
        say: Told in one sentence what takes long.

    Raises:
        OperatorError: no Java or Maven, a taken port, or Kafka stopped: then with the end of its log.
    """
    data_dir = data_dir.resolve()
    if "," in str(data_dir):
        raise OperatorError(
            f"{data_dir}: Kafka takes a comma for the end of a directory's name."
            " Choose another one with `nameplate broker up --data DIR`."
        )
    with locked(data_dir / "lock"):
        before = _read_node(data_dir)
        if before is not None and before.is_alive():
            return _join(before, host, port)
        java = find_java()
        jars = fetch_jars(java, say)
        planned = _plan_node(data_dir, before, host, port, ephemeral)
        say(f"Starting Apache Kafka {KAFKA_VERSION} on {planned.bootstrap}")
        try:
            node = _start(java, jars, planned)
            _wait_ready(node)
        except BaseException:  # also Ctrl-C: nobody would know of a half-started node
            kill(data_dir)
            raise
    return Broker(node.bootstrap, node.pid, data_dir)


def down(data_dir: Path = DEFAULT_DATA_DIR) -> Status:
    """Stop the broker of a data directory, by force after a bound; fine if it is not up."""
    node = _read_node(data_dir.resolve())
    # Not under the lock of `up`: whoever stops a broker need not wait until it has started.
    if node is not None:
        node.end(signal.SIGTERM)
        if node.ephemeral:
            shutil.rmtree(node.data, ignore_errors=True)
    return status(data_dir)


def kill(data_dir: Path = DEFAULT_DATA_DIR) -> Status:
    """Kill the broker without a chance to finish, for fault tests; what it has taken stays."""
    node = _read_node(data_dir.resolve())
    if node is not None:
        node.end(signal.SIGKILL)
    return status(data_dir)


def status(data_dir: Path = DEFAULT_DATA_DIR) -> Status:
    """Say whether the broker of a data directory is up, and where."""
    node = _read_node(data_dir.resolve())
    if node is None:
        return Status(up=False, bootstrap=None, pid=None)
    if not node.is_alive():
        return Status(up=False, bootstrap=node.bootstrap, pid=None)
    return Status(up=is_open(node.host, node.port), bootstrap=node.bootstrap, pid=node.pid)


def _plan_node(data_dir: Path, before: _Node | None, host: str, port: int | None, ephemeral: bool) -> _Node:
    if port is not None and not is_free(host, port):
        raise OperatorError(
            f"Port {port} of {host} cannot be had: something else listens there, or the address is not"
            " of this machine. See what it is with `nameplate doctor`, or choose another one with"
            " `nameplate broker up --port N`."
        )
    chosen = port or free_port(host, before.port if before else None)
    controller = free_port("127.0.0.1", before.controller_port if before else None, taken=chosen)
    return _Node(data_dir, host, chosen, controller, ephemeral, pid=0)


def _join(node: _Node, host: str, port: int | None) -> Broker:
    if node.host != host or port not in (None, node.port):
        raise OperatorError(
            f"The broker of {node.data_dir} is up already, on {node.bootstrap}. Use it there with"
            f" --bootstrap {node.bootstrap}, or stop it first with `nameplate broker down`."
        )
    _wait_ready(node)
    return Broker(node.bootstrap, node.pid, node.data_dir)


def _start(java: Path, jars: Path, planned: _Node) -> _Node:
    """Write the settings, format an empty data directory, and start Kafka in a session of its own."""
    if planned.ephemeral:
        shutil.rmtree(planned.data, ignore_errors=True)
    template = Template(_SETTINGS.read_text("utf-8"))
    log_dir = json.dumps(str(planned.data))[1:-1]  # Java reads Latin-1 here, and the rest as \\uXXXX
    planned.settings.write_text(template.substitute(asdict(planned), log_dir=log_dir), "ascii")
    planned.log.write_bytes(b"")
    call = [str(java), *_JVM, f"-XX:ErrorFile={planned.data_dir}/java-error.log", "-cp", f"{jars}/*"]
    if not (planned.data / "meta.properties").exists():
        _format(call, planned)
    with undisturbed():
        node = replace(planned, pid=detach([*call, "kafka.Kafka", str(planned.settings)], planned.log))
        written = asdict(node)
        del written["data_dir"]  # it may be moved while nothing runs
        (node.data_dir / "broker.json").write_text(json.dumps(written), "utf-8")
    return node


def _format(call: list[str], node: _Node) -> None:
    # N: the tool would take an id that begins with a dash for an option.
    cluster = "N" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    call = [
        *call,
        "kafka.tools.StorageTool",
        "format",
        "--standalone",
        "-t",
        cluster,
        "-c",
        str(node.settings),
    ]
    with node.log.open("ab") as log:
        done = subprocess.run(call, stdout=log, stderr=log, timeout=START_S, check=False)
    if done.returncode != 0:
        raise _failed(node, "could not prepare its data directory")


def _wait_ready(node: _Node) -> None:
    """Wait until the broker answers, and its group coordinator too: an open port alone refuses much."""
    until = time.monotonic() + START_S
    is_ready = False
    admin: AdminClient | None = None
    while not is_ready:
        if not node.is_alive():
            raise _failed(node, "stopped while it started")
        if time.monotonic() > until:
            raise _failed(node, f"did not answer within {START_S} s")
        if admin is None and is_open(node.host, node.port):
            admin = AdminClient({"bootstrap.servers": node.bootstrap, "log_level": 0})
        is_ready = admin is not None and _is_serving(admin)
        time.sleep(0 if is_ready else 0.05)


def _is_serving(admin: AdminClient) -> bool:
    nobody = "nameplate-is-it-up"  # a group that does not exist: only the coordinator can say so
    try:
        if not admin.list_topics(timeout=2).brokers:
            return False
        admin.describe_consumer_groups([nobody], request_timeout=2)[nobody].result()
    except KafkaException:
        return False
    return True


def _failed(node: _Node, what: str) -> OperatorError:
    last = "\n".join(node.log.read_text("utf-8", "replace").splitlines()[-12:])
    return OperatorError(
        f"Kafka {what}. The end of {node.log}:\n{last}\nWhen that is mended, `nameplate broker up`."
    )


def _read_node(data_dir: Path) -> _Node | None:
    try:
        return _Node(data_dir=data_dir, **json.loads((data_dir / "broker.json").read_text("utf-8")))
    except FileNotFoundError:
        return None
