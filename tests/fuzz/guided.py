"""One target, guided by what of our code its cases reach. Needs atheris."""

import sys
from pathlib import Path


def run(name: str, directory: str) -> None:
    """Feed a target; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["schemas", "streams"]):
        from .targets import TARGETS

    target, corpus = TARGETS[name]
    seeds = Path(directory) / "corpus"
    for number, seed in enumerate(corpus):
        (seeds / str(number)).write_bytes(seed)
    atheris.Setup([name, *sys.argv[1:], str(seeds)], target)
    atheris.Fuzz()
