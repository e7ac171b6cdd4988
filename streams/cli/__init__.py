"""The command line: one thin command for each verb. What a command needs is imported when it runs.

app.py          the application, its groups of commands, and the options that several commands have
offline.py      commands that need files only
generating.py   the command that makes up populations
online.py       commands that need a broker
demo.py         the main job with nothing prepared
doctoring.py    what is missing
schemas.py      what others rely on
screen.py       lists, JSON documents, errors
progress.py     how far long work is
logs.py         what the libraries and the worker log
ending.py       how a command ends
"""

from streams.cli import demo, doctoring, generating, offline, online, rights, schemas
from streams.cli.ending import main

__all__ = ["demo", "doctoring", "generating", "main", "offline", "online", "rights", "schemas"]
