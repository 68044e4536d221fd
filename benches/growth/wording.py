"""Puts a run into words and tables, as it came out."""

from __future__ import annotations

import slopes
from report import setting, shown, table

NOTHING = "No run is kept. `benches/growth/run` makes one."
WARM = "hypostyle, warm"
#: How the base of a curve is said.
PARTS = {"tables": "{:,} tables", "rows": "{:,} rows", "columns": "{:,} features", "taken": "{:,} of each taken"}


def long(run: dict | None) -> str:
    if run is None:
        return NOTHING
    return "\n\n".join([
        setting(run), f"```\n{run['command']}\n```",
        *busy(run),
        f"The joins took {run['minutes']} minutes. {steep(run)}",
        *(of_curve(curve) for curve in run["curves"]),
    ])


def busy(run: dict) -> list[str]:
    """What must be said of a run that shared its machine."""
    load = run["machine"]["load"]
    if load <= 0.2:
        return []
    return [
        f"**The machine was busy: a load of {load} a core at the start.** Times and exponents of such a run are upper"
        " bounds at best, and gains of threads are worth nothing; it stands until a run on a quiet machine takes its place."
    ]


def steep(run: dict) -> str:
    """Everything that grows faster than its work, by name."""
    found = {}
    for curve in run["curves"]:
        for one in curve["series"]:
            if slopes.too_fast(curve["name"], one["points"]):
                found.setdefault(one["name"], []).append(f"with the {curve['what']} in {one['query']} ({grows(one['points'])})")
    ours = [name for name in found if name.startswith("hypostyle")]
    said = [] if ours else ["No curve of hypostyle grows faster than its work."]
    return " ".join([*said, *(f"Faster than its work grows {name} {'; '.join(where)}." for name, where in found.items())])


def of_curve(curve: dict) -> str:
    rows = [["query", "who", *(f"{value:,}" for value in curve["values"]), "exponent", "at the end"]]
    for one in curve["series"]:
        at = {point["at"]: point["median"] for point in one["points"]}
        cells = [exact(at.get(value)) for value in curve["values"]]
        rows.append([one["query"], one["name"], *cells, power(slopes.exponent(one["points"])), power(slopes.last_exponent(one["points"]))])
    return "\n\n".join([
        f"#### By {curve['what']}", f"![{curve['what'].capitalize()}](results/growth-{curve['name']}.svg)",
        f"{base(curve)} {verdict(curve)} {crossing(curve)}", table(rows),
    ])


def base(curve: dict) -> str:
    kept = [PARTS[name].format(value) for name, value in curve["base"].items() if name in PARTS]
    said = f"{', '.join(kept)}."
    if curve["name"] == "callers":
        said += " The milliseconds are the time that passed over the frames that came in it, all callers together."
    return said


def verdict(curve: dict) -> str:
    ours = [one for one in curve["series"] if one["name"].startswith("hypostyle")]
    fast = [one for one in ours if slopes.too_fast(curve["name"], one["points"])]
    if curve["name"] == "threads" and not fast:
        return gains(curve)
    if not fast:
        return "Nothing of hypostyle's grows faster than its work."
    if curve["name"] == "threads":
        return f"{gains(curve)} Not all of the work is shared."
    said = "; ".join(f"{one['name']}, {one['query']} ({grows(one['points'])})" for one in fast)
    return f"**Faster than its work** grows {said}."


def gains(curve: dict) -> str:
    """How much faster the most threads are than one."""
    said = []
    for one in curve["series"]:
        first, last = one["points"][0], one["points"][-1]
        if first["at"] != last["at"]:
            said.append(f"{one['name']} {first['median'] / last['median']:.2f} × ({one['query']})")
    return f"From {curve['values'][0]} to {curve['values'][-1]} threads gain: {', '.join(said)}." if said else "One thread is all there is."


def grows(points: list[dict]) -> str:
    return f"exponent {power(slopes.exponent(points))}, at the end {power(slopes.last_exponent(points))}"


def crossing(curve: dict) -> str:
    said = []
    for one in curve["series"]:
        if one["name"].startswith("hypostyle"):
            continue
        ours = next(o for o in curve["series"] if (o["query"], o["name"]) == (one["query"], WARM))
        ratios = slopes.ratios(ours["points"], one["points"])
        found = slopes.crossings(ours["points"], one["points"])
        where = [f"{'is the faster one' if faster else 'is slower'} from about {rough(at)} on" for at, faster in found]
        if ratios and ratios[0] < 1:
            where.insert(0, f"is the faster one at {curve['values'][0]:,}")
        if where:
            said.append(f"{one['name']} ({one['query']}) {', '.join(where)}.")
        missing = len(curve["values"]) - len(one["points"])
        if missing:
            said.append(f"{one['name']} ({one['query']}) was not asked at the last {missing}: it took too long.")
    crossed = any("faster one" in each for each in said)
    return " ".join([*said] if crossed else ["No peer crosses the warm store's curve.", *said])


def rough(at: float) -> str:
    """To two digits: where two curves cross is not known better."""
    return f"{float(f'{at:.2g}'):,.0f}" if at >= 10 else f"{at:.1f}"


def power(of: float | None) -> str:
    return "–" if of is None else f"{of:.2f}"


def exact(ms: float | None) -> str:
    return shown(ms, 0 if ms is not None and ms >= 1_000 else 1 if ms is not None and ms >= 10 else 2)
