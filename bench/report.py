"""The results as Markdown."""

from collections.abc import Iterable, Sequence

from bench.contestants import CONTESTANTS, Contestant
from bench.results import Made, Race, Results, Spread, rates, ratio
from bench.targets import times, verdicts

HOW = """\
Counts in the contract's format, 4 partitions, a broker of its own on the same cores; 20,000 accounts, some counted
much more often than others, of which few cross 500,000 (`bench/loads.py`). Every program finds the same crossings, or
its round does not count. The programs take turns. Each is started, takes 2,000 counts to warm up, is stopped, and goes
on once the topic is filled: both clocks start there. The CPU is that of the whole process. Ours is done when journal
entries, outputs and rows are acknowledged; a peer when its code has handled the last count, whatever it still has to
send or to commit (`bench/race.py`). A slow program is given fewer counts. How each peer is tuned, and which page of
its documentation says so, stands at the top of its file in `bench/peers`.

Not like for like: Nameplate writes rows for what wakes and checks every count by the whole contract; the frameworks
write a row for every count and check nothing; bare aiokafka and Bytewax keep nothing. So there is a line of ours in
which every count writes a row, and one in which every count is a decision.
"""


def markdown(results: Results) -> str:
    """Return the whole report."""
    parts = ["# How fast it is", ""]
    if results.race is not None:
        parts += [_race(results.race)]
    for name, measure in results.measures.items():
        parts += [f"## {name}", "", _made(measure.made), "", "```", measure.said.rstrip(), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def _race(race: Race) -> str:
    counted = max(
        (sum(one.contestant == each.name for one in race.rounds) for each in CONTESTANTS), default=0
    )
    lines = ["## The same counts, side by side", "", _made(race.made), ""]
    lines += ["![Counts per CPU second and per wall second](results.svg)", "", HOW]
    lines += [f"Medians of {counted} rounds (least-most), in thousands of counts.", ""]
    head = (
        "program",
        "with a count it",
        "counts",
        "per CPU second",
        "per wall second",
        "Nameplate is faster by",
    )
    lines += _table(head, (_row(race, one) for one in CONTESTANTS))
    lines += ["", "### Targets", ""]
    lines += _table(("Nameplate", "asked", "reached", ""), verdicts(race))
    return "\n".join([*lines, ""])


def _row(race: Race, one: Contestant) -> tuple[str, ...]:
    found = rates(race, one.name)
    if found is None:
        return (one.title, one.does, "-", f"missing: {race.missing.get(one.name, 'not run')}", "-", "-")
    counts = max(each.counts for each in race.rounds if each.contestant == one.name)
    ratios = ratio(race, one.against, one.name) if one.against != one.name else None
    faster = f"{times(ratios[0])} CPU, {times(ratios[1])} wall" if ratios is not None else ""
    return (one.title, one.does, f"{counts:,}", _thousands(found[0]), _thousands(found[1]), faster)


def _thousands(found: Spread) -> str:
    digits = 0 if found.median >= 100_000 else 1 if found.median >= 10_000 else 2
    median, least, most = (f"{value / 1000:.{digits}f}" for value in found)
    return f"**{median}** ({least}-{most})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _made(made: Made) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    return f"`{made.command}` on {made.at}, commit {made.commit}: {made.machine}. {versions}."
