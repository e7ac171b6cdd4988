"""The journal's protocol as sans-I/O state machines: the 25 rules of the design, without a broker.

A machine is told what happened and names what to do next; somebody else does it. The live worker, a simulated
log and an explorer of all interleavings drive the very same classes. In reading order:

- `chain`: which journal records are accepted; the one predicate of all readers.
- `root`: the additive hash over a partition's rows.
- `effects`: what a machine can want done, and what a broker is asked.
- `append`: one append and its verdict.
- `draft`, `step`: an owner at work, one entry after the other.
- `takeover`, `owed`, `known`, `inputs`, `recovery`: a new owner, from the table and the journal to work.
- `stops`: the texts for whoever is paged.
"""
