"""A deterministic simulator: the worker's own code through months of accounts' lives and every kind of trouble.

A run is a function of its seed. One heap of (time in ms, seeded tie-break, number) moves everything; there is no
asyncio, no thread and no real clock. What runs is the product: `streams.live.worker`'s hooks, `owner`, `performer`,
`intake`, `books` and the status tail, the ledger's machines and the real fold; only what stands outside of a process
(broker, group, clocks, producers, operator) is simulated. In reading order:

- `chance`: seeded draws, the swarm of faults of a seed, and the tape of what happened.
- `loop`: virtual time, and the part of asyncio that the worker uses.
- `broker`, `group`: logs, the table's changelog, requests that get lost; who owns which partition.
- `ports`, `process`: one worker process, that can be killed or stand still between any two requests.
- `lives`: policy books, and what happens to the accounts.
- `weather`: what goes wrong, and who mends it.
- `run`: one whole run, from its seed to its rest.
- `accepted`, `lawful`, `checks`: what the journal accepted, what the naive oracle says to that, and all invariants.
- `shrink`, `flaws`: a failing run made small; planted bugs.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the oracle's modules know each other by their bare names
