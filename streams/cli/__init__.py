"""The command line: one thin command for each verb. What a command needs is imported when it runs.

app.py       the application, its groups of commands, options, lists, and how it ends
offline.py   commands that need files only
online.py    commands that need a broker
"""

from streams.cli import offline, online
from streams.cli.app import main

__all__ = ["main", "offline", "online"]
