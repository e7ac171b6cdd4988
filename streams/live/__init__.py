"""A worker on a broker.

Read in this order:
worker.py      one process: hooks of the Faust app, clock, policy books
owner.py       one owned partition: performs the effects of the ledger's machines, feeds the fold in between
intake.py      which records a partition takes next (ticks wait for what was there before them)
performer.py   performs the effects that the ledger's machines name
ports.py       what an owner may do with the world
app.py         the Faust app: settings, one agent, what stops the process
transport.py, consumer_thread.py, gates.py, fetched.py   runs of raw records instead of single messages
capped.py      record batches as columns, and bombs among them
eager.py       what need not wait costs no task
producer.py    requests that do not wait for each other
rows.py        the rolling table as a Faust table of packed rows
statuses.py    keeps account-status true
standing.py, counts.py, metrics.py   what is told of a worker
watchdog.py, progress.py             what ends one that stands still, and what it says while it is long at work
access.py      how the broker is spoken to: Kafka's own client settings, and no plaintext beyond this machine
log.py, journal.py, books.py, publish.py, topics.py, topic_specs.py, acls.py, admin.py   the broker outside of the group
remedies.py    what to type next when it is not as it must be
failpoints.py  where a test lets a worker die
"""
