"""Policies as files: one TOML file for each platform, dated and cited.

In reading order: `load` reads a directory into a checked book, `over` lays one file over another,
`lines` finds the line of a mistake, `show` puts into words what is in force. What the files mean stands
in `schemas.policy`. The book that is shipped stands in `book/`; in `scenario/` stands what it would be
if the unknown dates and the rumours were true: assumptions, for what-ifs.
"""
