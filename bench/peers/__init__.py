"""The same job by others, each a program of its own that `bench.race` starts.

The job: keep the last count of every account; send one record when an account crosses the line. All are called as
`PROGRAM BOOTSTRAP COUNTS OUT WARM TOTAL [CHOICE]` and say `warm` after so many counts and `done {…}` after all of
them (`meter`). They run in an environment of their own, from `requirements.lock`, which `make bench-lock` resolves
anew. How each is tuned, and where its own documentation says so, stands in its docstring.

- `meter`: what they share: the line, the arguments, and the two words.
- `bare_aiokafka`: no framework: a consumer and a loop; the bound that a framework in Python is measured against.
- `plain_faust`, `quix`, `bytewax_flow`: frameworks in Python.
- `kafka_streams/Crossings.java`: Kafka Streams.
"""
