"""What several rooms need: one real Kafka for the whole run, and a name space of its own for each test."""

import os
import secrets
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import settings

from schemas.errors import OperatorError
from streams.broker import local
from streams.broker.jars import fetch_jars

os.environ.pop("COLUMNS", None)
"""Of the terminal, as those say who run tests side by side; commands are to think that nobody looks."""

IN_CI = os.environ.get("CI", "").lower() == "true"
settings.register_profile("nameplate", deadline=None, derandomize=IN_CI)
"""No timing is asserted; in CI the same examples are drawn every time, at other times new ones."""
settings.load_profile("nameplate")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Broker]:
    """One real broker. Where it cannot be had, its tests are skipped; in CI they fail instead."""
    try:
        fetch_jars(local.find_java())
    except OperatorError as error:
        if IN_CI:
            pytest.fail(str(error))
        pytest.skip(str(error))
    data_dir = tmp_path_factory.mktemp("broker")
    yield local.up(data_dir)
    local.down(data_dir)


@pytest.fixture
def prefix(broker: local.Broker) -> Iterator[str]:
    """Begins the names of one test's topics, as in `t3f9a0c1d.`; they are deleted after it."""
    own = f"t{secrets.token_hex(4)}."
    yield own
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(own)]
    for deleted in (admin.delete_topics(names) if names else {}).values():
        deleted.result()
