"""Measurements by hand; nothing here is asserted anywhere. Each command says what it measured, and under which load.

- `rig`: a broker, one worker as a process, and what it costs.
- `wake`: decisions per second when every count wakes its account.
- `watched`, `recovery`: a table of many watched accounts, and how long a new owner takes until it serves.
- `deadlines`: who waits how long while many deadlines come with one tick.
"""
