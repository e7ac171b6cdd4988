"""An exhaustive explorer of the journal's protocol: the real machines, through every interleaving of a small world.

What is real: `Recovery`, `Step` and all that they are made of; the draft's checks; entries and their bytes; `Clocked`,
the intake of a live worker; `Tail` and the owner's memory of the statuses. What is put in: a broker, the group, the
hands that perform effects (as `streams.live.performer` does), and a tiny core. In reading order:

- `tiny`: that core: records, rows, decisions, steps; pure functions of values.
- `worlds`: what is searched, as data: inputs, faults, and what is told apart.
- `properties`, `reader`: the six properties; a reading of journals of its own, and their complete replay.
- `broker`: journal, table, outputs, inputs and late requests as interned values.
- `owner`, `intake`, `tails`: one owner: a machine, and the hands that perform what it names.
- `partition`, `disasters`, `moves`, `move`: what becomes of owners and requests; every move that a state allows.
- `likeness`: which states are alike, so that only one of them has to be visited.
- `search`: the search, layer by layer of faults, and the shortest trace to a violation.
- `flawed`, `flaws`: flaws to plant, and the world in which each is found.

`python -m tests.explorer --help` searches longer than the tests do. `REACHED.md` says what was reached.
"""
