"""What is made of the JSON of a run: a part of each of the two READMEs. Needs nothing but Python."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[1]
ROOT = BENCHES.parent
JSON = BENCHES / "results/models.json"
BEGIN, END = "<!-- benches/models/run writes from here -->", "<!-- benches/models/run writes no more -->"
NOTHING = "No run is kept. `benches/models/run` makes one."
FLAGS = ("models", "bytes", "pairs", "rows", "rounds")


def add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="few models: check what is read, write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing; write what is made of the JSON")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if that is not what is there")


def faster(plain: dict, ours: dict) -> float:
    return plain["seconds"] / ours["seconds"]


def targets(run: dict) -> list[list[str]]:
    """What was wanted of the three, and what was found."""
    put, cached, slow = run["put"], run["cached"], run["slow"]
    rows = []
    for what, wanted, plain, ours in [
        ("read from the page cache, beside the files one after another", 1, cached["plain"], cached["many"]),
        (f"read at {slow['latency_ms']} ms a request, beside the files one after another", 16, slow["plain"], slow["many"]),
        (f"put durably in one commit, beside writing and syncing files on {put['writers']} threads", 1, put["plain"], put["ours"]),
    ]:
        times = faster(plain, ours)
        rows.append([what, f"{plain['seconds']:.2f} s", f"{ours['seconds']:.2f} s", f"{times:.1f} ×", f"≥ {wanted} ×",
                     "yes" if times >= wanted else "**no**"])
    return rows


def table(rows: list[list[str]]) -> str:
    first, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [first, ["---"] * len(first), *body])


def sizes(run: dict) -> str:
    s = run["shape"]
    return f"{s['models']:,} models of {s['bytes']:,} bytes, and as many plain files of the same bytes."


def pairs(run: dict) -> str:
    p = run["pairs"]
    return (
        f"{p['pairs']:,} pairs of a model and its inference frame (20 tables, 81 columns, the newest 24 of"
        f" {run['shape']['rows']:,} rows), of one snapshot, asked for by {p['callers']} threads: from a mount at"
        f" {run['slow']['latency_ms']} ms a request {p['mount']['cold']:.0f} pairs a second cold and"
        f" {p['mount']['warm']:.0f} again in the same process; from a local disk in the page cache"
        f" {p['local']['cold']:.0f} and {p['local']['warm']:.0f}."
    )


def setting(run: dict) -> str:
    m, v = run["machine"], run["versions"]
    return (
        f"{m['date']}: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['kernel']}, load {m['load']} a core at the"
        f" start. hypostyle {v['hypostyle']} ({v['commit']}), from Python."
    )


def short(run: dict | None) -> str:
    if run is None:
        return NOTHING
    return "\n\n".join([
        sizes(run),
        table([["", "plain files", "hypostyle", "so many times as fast", "wanted", "met"], *targets(run)]),
        pairs(run),
        f"{setting(run)} [How it was measured](benches/README.md#models).",
    ])


def long(run: dict | None) -> str:
    if run is None:
        return NOTHING
    cached, slow = run["cached"], run["slow"]
    ways = [["way to read from the page cache", "s", "µs a model"]]
    for name, what in (("plain", "plain files, one after another"), ("many", "`get_many`"), ("each", "`get` of each, in a loop"),
                       ("unverified", "`get_many(verify=False)`")):
        ways.append([what, f"{cached[name]['seconds']:.3f}", f"{cached[name]['seconds'] / run['shape']['models'] * 1e6:.1f}"])
    return "\n\n".join([
        setting(run), f"```\n{run['command']}\n```", sizes(run),
        table([["", "plain files", "hypostyle", "so many times as fast", "wanted", "met"], *targets(run)]), table(ways),
        f"Through the mount the plain files take {slow['plain']['requests']:,} requests, the models {slow['many']['requests']:,}.",
        pairs(run),
    ])


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
        print(f"error: {name} is not what {JSON.relative_to(ROOT)} gives; benches/models/run --render", file=sys.stderr)
    return 1 if stale else 0
