"""A Kafka node of our own: killed at any moment, with one more listener for each worker that is led through a proxy.

Clients follow the addresses that a broker tells them. So whoever shall talk through a proxy needs a listener that tells
the proxy's address: `doors` names them, each a port of the broker and the port that it tells.
"""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker.jars import fetch_jars, find_java

START_S = 120
_JVM = ("-Xms96m", "-Xmx448m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN")
_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
inter.broker.listener.name=DIRECT
log.dirs={logs}
auto.create.topics.enable=false
message.max.bytes=2228224
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=2
num.io.threads=4
background.threads=4
log.cleaner.dedupe.buffer.size=8388608
log.segment.delete.delay.ms=1000
"""


@dataclass(frozen=True)
class Door:
    """A listener: where the broker listens, and the port that it tells its clients."""

    name: str
    port: int
    told: int


class Node:
    """One broker with its data in a directory.

    Args:
        directory: For settings and log; the data too, where `logs` names no other place.
        proxied: How many listeners there are whose clients are sent to a proxy.
        logs: Where the data are.
    """

    def __init__(self, directory: Path, *, proxied: int = 0, logs: Path | None = None) -> None:
        self.directory, self.logs = directory, logs or directory / "data"
        directory.mkdir(parents=True, exist_ok=True)
        self._controller = free_port()
        port = free_port()
        self.direct = Door("DIRECT", port, port)
        self.doors = [Door(f"W{number}", free_port(), free_port()) for number in range(proxied)]
        self.bootstrap = f"127.0.0.1:{port}"
        self._java = find_java()
        self._jars = fetch_jars(self._java)
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def log(self) -> Path:
        return self.directory / "broker.log"

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def up(self) -> "Node":
        """Start it and wait until it and its group coordinator answer."""
        settings = self.directory / "broker.properties"
        all_doors = [self.direct, *self.doors]
        settings.write_text(
            _SETTINGS.format(
                controller=self._controller,
                listeners=",".join(f"{door.name}://127.0.0.1:{door.port}" for door in all_doors),
                advertised=",".join(f"{door.name}://127.0.0.1:{door.told}" for door in all_doors),
                protocols=",".join(f"{door.name}:PLAINTEXT" for door in all_doors),
                logs=self.logs,
            ),
            "ascii",
        )
        call = [str(self._java), *_JVM, "-cp", f"{self._jars}/*"]
        with self.log.open("ab") as log:
            if not (self.logs / "meta.properties").exists():
                form = ["kafka.tools.StorageTool", "format", "--standalone"]
                cluster = "N" + secrets.token_urlsafe(16)[:21]
                subprocess.run(
                    [*call, *form, "-t", cluster, "-c", str(settings)], stdout=log, stderr=log, check=True
                )
            self._process = subprocess.Popen(
                [*call, "kafka.Kafka", str(settings)], stdout=log, stderr=log, start_new_session=True
            )
        self.starts += 1
        self._wait()
        return self

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while not self._answers():
            if not self.is_alive or time.monotonic() > until:
                last = self.log.read_text("utf-8", "replace")[-3000:]
                raise RuntimeError(f"Kafka did not start:\n{last}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, KafkaException):
            socket.create_connection(("127.0.0.1", self.direct.port), timeout=1).close()
            admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            if admin.list_topics(timeout=2).brokers:
                admin.describe_consumer_groups(["is-it-up"], request_timeout=2)["is-it-up"].result()
                return True
        return False

    def kill(self) -> None:
        """Kill it without a chance to finish; what it has taken stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it finish."""
        self._end(signal.SIGTERM)

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(sign)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.logs, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on, below those that clients are given as their own."""
    for _ in range(200):
        port = SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port in 200 tries")
