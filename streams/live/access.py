"""How a broker is spoken to: Kafka's own client settings, for both libraries, and no plaintext beyond this machine.

Whoever makes a client asks an `Access` for its settings, and so each one is checked at the last moment. A bare
`host:port` is an access without settings: plaintext, good for this machine's own loopback.

No text of an error, and no `repr`, holds a value of the file: it may be a password.
"""

import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from streams.live import capped  # noqa: F401 - every consumer that is made with these settings is capped

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
SASL = ("sasl.mechanism", "sasl.username", "sasl.password")
TLS = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password")
PROTOCOL, HOST_CHECK = "security.protocol", "ssl.endpoint.identification.algorithm"
KNOWN = (PROTOCOL, *SASL, *TLS, HOST_CHECK)

OF_JAVA = {
    "sasl.jaas.config": "sasl.username and sasl.password",
    "ssl.truststore.location": "ssl.ca.location, a file of PEM certificates",
    "ssl.keystore.location": "ssl.certificate.location and ssl.key.location, files in PEM",
    "bootstrap.servers": "--bootstrap HOST:PORT",
}
"""What the Java clients say otherwise, and how it is said here."""

_NAME = re.compile(r"[a-z][a-z.]{0,60}")
_OF_ENVIRONMENT = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
"""As Kafka's EnvVarConfigProvider has it."""

AGAIN = "then run the command again."


@dataclass(frozen=True)
class Access:
    """A broker's address, and what is needed to be let in.

    Attributes:
        address: `host:port`, more separated by commas.
        settings: By Kafka's own names.
        file: Where they stand; None where there are none.
        insecure: The operator takes plaintext beyond this machine upon himself.
    """

    address: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: Path | None = None
    insecure: bool = False

    def __str__(self) -> str:
        return self.address

    @property
    def protocol(self) -> str:
        """One of `PROTOCOLS`."""
        return self.settings.get(PROTOCOL, "PLAINTEXT")

    @property
    def words(self) -> list[str]:
        """The options of a command that say the same, but for the address."""
        words = ["--client-config", str(self.file)] if self.file is not None else []
        return [*words, "--insecure"] if self.insecure else words

    def confluent(self) -> dict[str, Any]:
        """Return the settings of a client of confluent-kafka: Kafka's own.

        Raises:
            OperatorError: it would be plaintext beyond this machine.
        """
        self._refuse_plaintext()
        return {"bootstrap.servers": self.address, **self.settings}

    def aiokafka(self) -> dict[str, Any]:
        """Return the same as keyword arguments of a client of aiokafka.

        Raises:
            OperatorError: it would be plaintext beyond this machine.
        """
        self._refuse_plaintext()
        said: dict[str, Any] = {"bootstrap_servers": self.address, "security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            said["ssl_context"] = self.tls()
        if self.protocol.startswith("SASL"):
            said["sasl_mechanism"] = self.settings["sasl.mechanism"]
            said["sasl_plain_username"] = self.settings["sasl.username"]
            said["sasl_plain_password"] = self.settings["sasl.password"]
        return said

    def tls(self) -> ssl.SSLContext:
        """Return what certificates are checked with; the host's name always is.

        Raises:
            OperatorError: a file of the settings cannot be used.
        """
        ca, certificate, key, password = (self.settings.get(name) for name in TLS)
        try:
            context = ssl.create_default_context(cafile=ca)
            if certificate is not None:
                # an empty password, as otherwise OpenSSL would ask for it at the terminal
                context.load_cert_chain(certificate, key, password or "")
        except OSError as error:
            said = ", ".join(name for name in TLS[:3] if name in self.settings)
            why = "OpenSSL cannot read it" if isinstance(error, ssl.SSLError) else error.strerror
            raise OperatorError(
                f"{self.file}: a file of {said} cannot be used ({why}). Each must be readable and in PEM, the key that "
                f"of the certificate: correct it, {AGAIN}"
            ) from None
        return context

    def _refuse_plaintext(self) -> None:
        if self.protocol.endswith("SSL") or self.insecure:
            return
        for host, port in hosts(self.address):
            if not is_of_this_machine(host, port):
                what = "the password" if self.protocol.startswith("SASL") else "every record"
                raise OperatorError(
                    f"{host} is not this machine, or its name cannot be resolved, and with {self.protocol} {what} "
                    "would cross the network readable and changeable by others. Name the settings of a client with "
                    "TLS, --client-config FILE with security.protocol=SASL_SSL in it, or take it upon yourself with "
                    f"--insecure where nobody else can listen, {AGAIN}"
                )


Where = str | Access
"""A broker; a bare `host:port` has no settings."""


def access_of(where: Where) -> Access:
    """Return how a broker is spoken to."""
    return where if isinstance(where, Access) else Access(where)


def hosts(where: Where) -> list[tuple[str, int]]:
    """Return the hosts and ports of `host:port,…`."""
    parts = (one.strip().rpartition(":") for one in str(where).split(","))
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def is_of_this_machine(host: str, port: int) -> bool:
    """Return whether all addresses that a name has are loopback ones; false where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(at[0]).partition("%")[0]).is_loopback for *_, at in found)


# The file --------------------------------------------------------------------------------------------


def read_access(
    address: str, file: Path | None, *, insecure: bool, environment: Mapping[str, str] = os.environ
) -> Access:
    """Return an access with the settings of a file.

    Args:
        address: `host:port`, more separated by commas.
        file: Lines `name=value` and comments, as Kafka's clients read them; a value may take `${env:NAME}` from
            the environment. None: no settings.
        insecure: Whether plaintext may leave this machine.
        environment: Of the process.

    Raises:
        OperatorError: the file cannot be read, or its settings cannot be used; all that is wrong with one line.
    """
    if file is None:
        return Access(address, insecure=insecure)
    settings = _settings(file, environment)
    _check(file, settings)
    access = Access(address, settings, file, insecure)
    if access.protocol.endswith("SSL"):
        access.tls()  # what is wrong with its files is better said now
    return access


def _settings(file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise OperatorError(
            f"{file} cannot be read ({why}). Name a file of Kafka client settings with --client-config FILE, {AGAIN}"
        ) from None
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not value or not _NAME.fullmatch(name) or value.endswith("\\"):
            raise OperatorError(
                f"{file}, line {number}: this is no `name=value` on one line. Write it like "
                f"security.protocol=SASL_SSL, {AGAIN}"
            )
        if name not in KNOWN:
            remedy = f"Here it is said with {OF_JAVA[name]}" if name in OF_JAVA else "Take it out"
            raise OperatorError(
                f"{file}, line {number}: {name} is no setting that is known here; these are: {', '.join(KNOWN)}. "
                f"{remedy}, {AGAIN}"
            )
        if name in settings:
            raise OperatorError(f"{file}, line {number}: {name} is said twice. Take one of them out, {AGAIN}")
        settings[name] = _filled(f"{file}, line {number}: {name}", value, environment)
    return settings


def _filled(where: str, value: str, environment: Mapping[str, str]) -> str:
    for name in _OF_ENVIRONMENT.findall(value):
        if not environment.get(name):
            raise OperatorError(
                f"{where} is to come from the environment variable {name}, which is not set. Set it, {AGAIN}"
            )
    return _OF_ENVIRONMENT.sub(lambda found: environment[found[1]], value)


def _check(file: Path, settings: dict[str, str]) -> None:
    """See that the settings are of one piece: what has no effect would only seem to protect."""
    protocol = settings.get(PROTOCOL, "PLAINTEXT")
    for name, choices in (
        (PROTOCOL, PROTOCOLS),
        ("sasl.mechanism", MECHANISMS),
        (HOST_CHECK, ("https",)),
    ):
        if settings.get(name, choices[0]) not in choices:
            raise OperatorError(
                f"{file}: {name} can be {', '.join(choices)}. Set it to one of these, {AGAIN}"
            )
    idle = [name for name in SASL if name in settings and not protocol.startswith("SASL")]
    idle += [name for name in (*TLS, HOST_CHECK) if name in settings and not protocol.endswith("SSL")]
    if idle:
        raise OperatorError(
            f"{file}: with security.protocol={protocol} nothing would come of {', '.join(idle)}. Set the protocol to "
            f"SSL or SASL_SSL, or take them out, {AGAIN}"
        )
    absent = [name for name in SASL if name not in settings] if protocol.startswith("SASL") else []
    for one, other in (
        ("ssl.certificate.location", "ssl.key.location"),
        ("ssl.key.password", "ssl.key.location"),
    ):
        absent += [other] if one in settings and other not in settings else []
    absent += (
        ["ssl.certificate.location"] if "ssl.key.location" in settings and TLS[1] not in settings else []
    )
    if absent:
        raise OperatorError(f"{file}: {', '.join(dict.fromkeys(absent))} is missing. Add it, {AGAIN}")
