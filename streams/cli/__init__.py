"""The command line: one thin command for each verb. What a command needs is imported when it runs.

app.py       the application, its groups of commands, options, lists, and how it ends
offline.py   commands that need files only
generating.py   the command that makes up populations
online.py    commands that need a broker
"""

from streams.cli import generating, offline, online
from streams.cli.app import main

__all__ = ["generating", "main", "offline", "online"]
