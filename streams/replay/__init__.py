"""The same decisions offline, from files.

line      one line of a replay file, and its mistakes
dealing   many plain counts at once, dealt to partitions
shares    what each partition gets of them
files     lines and blocks of plain counts, in the order of the files
run       one process decides: lines in, output files out
crew      several processes decide, with the same bytes
"""
