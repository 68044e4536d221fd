"""What is made of the JSON of a run: a part of benches/README.md. Needs nothing but Python."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[1]
JSON = BENCHES / "results/writes.json"
README = BENCHES / "README.md"
BEGIN, END = "<!-- benches/writes/run writes from here -->", "<!-- benches/writes/run writes no more -->"
NOTHING = "No run is kept. `benches/writes/run` makes one."


def add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="small tables, few rounds: write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing; write what is made of the JSON")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if that is not what is there")


def verdict(met: bool | None) -> str:
    return "not measured" if met is None else "yes" if met else "**no**"


def targets(run: dict) -> list[list[str]]:
    upsert, writers, readers, etcd = run["upsert"], run["writers"], run["readers"], run["etcd"]
    ratio = upsert["median_ms"] / upsert["syncs_median_ms"]
    rows = [["upsert of 24 rows: its time over that of its own fsyncs alone", "≤ 3 ×", f"{ratio:.1f} ×", verdict(ratio <= 3)]]
    if etcd:
        over = etcd["median_ms"] / (3 * etcd["syncs_median_ms"] + 3 * etcd["round_trip_median_ms"])
        rows.append([
            "over etcd: its time over three times its own fsyncs and three round trips", "≤ 1 ×", f"{over:.2f} ×", verdict(over <= 1),
        ])
    many, disk = writers["many"] / writers["one"], writers["disk_many"] / writers["disk_one"]
    rows.append([
        f"{writers['writers']} writers on as many tables over one: commits a second (the disk alone: {disk:.1f} ×)", "≥ 4 ×, where the disk takes as much",
        f"{many:.1f} ×", verdict(many >= min(4, disk)),
    ])
    p99 = readers["beside"]["p99_ms"] / readers["alone"]["p99_ms"]
    rows.append(["a reader's p99 beside 20 commits a second, over that without", "≤ 1.5 ×", f"{p99:.2f} ×", verdict(p99 <= 1.5)])
    calls = readers["lock_calls"]
    rows.append(["lock calls of a reader", "0", "?" if calls is None else str(calls), verdict(None if calls is None else calls == 0)])
    few, most = sorted(run["scale"]["tables"].items(), key=lambda item: int(item[0]))
    opening = most[1]["median_ms"] / few[1]["median_ms"]
    rows.append([
        f"opening a store of {int(most[0]):,} tables and snapshots over one of {few[0]}", "≤ 3 ×", f"{opening:.2f} ×", verdict(opening <= 3),
    ])
    return rows


def long(run: dict | None) -> str:
    if run is None:
        return NOTHING
    machine, versions = run["machine"], run["versions"]
    upsert, writers, readers, etcd = run["upsert"], run["writers"], run["readers"], run["etcd"]
    peers = [["hypostyle, in Rust", f"{upsert['median_ms']:.1f}", "1.0 ×"]]
    peers += [
        [f"{name} {one['version']}, in Python", f"{one['median_ms']:.1f}", f"{one['median_ms'] / upsert['median_ms']:.1f} ×"]
        for name, one in run["peers"].items()
    ]
    said = [
        f"{versions['date']}: {machine['cores']} cores of {machine['cpu']}, {machine['kernel']}, {run['file_system']}, load"
        f" {machine['load']} a core at the start and {run['load_at_the_end']} at the end; rustc {versions['rustc']},"
        f" {versions['commit']}. {run['rows']:,} rows of {run['columns']} columns a table.",
        f"```\n{run['command']}\n```",
        table([["target", "wanted", "found", "met"], *targets(run)]),
        f"An upsert takes {upsert['median_ms']:.1f} ms, its own fsyncs alone {upsert['syncs_median_ms']:.1f} ms: a data file of"
        f" {upsert['bytes']['data']:,} bytes, its folder, a manifest of {upsert['bytes']['manifest']:,} bytes, its folder."
        f" One writer commits {writers['one']:.0f} times a second, {writers['writers']} commit {writers['many']:.0f} times; the disk"
        f" takes {writers['disk_one']:.0f} and {writers['disk_many']:.0f} commits' worth of files. A reader's p99 is"
        f" {readers['alone']['p99_ms']:.1f} ms alone and {readers['beside']['p99_ms']:.1f} ms beside"
        f" {readers['commits_per_second']:.0f} commits a second, of which it saw {readers['snapshots_seen']} snapshots; its median is"
        f" {readers['alone']['median_ms']:.1f} and {readers['beside']['median_ms']:.1f} ms. Beside a writer at `nice -n 19`, with"
        f" which it shares the processor less, its p99 is {readers['beside_yielding']['p99_ms']:.1f} ms.",
    ]
    if etcd:
        said.append(
            f"Over etcd, whose data lies on the same disk, an upsert takes {etcd['median_ms']:.1f} ms; its own fsyncs alone take"
            f" {etcd['syncs_median_ms']:.1f} ms, a round trip that only reads {etcd['round_trip_median_ms']:.2f} ms."
        )
    said.append(table([["the same upsert", "ms", "ratio"], *peers]))
    return "\n\n".join(said)


def table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def rendered() -> str:
    run = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else None
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{long(run)}\n{END}{after}"


def write() -> None:
    README.write_text(rendered(), encoding="utf-8")


def main() -> int:
    if "--render" in sys.argv:
        write()
        return 0
    if rendered() != README.read_text(encoding="utf-8"):
        print("error: benches/README.md is not what benches/results/writes.json gives; benches/writes/run --render", file=sys.stderr)
        return 1
    return 0
