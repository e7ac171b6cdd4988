"""The same decisions offline, from files.

line      one line of a replay file, and its mistakes
files     lines and blocks of plain counts, in the order of the files
dealing   blocks of counts dealt to partitions
run       one process decides: lines in, output files out
crew      several processes decide, with the same bytes
"""
