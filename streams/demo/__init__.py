"""The main job with nothing prepared: a history through real workers, watched, and left behind to be checked.

Read in this order:
run.py          its course, on a broker or in process, and that nothing stays behind
history.py      what is published: a synthetic population or files, in the order of a merge
view.py         what a consumer of the output topics sees, in words
stage.py        a local Kafka or somebody else's, and two workers
in_process.py   the same fold without a broker
summary.py      what came of it, and what to type next
"""
