"""Verbs: what is done with the nouns of `schemas`.

The way of an event:
live/transport (runs of raw records) -> live/intake -> core/fold -> core/decide -> ledger/step -> the topics

core/       the law, pure and synchronous
ledger/     the journal: chain, step and recovery as machines without I/O
live/       a Faust worker: transport, table, clock, and the owner that performs what the machines name
policies/   policy files and their loader
replay/     the same decisions offline, on one core or several
verify, verify_inputs, journaling   the audit, and what it shares with those who write
explain/    why an account stands as it stands
generate/   made-up populations as replay input
interface/  what others may rely on: JSON Schemas, the AsyncAPI document, and what may change of them
broker/     a local Kafka
memory      how a process keeps what it freed, and how seldom it looks for garbage
doctor      what is missing here for a worker and a local broker
demo/       all of it at once, to watch
cli/        the commands
"""
