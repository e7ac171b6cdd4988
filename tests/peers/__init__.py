"""The crossing job done by plain Faust and by Nameplate, under the same faults at the same times.

`job` says what goes in and what has to come out, `plain_faust` is the peer as its documentation shows it, `systems`
starts either, `script` is what happens to their workers, and `__main__` runs all of it and writes REPORT.md.
"""
