"""Why an account stands as it stands.

explanation.py   puts it together: its decisions as sentences, the clauses behind them, what would lift them
journal.py       what the journal says of the account
state.py         the account and the phases at the instant
words.py         sentences
clauses.py       leaves of the policy and their sources
lift.py          what would change it, and what changes it by itself; needs.py asks the questions
form.py          what is said; its names are those of the JSON form
screen.py        how it looks
"""
