"""`python -m streams.cli`."""

from streams.cli import main

if __name__ == "__main__":  # a process that a replay starts loads this, too
    main()
