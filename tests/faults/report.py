"""Makes the report of a campaign out of its results: `python -m tests.faults report full`."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

INVARIANTS = {
    "I1": "every account is told what the naive oracle expects: nothing lost, nothing invented",
    "I2": "one payload per id, and each id is the hash of what it says",
    "I3": "at most one open obligation per account",
    "I4": "no restriction without notice and full grace, none twice, none after compliance",
    "I5": "no deadline fires early by either clock",
    "I6": "sequence numbers dense after de-duplication, copies equal byte for byte",
    "I7": "chain, seals, state roots and the table agree",
    "I8": "the auditor derives every decision again from the raw inputs (`nameplate verify --inputs`)",
    "I9": "no fork: one writer per epoch, nobody builds on a void entry",
    "I10": "what any reader sees is journaled; at rest everything journaled is published",
    "I11": "every input taken once, in order, to its end; digests fit",
    "I12": "no planted name, address or number outside of the inputs, logs included",
    "refusal": "what must be refused is, with a remedy",
}
TESTS = {
    "T1": "workers killed (-9): at every place of a step, and at random moments",
    "T2": "broker killed (-9) and started again",
    "T3": "zombies: stopped past their session, replaced, woken up",
    "T4": "storm of joins, leaves and kills",
    "T5": "network cut, silent, one-way, or bad to one kind of request",
    "T6": "disk of the broker full",
    "T7": "clocks of workers jump or drift",
    "T8": "logs truncated, bits flipped",
    "T9": "poison",
    "T10": "late, doubled, whole topics again",
    "T12": "ten times the load; a slow topic; many deadlines at once",
    "T13": "topics recreated, retention past the position, other settings",
}
MADE = "Made by `python -m tests.faults report`; the results, one line a world, lie beside it."
MEANS = (
    "N faults without a failure say only this: the rate of failures is below 3/N, at 95 %. Recovery is the time "
    "from the fault to the first accepted entry with input in each partition that was hit, the slowest of them."
)
Results = list[dict[str, Any]]


def report(results: Results, campaign: str) -> tuple[dict[str, Any], str]:
    """Return the report as data and as Markdown."""
    data = {"campaign": campaign, **figures(results)}
    return data, markdown(data)


def figures(results: Results) -> dict[str, Any]:
    """Return all numbers of the report."""
    ran = [one for one in results if not one["not_run"]]
    tests: dict[str, Any] = {}
    for test in sorted({one["test"] for one in results}, key=lambda name: int(name[1:])):
        tests[test] = of_test([one for one in results if one["test"] == test])
    violations = Counter()
    for one in ran:
        for name, said in one["violations"].items():
            violations[name] += len(said)
    held: Counter[str] = Counter()
    for one in ran:
        held.update(
            name
            for name in one["violations"]
            if not (name == "I1" and "not held against the oracle" in one["counts"])
        )
    wire = sum(one["counts"].get("outputs on the wire", 0) for one in ran)
    outputs = sum(one["counts"].get("outputs", 0) for one in ran)
    return {
        "worlds": len(ran),
        "tests": tests,
        "violations": dict(violations),
        "worlds held against": dict(held),
        "stuck": sum(len(one["stuck"]) for one in ran),
        "entries": sum(one["counts"].get("entries", 0) for one in ran),
        "void entries": sum(one["counts"].get("void", 0) for one in ran),
        "takeovers": sum(one["counts"].get("takeovers", 0) for one in ran),
        "inputs": sum(one["counts"].get("inputs", 0) for one in ran),
        "deadlines fired": sum(one["counts"].get("deadlines", 0) for one in ran),
        "obligations": sum(one["counts"].get("obligations", 0) for one in ran),
        "restrictions": sum(one["counts"].get("restrictions", 0) for one in ran),
        "dead letters": sum(one["counts"].get("dead", 0) for one in ran),
        "outputs on the wire": wire,
        "copies on the wire": wire - outputs,
        "duplicates after de-duplication": sum(one["counts"].get("differing copies", 0) for one in ran),
        "max RSS of a worker, MB": max((one["rss_mb"] for one in ran), default=0),
        "hours": round(sum(one["seconds"] for one in ran) / 3600, 2),
        "commits": sorted({one["notes"].get("commit", "") for one in ran}),
        "seeds": sorted({one["seed"] for one in ran}),
    }


def of_test(results: Results) -> dict[str, Any]:
    """Return the numbers of one test."""
    ran = [one for one in results if not one["not_run"]]
    faults = [fault for one in ran for fault in one["faults"]]
    times = sorted(fault["recovery_s"] for fault in faults if fault["recovery_s"] is not None)
    exits = Counter(exit_of(said) for one in ran for said in one["exits"] if "when asked to end" not in said)
    kinds: dict[str, int] = Counter(
        f"{fault['kind']}{': ' + fault['place'] if fault['place'] else ''}" for fault in faults
    )
    return {
        "faults": len(faults),
        "kinds": dict(sorted(kinds.items())),
        "worlds": len(ran),
        "not run": [one["not_run"] for one in results if one["not_run"]],
        "with input unread": sum(fault["unread"] > 0 for fault in faults),
        "violations": sum(len(said) for one in ran for said in one["violations"].values()),
        "stuck": sum(len(one["stuck"]) for one in ran),
        "recovery": {
            name: quantile(times, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))
        },
        "recoveries": len(times),
        "exits": dict(exits),
        "notes": [
            note
            for one in ran
            if (note := {k: v for k, v in one["notes"].items() if k not in ("commit", "what", "ended")})
        ],
    }


def exit_of(said: str) -> str:
    return "exit " + said.partition("exit ")[2].split(":")[0].split()[0]


def quantile(times: list[float], share: float) -> float | None:
    return times[min(len(times) - 1, int(len(times) * share))] if times else None


def markdown(data: dict[str, Any]) -> str:
    """Return the report in words."""
    seeds, commits = data["seeds"], ", ".join(data["commits"])
    where = f"commit {commits}, {len(seeds)} seeds from {seeds[0]} to {seeds[-1]}"
    lines = [
        f"# Faults on a real Kafka: the {data['campaign']} campaign",
        "",
        f"{data['worlds']} worlds, {data['hours']} hours of them (some side by side), {where}. {MADE}",
        "",
        f"**{sum(data['violations'].values())} violations of an invariant, {data['stuck']} times stuck.**",
        "",
        "| test | faults | with input unread | violations | recovery p50, p99, max (s) | rate of failures, at 95 % |",
        "|---|---|---|---|---|---|",
        *(row(name, test) for name, test in data["tests"].items()),
        "",
        MEANS,
        "",
        "| invariant | worlds held against it | violations |",
        "|---|---|---|",
    ]
    held, broken = data["worlds held against"], data["violations"]
    lines += [
        f"| {name} {what} | {held[name]} | {broken.get(name, 0)} |"
        for name, what in INVARIANTS.items()
        if name in held
    ]
    lines += ["", "| counted | |", "|---|---|"]
    whole = {name: value for name, value in data.items() if isinstance(value, int)}
    lines += [f"| {name} | {value:,} |" for name, value in whole.items() if name not in ("worlds", "stuck")]
    lines += ["", "## Faults by kind", ""]
    for name, test in data["tests"].items():
        kinds = "; ".join(f"{kind} {count}" for kind, count in test["kinds"].items())
        exits = f" Workers that ended by themselves: {test['exits']}." if test["exits"] else ""
        lines.append(f"- **{name}**: {kinds or 'none'}.{exits}")
        lines += [f"  - {key}: {said(value)}" for note in test["notes"] for key, value in note.items()]
    return "\n".join(lines) + "\n"


def row(name: str, test: dict[str, Any]) -> str:
    """Return a test's row of the table."""
    what = f"{name} {TESTS[name]}"
    if not test["worlds"]:
        return f"| {what} | **not run**: {'; '.join(test['not run'])} | | | | |"
    times = ", ".join("-" if value is None else f"{value:.1f}" for value in test["recovery"].values())
    says = test["faults"] > 3 and not test["violations"] and not test["stuck"]
    rate = f"below {300 / test['faults']:.1f} %" if says else "-"
    count = f"{test['faults']} in {test['worlds']} worlds"
    return f"| {what} | {count} | {test['with input unread']} | {test['violations']} | {times} | {rate} |"


def said(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"\n    - {key}: {said(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        counted = Counter(str(one).partition(": exit")[0][:180] for one in value)
        return "; ".join(f"{one} ({count})" if count > 1 else one for one, count in counted.items())
    return str(value)[:400].replace("\n", " ")


def write(results: Path) -> Path:
    """Write both forms of the report beside the results; return the Markdown's path."""
    lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    last = {(one["test"], one["number"], one["seed"]): one for one in lines}
    data, text = report([last[place] for place in sorted(last)], results.stem)
    results.with_suffix(".json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
    found = results.with_suffix(".md")
    found.write_text(text, "utf-8")
    return found
