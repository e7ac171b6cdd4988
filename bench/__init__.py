"""Measurements by hand; nothing here is asserted anywhere. Each command says what it measured, and under which load.

All of them in one go are `make bench` (`__main__`), which writes RESULTS.md.

- `rig`: a broker, one program as a process, and what it costs.
- `loads`, `peers`, `contestants`: what the programs of the race are fed, those of others, and who takes part.
- `race`: one program takes one load: the ruler.
- `results`, `targets`, `report`, `plot`: what came of it, what was asked, and how it is shown.
- `wake`: decisions per second when every count wakes its account.
- `watched`, `recovery`: a table of many watched accounts, and how long a new owner takes until it serves.
- `offline`: quiet counts a second of `replay`, megabytes of journal a second of `verify`, and their memory.
- `deadlines`: who waits how long while many deadlines come with one tick.
- `latency`, `feed`: from a count to its notice, and counts in bulk.
- `scale`, `plan`: what it costs to be many, and what a large platform would take.
- `quiet_memory`: memory while very many quiet accounts pass.
"""
