"""Puts a run into words and tables, as it came out: the first screen of one README, all of it in the other."""

from __future__ import annotations

import targets
from cells import OURS, best_peer, cell, contender, median, overhead, peers, ratio

NAMES = {
    "pyarrow": "written by pyarrow",
    "polars": "written by Polars",
    "fixture-pyarrow": "like those of pyarrow",
    "fixture-polars": "like those of Polars",
    "fixture-tuned": "tuned",
}
NOTHING = "No run is kept. `benches/peers/run` makes one."
#: The rates that one firm asks for.
ASKED_FOR = {"training": 30, "inference": 111}


def short(run: dict | None) -> str:
    if run is None:
        return NOTHING
    cells = run["in_process"]
    names = [c["name"] for c in peers(cells[0])] if cells else []
    rows = [["files", "query", "hypostyle", *names, "limit"]]
    for one in cells:
        row = [NAMES[one["files"]], one["query"], shown(median(one, OURS))]
        for name in [*names, "limit"]:
            row.append(beside(median(one, name), median(one, OURS)))
        rows.append(row)
    return "\n\n".join([
        f"{sizes(run)} The files are in the page cache. All are asked in turn, in one Python process; median milliseconds"
        " from the call to a Polars or Arrow frame, and how many times that is of hypostyle's. A peer is asked in several"
        " ways and its fastest stands here. *Limit* is nothing but zstd of the needed pages and a copy into the output.",
        table(rows),
        "![The same as bars](benches/results/peers.svg)",
        *sentences(run),
        f"{setting(run)} [How it was measured, and the rest](benches/README.md).",
    ])


def long(run: dict | None) -> str:
    if run is None:
        return NOTHING
    parts = [setting(run), f"```\n{run['command']}\n```", sizes(run), "![As bars](results/peers.svg)"]
    if run["in_process"]:
        parts.append("#### Targets\n\n" + table([["what", "wanted", "found", "met"], *(t.row() for t in targets.all_of(run))]))
    parts += [in_process(one) for one in run["in_process"]]
    if run["whole_process"]:
        parts.append(whole_process(run))
    if run["memory"]:
        parts.append(memory(run))
    if run["callers"]:
        parts.append(callers(run))
    return "\n\n".join(parts)


def in_process(one: dict) -> str:
    rows = [["who", "median", "p99", "least", "ratio", "in the library", "beyond it", "way"]]
    for each in one["contenders"]:
        library = each.get("library")
        rows.append([
            each["name"], shown(each["median"]), shown(each["p99"]), shown(each["min"]),
            times(ratio(each["median"], median(one, OURS))),
            shown(library["median"]) if library else "", shown(overhead(each), 2) if library else "",
            way(each),
        ])
    did = one["limit"]
    limit = (
        f"The limit: {did['pages']} pages, {mb(did['compressed_bytes'])} MB to {mb(did['uncompressed_bytes'])} MB of zstd,"
        f" {did['output_bytes'] / 1e6:.2f} MB of output, {did['threads']} threads."
    )
    return f"#### {title(one)}\n\nMilliseconds, {len(one['contenders'][0]['ms'])} rounds.\n\n{table(rows)}\n\n{limit}"


def way(each: dict) -> str:
    if "way" not in each:
        return ""
    return f"`{each['way']}`" + ("" if each["in_order"] else ", rows in any order")


def whole_process(run: dict) -> str:
    names = [c["name"] for c in run["whole_process"][0]["contenders"]]
    rows = [["files", "query", *names]]
    for one in run["whole_process"]:
        ours = median(one, "hypostyle")
        cells = [shown(ours), *(beside(median(one, name), ours) for name in names[1:])]
        rows.append([NAMES[one["files"]], one["query"], *cells])
    count = len(run["whole_process"][0]["contenders"][0]["ms"])
    return (
        "#### Whole processes\n\nFrom the start to an uncompressed Arrow file in memory: `hypostyle join`, and a Python script"
        f" for each peer. Median milliseconds of {count}, and times that of hypostyle.\n\n{table(rows)}"
    )


def memory(run: dict) -> str:
    names = [c["name"] for c in run["memory"][0]["contenders"]]
    rows = [["files", "query", "output", *names]]
    for one in run["memory"]:
        grown = [mb(median(one, name)) for name in names]
        rows.append([NAMES[one["files"]], one["query"], f"{one['output_bytes'] / 1e6:.2f}", *grown])
    count = len(run["memory"][0]["contenders"][0]["bytes"])
    return (
        "#### Memory\n\nPeak growth of anonymous memory (`RssAnon`) from the process with its libraries imported to the frame,"
        f" pools and threads included; read every quarter of a millisecond from outside. MB, median of {count} processes.\n\n"
        f"{table(rows)}"
    )


def callers(run: dict) -> str:
    rows = [["files", "query", "callers", "frames a second", "median ms", "p99 ms", "p99 : median", "enough?"]]
    for one in run["callers"]:
        asked = ASKED_FOR[one["query"]]
        for many in one["callers"]:
            rate = many["frames_a_second"]
            rows.append([
                NAMES[one["files"]], one["query"], str(many["callers"]), f"{rate:.0f}", shown(many["median"]),
                shown(many["p99"]), f"{many['p99_to_median']:.1f}", f"{'yes' if rate >= asked else 'no'}: {asked} are asked for",
            ])
    return (
        "#### Many callers at once\n\nThreads of one process that share a store, each asking for other columns in each call."
        " *Enough* sets the rate against what one firm asks of a cluster: 30 training sets and 111 inference frames a second.\n\n"
        f"{table(rows)}"
    )


def sentences(run: dict) -> list[str]:
    found = []
    process = cell(run, "whole_process", "pyarrow", "training")
    if process and (peer := best_peer(process)):
        ours = median(process, "hypostyle")
        found.append(
            f"As a whole process, from its start to an Arrow file, the training join of the pyarrow files takes `hypostyle join`"
            f" {shown(ours)} ms, a script of the fastest peer ({peer['name']}) {beside(peer['median'], ours)}."
        )
    grown = cell(run, "memory", "pyarrow", "training")
    if grown and contender(grown, "hypostyle"):
        others = ", ".join(f"{c['name']} {mb(c['median'])}" for c in grown["contenders"] if c["who"] != "hypostyle")
        found.append(
            f"Its peak growth of memory is {mb(median(grown, 'hypostyle'))} MB for {mb(grown['output_bytes'])} MB of output"
            f" ({others})."
        )
    reached = [f"{rate(one):.0f} {one['query']} frames a second on {files_of(one)}" for one in run["callers"]]
    if reached:
        found.append(f"With 8 callers at once it gives {', '.join(reached)}.")
    return [" ".join(found)] if found else []


def rate(one: dict) -> float:
    return next(many for many in one["callers"] if many["callers"] == 8)["frames_a_second"]


def sizes(run: dict) -> str:
    s = run["shape"]
    return f"{s['tables']} tables of {s['rows']:,} rows and {s['columns']} features, {s['taken_of_each']} of each; inference takes the newest 24 rows."


def setting(run: dict) -> str:
    m, v = run["machine"], run["versions"]
    return (
        f"{m['date']}: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['kernel']},"
        f" transparent huge pages at `{m['huge_pages']}`, load {m['load']} a core at the start."
        f" hypostyle {v['hypostyle']} ({v['commit']}, rustc {v['rustc']}), Polars {v['polars']}, DuckDB {v['duckdb']},"
        f" DataFusion {v['datafusion']}, pyarrow {v['pyarrow']}, Python {v['python']}."
    )


def title(one: dict) -> str:
    return f"{one['query'].capitalize()}, {files_of(one)}"


def files_of(one: dict) -> str:
    name = NAMES[one["files"]]
    return f"files {name}" if " " in name else f"{name} files"


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def shown(ms: float | None, digits: int = 1) -> str:
    return "–" if ms is None else f"{ms:.{digits}f}"


def times(of: float | None) -> str:
    return "–" if of is None else f"{of:.1f} ×" if of >= 0.95 else f"{of:.2f} ×"


def beside(ms: float | None, ours: float | None) -> str:
    return shown(ms) + ("" if ratio(ms, ours) is None else f" ({times(ratio(ms, ours))})")


def mb(size: float | None) -> str:
    return "–" if size is None else f"{size / 1e6:.0f}" if size >= 1e6 else f"{size / 1e6:.1f}"
