"""A real Kafka that lets nobody in without TLS, a password and a right: SASL_SSL, SCRAM-SHA-512, StandardAuthorizer.

Its certificates are made here, by openssl, and are worth nothing. The controller's listener asks for a certificate.
"""

import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker import local
from streams.broker.jars import fetch_jars, find_java
from streams.broker.process import detach, end, free_port, is_alive
from streams.live.access import Access, read_access

ROOT, BROKER = "root", "broker"
"""Who may do everything: whoever sets up the others, and the broker itself."""

SETTINGS = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:SSL
inter.broker.listener.name=CLIENTS
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required username="broker" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={directory}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
listener.name.controller.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:root;User:broker;User:CN=127.0.0.1
log.dirs={directory}/data
"""


class Guarded:
    """One such broker.

    Args:
        directory: Of its data, its certificates and the settings of its clients.
        principals: Those who have a password, beside root and the broker.
    """

    def __init__(self, directory: Path, *principals: str) -> None:
        self.directory = directory
        self.passwords = {name: secrets.token_hex(12) for name in (ROOT, BROKER, *principals)}
        self.log = directory / "server.log"
        self._settings = directory / "server.properties"
        port = free_port("127.0.0.1", None)
        controller = free_port("127.0.0.1", None, taken=port)
        self.address = f"127.0.0.1:{port}"
        _make_certificates(directory)
        usual = local._SETTINGS.read_text("utf-8").partition("# Topics are code")[2]
        said = SETTINGS.format(
            port=port, controller=controller, directory=directory, password=self.passwords[BROKER]
        )
        self._settings.write_text(f"{said}\n#{usual}", "ascii")
        self._call = [str(find_java()), *local._JVM, "-cp", f"{fetch_jars(find_java())}/*"]
        for name in self.passwords:
            self.client_config(name)

    def client_config(self, name: str, **other: str) -> Path:
        """Write the settings with which somebody comes in, and return their file."""
        file = self.directory / f"{name}.properties"
        said = {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.directory / "ca.pem"),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": self.passwords.get(name, "no such password"),
        } | {key.replace("_", "."): value for key, value in other.items()}
        file.write_text("".join(f"{key}={value}\n" for key, value in said.items()), "utf-8")
        return file

    def access(self, name: str) -> Access:
        return read_access(self.address, self.client_config(name), insecure=False)

    def words(self, name: str) -> list[str]:
        """Return the options with which somebody's commands come in."""
        return ["--bootstrap", self.address, "--client-config", str(self.directory / f"{name}.properties")]

    def up(self) -> None:
        users = [
            word
            for name, password in self.passwords.items()
            for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]
        form = ["kafka.tools.StorageTool", "format", "--standalone", "-t", "N" + secrets.token_hex(10) + "A"]
        done = subprocess.run(
            [*self._call, *form, "-c", self._settings, *users], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.log.write_bytes(b"")
        self.pid = detach([*self._call, "kafka.Kafka", str(self._settings)], self.log)
        until = time.monotonic() + local.START_S
        admin = AdminClient({**self.access(ROOT).confluent(), "log_level": 0})
        while True:
            assert is_alive(self.pid, str(self._settings)), self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            try:
                if admin.list_topics(timeout=2).brokers:
                    admin.describe_consumer_groups(["nobody"], request_timeout=2)["nobody"].result()
                    return
            except KafkaException:
                time.sleep(0.1)

    def down(self) -> None:
        end(self.pid, str(self._settings), signal.SIGKILL)


def _make_certificates(directory: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None, "openssl is not on PATH: install it (Debian: `apt-get install openssl`)"

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=directory, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30")
    for ca in ("ca", "stranger-ca"):
        run(*new, "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    for name, host in (("broker", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
        made = (
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            f"subjectAltName={host}",
            "-addext",
            "basicConstraints=CA:FALSE",
        )
        run(*new, *made, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        both = (directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text()
        (directory / f"{name}.pem").write_text(both)
