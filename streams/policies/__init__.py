"""Policies as files: `load` reads a directory into a checked book, `lines` finds the line of a mistake.

What the files mean stands in `schemas.policy`; the book that is shipped stands in `book/`.
"""
