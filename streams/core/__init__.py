"""The law, pure and synchronous.

Read in this order:

decide.py       what one record, due instant or new book means for one account
obligations.py  the stages of an obligation as a table, and what each change says outside
scope.py        whom a phase covers, and which phases an account has reached
band.py         the lines of a policy, and the counts between two of them: the quiet ones
quiet.py        how many of the next counts are quiet: what nearly all of the time is spent on, and is compiled
rolling.py      the highest count of each of the last 31 days
deadlines.py    when something of a row falls due
agenda.py       what falls due next, over all accounts of a partition
sealing.py      outputs with their ids and sequence numbers, and the status of an account
decider.py      rows, time and book of one partition: decides, and keeps what was decided for the journal
fold.py         records in, decisions out, for one partition: the step that all shells share

Nothing here reads a clock, a file, the environment or a random number; a test guards that.
"""
