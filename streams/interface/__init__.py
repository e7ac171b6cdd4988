"""What others may rely on: every record as JSON Schema, all topics as one AsyncAPI document, and what may change.

words.py      what the classes of `schemas` say of their fields
records.py    JSON Schemas of every kind of record, taken from those classes
topics.py     the topics as an outsider sees them: direction, kinds, keys, and what no schema can refuse
examples.py   a record of every kind, decided by the program itself
asyncapi.py   the document
evolution.py  whether a later document breaks those who rely on an earlier one
export.py     all of it as files
"""
