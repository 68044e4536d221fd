#!/usr/bin/env python3
"""Measures cold joins and writes them down; `run` makes the environment that this needs, and calls it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "peers"))

import answers
import figures
import machine
import program
import pyarrow as pa
import ways
from setting import BENCHES, ROOT
from tables import PROGRAMS, Shape, make

import needed
import text
from mount import Mount, read

RELEASE = ROOT / "target/release"
PEERS = {"Polars": ("Polars, in memory", "Polars, streaming"), "DuckDB": ("DuckDB",)}
#: Threads of a peer: those it takes by itself, and as many as hypostyle has requests in flight.
THREADS = (0, text.DEPTH)


@dataclass(frozen=True)
class Query:
    writer: str
    name: str
    folder: Path
    files: list[str]
    columns: list[str]
    wanted: pa.Table
    out: Path

    def paths(self, below: Path) -> list[Path]:
        return [below / name for name in self.files]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/cold/run", description="Times cold joins on a slow mount.")
    text.add_modes(parser)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--writers", nargs="+", default=[*PROGRAMS, "fixture-tuned"])
    parser.add_argument("--latencies", nargs="+", type=int, default=[1, 10, 30], help="milliseconds a request")
    parser.add_argument("--rounds", type=int, default=3, help="of hypostyle, each on a fresh mount; a peer has one")
    parser.add_argument("--dir", type=Path, default=ROOT / "target/peers", help="where the tables are made and kept")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.columns, args.latencies, args.rounds = 3_000, 24, [10], 1
    return args


def command(args: argparse.Namespace) -> str:
    said = ["benches/cold/run"]
    for flag in ("tables", "rows", "columns", "writers", "latencies", "rounds"):
        value = getattr(args, flag)
        said += [f"--{flag}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return " ".join(said)


def ours(query: Query, below: Path) -> float:
    """Milliseconds of the whole command, from its start to an Arrow file in memory."""
    last = ways.LAST[query.name]
    asked = program.join_command(RELEASE / "hypostyle", query.paths(below), query.columns, query.out, last)
    start = time.perf_counter()
    program.run(asked)
    ms = (time.perf_counter() - start) * 1e3
    answers.must_be(query.wanted, frame(query), "hypostyle", ordered=True)
    return ms


def theirs(query: Query, below: Path, who: str, way: str, threads: int) -> float:
    """Milliseconds of the query alone; the imports of the process are not counted."""
    paths = [str(path) for path in query.paths(below)]
    asked = {"query": query.name, "columns": query.columns, "paths": paths, "out": str(query.out)}
    asked |= {"who": who, "way": way, "threads": threads}
    environment = dict(os.environ, **({"POLARS_MAX_THREADS": str(threads)} if threads else {}))
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, str(HERE / "ask.py"), json.dumps(asked)], stdin=pipe, stdout=pipe, text=True, env=environment
    )
    expect(process, "idle", who)
    start = time.perf_counter()
    process.stdin.write("go\n")
    process.stdin.flush()
    expect(process, "done", who)
    ms = (time.perf_counter() - start) * 1e3
    if process.wait() != 0:
        raise SystemExit(f"error: the process of {who} failed")
    answers.must_be(query.wanted, frame(query), who)
    return ms


def expect(process: subprocess.Popen, word: str, who: str) -> None:
    if process.stdout.readline().strip() != word:
        raise SystemExit(f"error: the process of {who} failed")


def frame(query: Query) -> pa.Table:
    with pa.OSFile(str(query.out)) as file:
        return pa.ipc.open_file(file).read_all()


def cold(query: Query, latency: int, scratch: Path, ask) -> dict:
    mounted = Mount(RELEASE / "hypostyle-faultfs", query.folder, latency, scratch)
    with mounted as below:
        ms = ask(below)
    return {"ms": ms, "requests": len(mounted.requests), "bytes": read(mounted.requests)}


def ways_of(engines: tuple[str, ...], query: str) -> list[tuple[str, str, int]]:
    return [(who, way, THREADS[0]) for who in engines for way in ways.ways(who, query)]


def measured(query: Query, args: argparse.Namespace, scratch: Path) -> list[dict]:
    hot: list[float] = []
    least = needed.of_files(query.paths(query.folder), ["ts", *query.columns], ways.LAST[query.name])
    candidates = {peer: ways_of(engines, query.name) for peer, engines in PEERS.items()}
    if args.quick:
        candidates = {peer: found[:1] for peer, found in candidates.items()}
    cells = []
    for latency in args.latencies:
        rounds = []
        for _ in range(args.rounds):
            # In turn, so that both have the same machine.
            hot.append(ours(query, query.folder))
            rounds.append(cold(query, latency, scratch, lambda below: ours(query, below)))
        middle = sorted(rounds, key=lambda one: one["ms"])[len(rounds) // 2]
        one = {"files": query.writer, "query": query.name, "latency_ms": latency, "needed": least}
        one["contenders"] = [{"name": "hypostyle", **middle, "rounds_ms": [each["ms"] for each in rounds]}]
        for peer, asked in candidates.items():
            tried = [(cold(query, latency, scratch, lambda below: theirs(query, below, *how)), how) for how in asked]
            best, (who, way, threads) = min(tried, key=lambda each: each[0]["ms"])
            one["contenders"].append({"name": peer, "way": f"{who}: {way}", "threads": threads, **best})
            # All ways at the first latency, the quickest of them with more threads at the second, the winner at others.
            more = latency == args.latencies[0]
            candidates[peer] = [(who, way, each) for each in (THREADS if more else (threads,))]
        one["hot_ms"] = statistics.median(hot[-args.rounds :])
        said = ", ".join(f"{c['name']} {c['ms']:.0f} ({c['requests']} requests)" for c in one["contenders"])
        print(f"{query.writer}, {query.name}, {latency} ms a request: ms: {said}", flush=True)
        cells.append(one)
    return cells


def main() -> None:
    args = arguments()
    shape = Shape(args.tables, args.rows, args.columns)
    on = machine.machine()
    scratch = Path(tempfile.mkdtemp(prefix="hypostyle-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    cells = []
    try:
        for writer, paths in make(shape, args.dir.resolve(), args.writers, RELEASE / "hypostyle").items():
            folder = Path(os.path.commonpath([path.parent for path in paths])).resolve()
            files = [str(path.resolve().relative_to(folder)) for path in paths]
            for name in ways.LAST:
                wanted = answers.expected(paths, shape.chosen(), name)
                query = Query(writer, name, folder, files, shape.chosen(), wanted, scratch / "joined.arrow")
                cells += measured(query, args, scratch)
    finally:
        shutil.rmtree(scratch)
    sizes = {"tables": args.tables, "rows": args.rows, "columns": args.columns, "taken_of_each": 4}
    run = figures.rounded({
        "command": command(args),
        "machine": on,
        "versions": machine.versions(RELEASE / "hypostyle"),
        "shape": sizes,
        "cells": cells,
    })
    if args.quick:
        # Whatever is said of a run must be sayable of this one.
        text.parts(run)
        print(f"{len(cells)} cells; all answers are equal")
        return
    lines = ",\n".join(json.dumps(cell) for cell in run.pop("cells"))
    head = ",\n".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in run.items())
    text.JSON.write_text(f'{{{head},\n"cells": [\n{lines}\n]}}\n', encoding="utf-8")
    text.write(json.loads(text.JSON.read_text(encoding="utf-8")))
    print(f"written: {text.JSON.relative_to(ROOT)} and what is made of it")


if __name__ == "__main__":
    main()
