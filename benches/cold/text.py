"""What is made of the JSON of a run: a part of each of the two READMEs. Needs nothing but Python."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[1]
ROOT = BENCHES.parent
JSON = BENCHES / "results/cold.json"
BEGIN, END = "<!-- benches/cold/run writes from here -->", "<!-- benches/cold/run writes no more -->"
#: Requests that hypostyle has in flight on one mount, unless it is told otherwise.
DEPTH = 32
NAMES = {"pyarrow": "pyarrow", "polars": "Polars", "fixture-tuned": "tuned"}
NOTHING = "No run is kept. `benches/cold/run` makes one."


def add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="small tables, one latency: check the answers, write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing; write what is made of the JSON")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if that is not what is there")


def our(cell: dict) -> dict:
    return cell["contenders"][0]


def most_ms(cell: dict) -> float:
    """What a cold join may take: what it takes hot, and three waits and one for each full depth, with 30 % to spare."""
    return cell["hot_ms"] + 1.3 * cell["latency_ms"] * (3 + math.ceil(our(cell)["requests"] / DEPTH))


def best_peer(cell: dict) -> dict:
    return min(cell["contenders"][1:], key=lambda one: one["ms"])


def faster(cell: dict) -> float:
    return best_peer(cell)["ms"] / our(cell)["ms"]


def verdict(met: bool) -> str:
    return "yes" if met else "**no**"


def targets(run: dict) -> list[list[str]]:
    cells = run["cells"]
    slowest = [cell for cell in cells if cell["latency_ms"] == max(c["latency_ms"] for c in cells)]
    rows = []
    for what, wanted, of, found, at_least in [
        ("time over hot + 1.3 × L × (3 + ⌈requests ÷ 32⌉)", 1, cells, lambda c: our(c)["ms"] / most_ms(c), False),
        ("bytes read over bytes needed", 1.15, cells, lambda c: our(c)["bytes"] / c["needed"], False),
        (f"at {slowest[0]['latency_ms']} ms, the best peer's time over ours", 5, slowest, faster, True),
    ]:
        values = [found(cell) for cell in of]
        good = [value >= wanted if at_least else value <= wanted for value in values]
        worst = min(values) if at_least else max(values)
        sign = "≥" if at_least else "≤"
        rows.append([what, f"{sign} {wanted}", f"{worst:.2f}", f"{sum(good)} of {len(good)}", verdict(all(good))])
    return rows


def missed(run: dict) -> str:
    """In which cells the first target was missed, and by how much."""
    said = [
        f"{NAMES.get(c['files'], c['files'])} {c['query']} at {c['latency_ms']} ms: {our(c)['ms']:.0f} ms, at most {most_ms(c):.0f}"
        for c in run["cells"] if our(c)["ms"] > most_ms(c)
    ]
    return f"The time is missed in {'; '.join(said)}." if said else "The time is kept in all."


def short(run: dict | None) -> str:
    if run is None:
        return NOTHING
    rows = [["files", "query", "a request", "hypostyle", "Polars", "DuckDB", "requests", "bytes read : needed"]]
    for cell in run["cells"]:
        if cell["latency_ms"] == max(c["latency_ms"] for c in run["cells"]):
            rows.append([*head(cell), ms(our(cell)), *(beside(c, cell) for c in cell["contenders"][1:]),
                         str(our(cell)["requests"]), f"{our(cell)['bytes'] / cell['needed']:.2f}"])
    return "\n\n".join([
        f"{sizes(run)} Nothing of them is in the page cache, and the mount answers each request (names, opening, reads) so"
        " late. Milliseconds, and how many times that is of hypostyle's.",
        table(rows),
        table([["target, over all latencies", "wanted", "worst", "met in", "met"], *targets(run)]),
        missed(run),
        f"{setting(run)} [All latencies, and how it was measured](benches/README.md#cold-reads).",
    ])


def long(run: dict | None) -> str:
    if run is None:
        return NOTHING
    rows = [["files", "query", "a request", "who", "ms", "at most", "requests", "bytes read", "bytes needed", "read : needed", "way"]]
    for cell in run["cells"]:
        for one in cell["contenders"]:
            ours = one is our(cell)
            way = f"hot: {cell['hot_ms']:.0f} ms" if ours else f"`{one['way']}`, " + (f"{one['threads']} threads" if one["threads"] else "its own threads")
            rows.append([*head(cell), one["name"], ms(one) if ours else beside(one, cell),
                         f"{most_ms(cell):.0f}" if ours else "", str(one["requests"]),
                         mb(one["bytes"]), mb(cell["needed"]), f"{one['bytes'] / cell['needed']:.2f}", way])
    return "\n\n".join([
        setting(run), f"```\n{run['command']}\n```", sizes(run),
        table([["target", "wanted", "worst", "met in", "met"], *targets(run)]), table(rows),
    ])


def head(cell: dict) -> list[str]:
    return [NAMES.get(cell["files"], cell["files"]), cell["query"], f"{cell['latency_ms']} ms"]


def ms(one: dict) -> str:
    return f"{one['ms']:.0f}"


def beside(one: dict, cell: dict) -> str:
    return f"{one['ms']:.0f} ({one['ms'] / our(cell)['ms']:.1f} ×)"


def mb(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def sizes(run: dict) -> str:
    s = run["shape"]
    return f"{s['tables']} tables of {s['rows']:,} rows and {s['columns']} features, {s['taken_of_each']} of each; inference takes the newest 24 rows."


def setting(run: dict) -> str:
    m, v = run["machine"], run["versions"]
    return (
        f"{m['date']}: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['kernel']}, load {m['load']} a core at the"
        f" start. hypostyle {v['hypostyle']} ({v['commit']}), Polars {v['polars']}, DuckDB {v['duckdb']}."
    )


def table(rows: list[list[str]]) -> str:
    first, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [first, ["---"] * len(first), *body])


PAGES = {ROOT / "README.md": short, BENCHES / "README.md": long}


def parts(run: dict | None) -> dict[Path, str]:
    """The whole text of each page; what to say when there is no run."""
    found = {}
    for page, section in PAGES.items():
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        found[page] = f"{before}{BEGIN}\n{section(run)}\n{END}{rest.split(END)[1]}"
    return found


def write(run: dict | None) -> None:
    for path, page in parts(run).items():
        path.write_text(page, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser()
    add_modes(parser)
    args = parser.parse_args()
    run = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else None
    if args.render:
        write(run)
        return 0
    stale = [path for path, page in parts(run).items() if path.read_text(encoding="utf-8") != page]
    for path in stale:
        name = path.relative_to(ROOT)
        print(f"error: {name} is not what {JSON.relative_to(ROOT)} gives; benches/cold/run --render", file=sys.stderr)
    return 1 if stale else 0
