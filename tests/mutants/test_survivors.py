"""The list of survivors is of this very code; whether it is true shows `make mutants`."""

import ast

from mutate import all_mutants, mutants_of
from survivors import listed

CODE = """
LIMIT = 3
def is_loud(row, at) -> bool:
    for day in row:
        if day.at <= at and not day.quiet:
            day.heard += 1
            break
    return max(row, default=0) is LIMIT
"""

CHANGES = """
LIMIT = 4
LIMIT = 2
for day in ():
if day.at <= at or not day.quiet:
if not day.quiet:
if day.at <= at:
if True:
if False:
if day.at < at and (not day.quiet):
if day.at > at and (not day.quiet):
if day.at <= at and day.quiet:
pass
day.heard -= 1
day.heard += 2
day.heard += 0
continue
return True
return False
return max(row, default=0) is not LIMIT
return min(row, default=0) is LIMIT
return max(row, default=1) is LIMIT
"""


def test_every_comparison_branch_number_and_statement_is_changed():
    before = ast.unparse(ast.parse(CODE)).splitlines()
    found = []
    for number in range(len(mutants_of("m", ast.parse(CODE)))):
        tree = ast.parse(CODE)
        mutants_of("m", tree)[number].apply()
        found += [line.strip() for line in ast.unparse(tree).splitlines() if line not in before]
    assert sorted(found) == sorted(CHANGES.strip().splitlines())


def test_every_survivor_listed_is_a_mutant_of_the_core_as_it_is():
    assert set(listed()) - {mutant.name for mutant in all_mutants()} == set()


def test_every_survivor_has_a_reason_and_they_are_few():
    reasons = listed()
    assert all(len(reason.split()) > 3 for reason in reasons.values())
    assert len(reasons) <= 0.05 * len(all_mutants())
