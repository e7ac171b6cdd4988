"""How a broker is spoken to: what of Kafka's settings is taken, what is refused, and that no secret is told."""

import ssl
from pathlib import Path

import pytest

from schemas.errors import OperatorError
from streams.live import access
from streams.live.access import Access, is_of_this_machine, read_access
from streams.live.app import _credentials
from streams.live.remedies import called

SECRET = "hunter2-correct-horse"  # noqa: S105 - of no account
SASL = f"sasl.mechanism=SCRAM-SHA-512\nsasl.username=worker\nsasl.password={SECRET}\n"


def of(tmp_path: Path, said: str, address: str = "127.0.0.1:9092", **environment: str) -> Access:
    file = tmp_path / "client.properties"
    file.write_text(said, "utf-8")
    return read_access(address, file, insecure=False, environment=environment)


def test_a_bare_address_of_this_machine_is_spoken_to_in_plaintext():
    assert access.access_of("127.0.0.1:9092,localhost:1").confluent() == {
        "bootstrap.servers": "127.0.0.1:9092,localhost:1"
    }
    assert access.access_of("[::1]:9092").aiokafka()["security_protocol"] == "PLAINTEXT"
    assert _credentials(Access("127.0.0.1:9092")) is None


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
@pytest.mark.parametrize(
    "address", ["192.0.2.1:9092", "127.0.0.1:1,192.0.2.1:1", "[2001:db8::1]:1", "10.0.0.1:1"]
)
def test_nothing_goes_beyond_this_machine_in_plaintext_unless_the_operator_says_so(address, protocol):
    settings = {"security.protocol": protocol, **dict(line.split("=") for line in SASL.splitlines())}
    refused = Access(address, settings)
    for client in (refused.confluent, refused.aiokafka):
        with pytest.raises(OperatorError, match="is not this machine"):
            client()
    taken = Access(address, settings, insecure=True)
    assert taken.confluent()["bootstrap.servers"] == taken.aiokafka()["bootstrap_servers"] == address


def test_a_name_is_of_this_machine_only_if_all_its_addresses_are(monkeypatch):
    found = {"here": ["127.0.0.1", "::1"], "both": ["127.0.0.1", "192.0.2.1"], "scoped": ["fe80::1%eth0"]}

    def look_up(host, port, **_):
        if host not in found:
            raise OSError("no such host")
        return [(0, 0, 0, "", (at, port)) for at in found[host]]

    monkeypatch.setattr(access.socket, "getaddrinfo", look_up)
    assert is_of_this_machine("here", 1)
    assert not any(is_of_this_machine(host, 1) for host in ("both", "scoped", "nowhere"))


def test_every_place_where_a_client_is_made_asks_for_its_settings():
    """No client is made past the one door: a bare address would be plaintext wherever it leads."""
    root = Path(__file__).parents[2]
    doors = {"broker/local.py"}  # asks whether the broker that it started on this machine serves
    for path in (root / "streams").rglob("*.py"):
        text, name = path.read_text("utf-8"), path.relative_to(root / "streams").as_posix()
        if name not in doors and name != "live/access.py":
            assert "bootstrap_servers" not in text, name
            assert "bootstrap.servers" not in text, name


def test_the_settings_are_kafkas_own_and_both_libraries_get_them(tmp_path):
    found = of(tmp_path, f"# a comment\n\nsecurity.protocol = SASL_SSL\n{SASL}", "broker.example:9093")
    assert found.confluent() == {
        "bootstrap.servers": "broker.example:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": SECRET,
    }
    said = found.aiokafka()
    context = said.pop("ssl_context")
    assert said == {
        "bootstrap_servers": "broker.example:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": SECRET,
    }
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    faust = _credentials(found)
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (faust.username, faust.password, faust.ssl_context.check_hostname) == ("worker", SECRET, True)


def test_with_tls_alone_faust_gets_what_checks_the_certificates(tmp_path):
    said = of(tmp_path, "security.protocol=SSL\nssl.endpoint.identification.algorithm=https\n")
    faust = _credentials(said)
    assert faust.protocol.value == "SSL"
    assert faust.context.check_hostname


def test_a_password_may_come_from_the_environment(tmp_path):
    said = SASL.replace(SECRET, "${env:A_PASSWORD}")
    found = of(tmp_path, f"security.protocol=SASL_SSL\n{said}", A_PASSWORD=SECRET)
    assert found.settings["sasl.password"] == SECRET


def test_a_password_may_hold_what_the_form_of_the_file_has_signs_for(tmp_path):
    said = SASL.replace(SECRET, "a=b#c!d $e")
    assert of(tmp_path, f"security.protocol=SASL_SSL\n{said}").settings["sasl.password"] == "a=b#c!d $e"


def test_an_access_tells_no_password(tmp_path):
    found = of(tmp_path, f"security.protocol=SASL_SSL\n{SASL}")
    assert SECRET not in f"{found} {found!r} {_credentials(found)!r} {found.words}"
    golden = (Path(__file__).parents[1] / "messages" / "cli-access.txt").read_text("utf-8")
    assert "hunter" not in golden
    assert "worker --client-config" in golden


def test_a_remedy_names_the_settings_too(tmp_path):
    found = of(tmp_path, f"security.protocol=SASL_SSL\n{SASL}", "broker.example:9093")
    assert called("topics apply", found, "nameplate.") == (
        f"`nameplate topics apply --bootstrap broker.example:9093 --client-config {tmp_path}/client.properties`"
    )
    assert called("topics plan", Access("b:1", insecure=True), "n.").endswith(
        "--bootstrap b:1 --insecure --prefix n.`"
    )


def test_no_setting_is_an_argument_of_any_command():
    """What is on a command line stands in the list of processes and in the shell's history."""
    import typer

    from streams.cli import app as cli

    def options(command):
        yield from (word for one in command.params for word in one.opts)
        for inner in getattr(command, "commands", {}).values():
            yield from options(inner)

    said = set(options(typer.main.get_command(cli.app)))
    assert "--client-config" in said
    assert not [
        word for word in said if any(part in word for part in ("pass", "user", "secret", "sasl", "key"))
    ]


def test_every_command_with_a_broker_takes_the_settings():
    import typer

    from streams.cli import app as cli

    def commands(command, name=""):
        for word, inner in getattr(command, "commands", {}).items():
            yield from commands(inner, f"{name} {word}".strip())
        yield name, {word for one in command.params for word in one.opts}

    reaching = {name for name, words in commands(typer.main.get_command(cli.app)) if "--bootstrap" in words}
    assert {
        "worker",
        "topics plan",
        "topics apply",
        "policy publish",
        "publish",
        "journal export",
    } <= reaching
    assert {"verify", "explain", "doctor", "demo"} <= reaching
    for name, words in commands(typer.main.get_command(cli.app)):
        assert ("--bootstrap" in words) == ("--client-config" in words) == ("--insecure" in words), name
