"""Nouns: what outlives the process. Everything here is a value; nothing here has a clock, a socket or a file."""
