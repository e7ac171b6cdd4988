"""Every internal of Faust and aiokafka that streams/live leans on, and what breaks if it changes.

The versions are pinned exactly, so a failure here means: somebody changes a pin. Read the named place in the
new version, correct streams/live if need be, and only then this file.
"""

import hashlib
import inspect
from importlib.metadata import version

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer import fetcher, group_coordinator, subscription_state
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.sender import Sender
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust import App, Worker
from faust.agents import Agent
from faust.serializers.schemas import Schema
from faust.stores.base import Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.topics import Topic
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service
from mode.threads import ServiceThread

PINS = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}


def _name(value):
    return getattr(value, "__qualname__", "") or str(value).split(" ")[0]


def pinned(subject):
    """Return the package a thing is from with its pinned version, for the failure's message."""
    top = subject.__module__.split(".")[0]
    package = {"faust": "faust-streaming", "mode": "mode-streaming"}.get(top, top)
    return f"{package} (pinned {PINS[package]}, installed {version(package)})"


@pytest.mark.parametrize("package", PINS)
def test_the_installed_version_is_the_one_that_was_read(package):
    assert version(package) == PINS[package], (
        f"{package} {version(package)} is installed, but streams/live was written against {PINS[package]}"
    )


OVERRIDDEN = [
    (
        driver.Producer,
        "_new_producer",
        "self, transactional_id",
        "requests for one partition wait for those of another: slower, and nothing else",
    ),
    (
        driver.AIOKafkaConsumerThread,
        "_fetch_records",
        "self, consumer, active_partitions, timeout, max_records",
        "no runs would come",
    ),
    (
        driver.AIOKafkaConsumerThread,
        "_create_worker_consumer",
        "self, transport",
        "aborted records would be read and look-ups would wait 1.5 s behind a fetch",
    ),
    (
        driver.ConsumerRebalanceListener,
        "on_partitions_assigned",
        "self, assigned",
        "batch topics would be fetched before anybody said where to begin",
    ),
    (driver.Consumer, "_new_consumer_thread", "self", "our consumer thread would not be used"),
    (BaseConsumer, "getmany", "self, timeout", "runs would be taken apart into messages"),
    (Service, "wait_first", "self, coros, timeout", "each message would cost four tasks again"),
    (BaseConsumer, "_filter_tps_with_pending_acks", "self, topics", "accepted ones would not be committed"),
    (BaseConsumer, "_new_offset", "self, tp", "other than accepted positions would be committed"),
    (BaseConsumer, "_should_commit", "self, tp, offset", "other than accepted positions would be committed"),
    (BaseConsumer, "_commit_offsets", "self, offsets, start_new_transaction", "failed commits would count"),
    (BaseConsumer, "_add_gap", "self, tp, offset_from, offset_to", "gaps would be collected for ever"),
    (BaseConsumer, "perform_seek", "self", "Faust would seek to the group's offsets (rule 17)"),
    (BaseConsumer, "resume_flow", "self", "the first runs after a rebalance would come a second late"),
    (BaseConsumer, "on_buffer_drop", "self, tp", "a full queue would cost a second"),
    (BaseConsumer, "on_partitions_revoked", "self, revoked", "before_revoke would not be called"),
    (driver.Consumer, "seek_wait", "self, partitions", "a changelog beginning above 0 would stop us"),
    (Recovery, "_wait", "self, coro, timeout", "a slow broker would end the recovery task without a word"),
    (Recovery, "_set_recovery_started", "self", "the end of a recovery could be missed"),
    (Recovery, "_set_recovery_ended", "self", "the end of a recovery could be missed"),
    (Recovery, "on_partitions_revoked", "self, revoked", "recoveries would begin in the middle"),
    (Recovery, "on_recovery_completed", "self, generation_id", "after_recovery would not be called"),
    (TableManager, "on_start", "self", "the start would take a second longer"),
    (TableManager, "on_partitions_revoked", "self, revoked", "rows of lost partitions would stay"),
    (Collection, "_changelog_topic_name", "self", "the changelog would have another name"),
    (Collection, "_new_store", "self", "rows would be kept in one dict for all partitions"),
    (
        Store,
        "on_rebalance",
        "self, assigned, revoked, newly_assigned, generation_id",
        "no partition would be",
    ),
    (faust.Table, "on_key_set", "self, key, value", "a row could be written behind the ledger's back"),
    (faust.Table, "on_key_del", "self, key", "a row could be deleted behind the ledger's back"),
    (App, "_on_agent_error", "self, agent, exc", "a broken agent would go on with the next run"),
    (App, "_create_directories", "self", "each worker would leave a directory behind"),
    (App, "on_stop", "self", "before_revoke would not be called at the end"),
    (App, "_on_rebalance_when_stopped", "self", "a worker that stops would not leave the group"),
    (BaseConsumer, "commit_and_end_transactions", "self", "a commit under way would hold up a stop"),
    (ServiceThread, "_stopped_set", "self", "a thread that crashed would be an error of the stop"),
    (
        Schema,
        "compile",
        "self, app, on_key_decode_error, on_value_decode_error, default_propagate",
        "Faust would decode runs as JSON",
    ),
]


@pytest.mark.parametrize(("owner", "name", "arguments", "breaks"), OVERRIDDEN, ids=_name)
def test_what_we_override_is_still_called_so(owner, name, arguments, breaks):
    found = getattr(owner, name, None)
    assert found is not None, f"{owner.__name__}.{name} is gone from {pinned(owner)}: {breaks}"
    assert ", ".join(inspect.signature(found).parameters) == arguments, (
        f"{owner.__name__}.{name} takes other arguments in {pinned(owner)}: {breaks}"
    )


USED = [
    (MemoryRecords, "has_next next_batch size_in_bytes"),
    (DefaultRecordBatch, "compression_type max_timestamp timestamp_type"),
    (
        fetcher.FetchResult,
        "_topic_partition _partition_records _assignment check_assignment has_more _update_position",
    ),
    (fetcher.FetchError, "_error check_raise"),
    (
        fetcher.PartitionRecords,
        (
            "_records _check_crcs _isolation_level _consume_aborted_up_to"
            " _contains_abort_marker _aborted_producers _records_iterator next_fetch_offset"
        ),
    ),
    (
        fetcher.Fetcher,
        (
            "_records _notify _wait_consume_future _create_fetch_waiter _fetch_waiters _fetch_task"
            " _subscriptions _closed"
        ),
    ),
    (subscription_state.SubscriptionState, "reassignment_in_progress fetch_context"),
    (subscription_state.TopicPartitionState, "highwater lso"),
    (group_coordinator.GroupCoordinator, "check_errors"),
    (
        AIOKafkaConsumer,
        ("_fetcher _coordinator _closed _fetch_max_wait_ms _isolation_level seek pause resume assignment"),
    ),
    (AIOKafkaProducer, "create_batch send_batch"),
    (BatchBuilder, "append record_count"),
    (
        DefaultRecordBatch,
        "base_offset next_offset is_control_batch is_transactional producer_id validate_crc",
    ),
    (
        BaseConsumer,
        (
            "_active_partitions _buffered_partitions _commit_fut flow_active"
            " maybe_wait_for_commit_to_finish can_resume_flow earliest_offsets commit"
        ),
    ),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer _consumer"),
    (driver.ConsumerRebalanceListener, "_thread"),
    (driver.Producer, "_producer"),
    (ServiceThread, "thread_loop"),
    (
        Recovery,
        (
            "signal_recovery_start signal_recovery_end in_recovery active_tps active_offsets tp_to_table"
            " need_recovery"
        ),
    ),
    (TableManager, "_update_channels _recovery changelog_topics"),
    (
        App,
        "_fetcher consumer_generation_id in_recovery _assignment _consumer crash transport producer_transport",
    ),
    (Worker, "spinner execute_from_commandline"),
    (Service, "wait_first should_stop"),
    (Topic, "acks"),
]


@pytest.mark.parametrize(("owner", "names"), USED, ids=_name)
def test_what_we_reach_into_still_exists(owner, names):
    assigned = "".join(inspect.getsource(cls) for cls in owner.__mro__ if _is_python(cls))
    gone = [name for name in names.split() if not hasattr(owner, name) and f"self.{name}" not in assigned]
    assert not gone, f"{owner.__name__} of {pinned(owner)} has no {gone} any more: see streams/live"


def _is_python(cls):
    return cls.__module__.startswith(("faust", "mode.", "aiokafka")) and "_crecords" not in cls.__module__


RELIED_UPON = [
    (fetcher.Fetcher.fetched_records, "be4348896b9b", "Thread._fetch_records does the same, in runs"),
    (fetcher.Fetcher.seek_to, "f0ba6aba6c22", "a seek must throw away what was fetched from elsewhere"),
    (
        fetcher.Fetcher._proc_fetch_request,
        "59bf948fff47",
        "an answer for another position must be thrown away",
    ),
    (
        fetcher.Fetcher._update_fetch_positions,
        "d7774d8241dc",
        "a seek must win over the group's committed offset",
    ),
    (
        fetcher.Fetcher._fetch_requests_routine,
        "2a8ec5932644",
        "it takes its own cancellation for that of a request",
    ),
    (fetcher.FetchResult, "d7db13f06de8", "fetched.drain does what getall does"),
    (fetcher.PartitionRecords._unpack_records, "b803e6d46480", "fetched.drain drops the same batches"),
    (
        group_coordinator.GroupCoordinator._on_join_prepare,
        "4d9524afc0ee",
        "it calls our hooks and swallows errors",
    ),
    (
        group_coordinator.GroupCoordinator._on_join_complete,
        "0b0b3d204b40",
        "batch topics are held back from here",
    ),
    (
        Sender._sender_routine,
        "2380dc5e333d",
        "one batch of a partition is in flight at a time, the order of the sends; of a broker, one of each partition",
    ),
    (Sender._send_produce_req, "aea01ae4b6c7", "it takes out of `_in_flight` what was never in it"),
    (BaseConsumer._drain_messages, "44a2500309e8", "it hands runs to the agent's queue, one after another"),
    (BaseConsumer.on_partitions_revoked, "d04b7ae72c6f", "our rest() comes before it"),
    (BaseConsumer.force_commit, "cc094614d22c", "it asks our ledger what to commit"),
    (BaseConsumer._commit_offsets, "1a6979904118", "it leaves out what is not assigned any more"),
    (
        driver.AIOKafkaConsumerThread._commit,
        "932852ce7a23",
        "a commit after a rebalance is refused, not fatal",
    ),
    (driver.AIOKafkaConsumerThread._seek_wait, "9d221e816d94", "recovery begins where it says"),
    (Recovery._restart_recovery.fun, "6bd8a8558a2d", "it ends on Ended, and on RebalanceAgain begins anew"),
    (Recovery._slurp_changelogs.fun, "7825c7e50f76", "it must find nothing to do, and may not clear Ended"),
    (Recovery._build_offsets, "27eec86be06c", "a forgotten offset means the changelog's beginning"),
    (Recovery.on_recovery_completed, "6ef567acf072", "streams resume after our hook"),
    (Recovery.on_rebalance, "aa4d997a1795", "a new assignment signals a new recovery"),
    (App._on_partitions_revoked, "d5c895bbe57d", "it empties the agents' queues"),
    (App._stop_consumer, "55854a5de12c", "our on_stop comes before it"),
    (Agent._execute_actor, "c750b828d2bd", "an agent's error reaches _on_agent_error"),
    (Conductor._update_indices, "619b3247b96a", "topics without acks are not tracked"),
    (Service.crash, "14980000465d", "the worker ends with an error"),
    (Service.wait_first, "feade6a31f8a", "its losers are cancelled"),
]


@pytest.mark.parametrize(("subject", "known", "why"), RELIED_UPON, ids=_name)
def test_the_code_whose_behaviour_we_rely_upon_is_the_code_that_was_read(subject, known, why):
    found = hashlib.sha256(inspect.getsource(subject).encode()).hexdigest()[:12]
    assert found == known, f"{subject.__qualname__} of {pinned(subject)} was changed; we rely on it: {why}"


def test_a_message_takes_what_we_give_it():
    message = ConsumerMessage("t", 1, 9, 0.0, 0, None, None, "run", None, 0, 0, TP("t", 1), generation_id=3)
    assert (message.tp, message.offset, message.value, message.generation_id) == (TP("t", 1), 9, "run", 3)


def test_topic_and_partition_are_one_key_for_faust_and_aiokafka():
    assert {TP("t", 1): "found"}[TopicPartition("t", 1)] == "found", "gates are looked up by either"


def test_the_ends_of_a_recovery_are_exceptions_that_faust_catches():
    assert issubclass(RebalanceAgain, Exception)
    assert issubclass(ServiceStopped, Exception)
