"""Decisions as the bytes that are journaled and published: ids, sequence numbers, status."""

from collections.abc import Mapping
from typing import Any

from schemas import topics
from schemas.account import NO_COUNT, Row
from schemas.instant import text
from schemas.outputs import OF_TYPE, TOPIC_OF_TYPE, AccountStatus, check_written, ordered
from schemas.policy import Policy
from schemas.wire import in_order, sha256_hex
from streams.core.decide import SHORT_ID_DIGITS
from streams.core.obligations import Saying
from streams.core.scope import is_confirming

Header = tuple[str, bytes]
Headers = tuple[Header, ...]
Published = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record to publish; a value of None is a tombstone."""

_SPEC = ("ce_specversion", b"1.0")
_JSON = ("content-type", b"application/json")
_FORMS = {kind: ordered(model) for kind, model in OF_TYPE.items()}


class Sealer:
    """Gives the outputs of one partition their ids and their dense sequence numbers.

    Args:
        partition: The partition of the inputs, and of the outputs.
        next_seq: The next sequence number of each output topic, from the last accepted entry.
        publishes: Whether anybody wants headers.
    """

    def __init__(self, partition: int, next_seq: dict[str, int], *, publishes: bool = True) -> None:
        self.partition = partition
        self.next_seq = next_seq
        self._publishes = publishes
        self._source = _source(partition)

    def seal(self, saying: Saying, common: dict[str, Any], key: bytes) -> tuple[str, bytes, Headers]:
        """Return the topic of one output, its canonical bytes, and its headers: those of `headers_of`, or none.

        Args:
            saying: What it says.
            common: What all outputs of the decision say.
            key: Of the account.

        Raises:
            InvariantBroken: the output is not of its schema.

        Source:
            Contract, section 4: `id` is over the record without `id`, `seq` and `partition`.
        """
        kind = saying.type
        topic = TOPIC_OF_TYPE[kind]
        # the rest of it field by field, which is half the price of a call with all of them
        record = _FORMS[kind](**saying.fields)
        record.type, record.obligation_id = kind, saying.obligation_id
        record.phase, record.reasons = saying.phase, saying.reasons
        record.platform, record.account_id = common["platform"], common["account_id"]
        record.policy_version, record.book = common["policy_version"], common["book"]
        record.decided_at, record.effective_at = common["decided_at"], common["effective_at"]
        record.cause = common["cause"]
        record.id = output_id = sha256_hex(in_order(record))[:SHORT_ID_DIGITS]
        record.seq, record.partition = self.next_seq[topic], self.partition
        written = in_order(record)
        check_written(kind, written)
        self.next_seq[topic] += 1
        if not self._publishes:
            return topic, written, ()
        return topic, written, _headers(kind, output_id, common["decided_at"], self._source, key)


def common_fields(platform: str, account_id: str, policy: Policy | None, book: str) -> dict[str, Any]:
    """Return what every output of a decision says, but the decision's own times and cause."""
    return {
        "platform": platform,
        "account_id": account_id,
        "policy_version": policy.version if policy is not None else "none",
        "book": book,
    }


def shown_stage(policy: Policy | None, row: Row, at: int) -> str:
    """Return the stage that `account-status` shows: of the open obligation, else waived, met, confirming, clear."""
    if row.obligation is not None:
        return row.obligation.stage
    if row.waived:
        return "waived"
    if row.met:
        return "met"
    return "confirming" if is_confirming(policy, row, at) else "clear"


_TYPE = {name: ("ce_type", f"nameplate.{name}".encode()) for name in TOPIC_OF_TYPE}


def _source(partition: int) -> Header:
    return "ce_source", f"/{topics.DEFAULT_PREFIX}partition/{partition}".encode()


def status_of(
    key: str, policy: Policy | None, row: Row | None, at: int, entry: int
) -> tuple[bytes, bytes | None]:
    """Return key and value of the `account-status` record of an account; a tombstone where it is not watched.

    Args:
        key: `platform:account_id`.
        policy: The policy of its platform.
        row: The account after the decision.
        at: T of the decision.
        entry: The number of the journal entry that holds it.
    """
    if row is None:
        return key.encode(), None
    platform, _, account_id = key.partition(":")
    obligation = row.obligation
    status = ordered(AccountStatus)(
        platform=platform,
        account_id=account_id,
        stage=shown_stage(policy, row, at),
        measures=obligation.measures if obligation is not None else (),
        displayed=row.displayed,
        as_of=text(at),
        entry=entry,
    )
    if row.followers != NO_COUNT:
        status.followers, status.observed_at = row.followers, text(row.observed_at)
    if obligation is not None:
        status.obligation_id, status.phase = obligation.id, obligation.phase
        if obligation.stage != "restricted":
            status.deadline_at = text(obligation.deadline_at)
    return key.encode(), in_order(status)


def output_key(output: Mapping[str, Any]) -> bytes:
    """Return the key under which an output is published."""
    return f"{output['platform']}:{output['account_id']}".encode()


def headers_of(output: Mapping[str, Any]) -> Headers:
    """Return the CloudEvents 1.0 headers (binary mode) of an output that was read."""
    source = _source(output["partition"])
    return _headers(output["type"], output["id"], output["decided_at"], source, output_key(output))


def _headers(kind: str, output_id: str, decided_at: str, source: Header, key: bytes) -> Headers:
    return (
        _SPEC,
        ("ce_id", output_id.encode()),
        _TYPE[kind],
        source,
        ("ce_time", decided_at.encode()),
        ("ce_subject", key),
        _JSON,
    )
