#!/usr/bin/env python3
"""Times `hypostyle join` beside Polars and DuckDB on the same files, in one run, taking turns.

For the training join (all rows) and the inference join (the newest 24) of 20 tables, four columns each:

  hypostyle process   `hypostyle join ... -o FILE.arrow`, from its start to its end
  hypostyle join      what that process says the join itself took (`total_ms` of its stats)
  polars process      Python with Polars doing the same, from its start to the Arrow file
  polars query        the query alone in a warm Polars process, without start, import or file
  duckdb query        the same of DuckDB

A peer that can be asked in several ways is asked in all, and its fastest stands for it. That all
answers are equal is checked before anything is timed. `--write` puts the figures into
benches/results/whole-process.json and the table into benches/README.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

import compare
import hypostyle
import queries
import report
from tables import PROGRAMS, WRITERS, Shape, make

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("polars_process.py")
LAST = {"training": None, "inference": queries.LAST}


class Server:
    """A warm process of the peers, with the libraries imported."""

    def __init__(self) -> None:
        command = [sys.executable, PEER, "serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, query: str, way: queries.Way, paths: list[Path], columns: list[str]) -> float:
        """Milliseconds of one query."""
        request = {"query": query, "way": way.__name__, "paths": [str(p) for p in paths], "columns": columns}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"error: the process that runs {way.__name__} ended")
        return json.loads(answer)["ms"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypostyle", type=Path, default=ROOT / "target/release/hypostyle", help="the program")
    parser.add_argument("--dir", type=Path, default=ROOT / "target/peers", help="where the tables are made and kept")
    parser.add_argument("--out-dir", type=Path, default=Path("/dev/shm"), help="where the joined files go")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--writers", nargs="+", choices=WRITERS, default=[*PROGRAMS, "fixture-tuned"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="keep the figures in benches/")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    shape = Shape(args.tables, args.rows, args.columns)
    machine = report.machine()
    if machine["load"] > 0.2:
        print(f"warning: the machine is busy (load {machine['load']}); the figures will be worth little")
    files = make(shape, args.dir.resolve(), args.writers, args.hypostyle)
    scratch = Path(tempfile.mkdtemp(prefix="hypostyle-", dir=args.out_dir if args.out_dir.is_dir() else args.dir))
    results = []
    try:
        for writer, paths in files.items():
            for query in queries.WAYS:
                result = {"files": writer, "query": query, **measure(args, shape, query, paths, scratch / "joined.arrow")}
                print(report.line(result), flush=True)
                results.append(result)
    finally:
        shutil.rmtree(scratch)
    run = {
        "command": f"benches/peers/whole_process.py --tables {args.tables} --rows {args.rows}"
        f" --columns {args.columns} --writers {' '.join(args.writers)} --rounds {args.rounds}",
        "machine": machine,
        "versions": report.versions(args.hypostyle, ROOT),
        "results": results,
    }
    print("\n" + report.table(run))
    if args.write:
        report.keep(run, ROOT / "benches")


def measure(args: argparse.Namespace, shape: Shape, query: str, paths: list[Path], out: Path) -> dict:
    columns = shape.chosen()
    command = hypostyle.join_command(args.hypostyle, paths, columns, out, LAST[query], ("--stats", "--json"))
    rows = must_be_equal(command, query, paths, columns, out)

    servers = {peer: Server() for peer in queries.WAYS[query]}
    ways = {peer: fastest(servers[peer], query, peer, paths, columns) for peer in servers}
    peer_process = [sys.executable, PEER, query, ways["polars"].__name__, out, ",".join(columns), *paths]
    times: dict[str, list[float]] = {}

    def hypostyle_turn() -> None:
        wall, printed = timed(lambda: hypostyle.run(command), out)
        times.setdefault("hypostyle process", []).append(wall)
        times.setdefault("hypostyle join", []).append(hypostyle.stats(printed)["total_ms"])

    def polars_turn() -> None:
        wall, _ = timed(lambda: subprocess.run(peer_process, check=True), out)
        times.setdefault("polars process", []).append(wall)

    def server_turn(peer: str) -> None:
        times.setdefault(f"{peer} query", []).append(servers[peer].ask(query, ways[peer], paths, columns))

    turns = [hypostyle_turn, polars_turn, *(lambda peer=peer: server_turn(peer) for peer in servers)]
    for number in range(args.rounds):
        # Another one begins each round, so that no contender always follows the same.
        first = number % len(turns)
        for turn in turns[first:] + turns[:first]:
            turn()
    for server in servers.values():
        server.close()
    asked = {peer: way.__name__ for peer, way in ways.items()}
    figures = {name: {"median": statistics.median(ms), "min": min(ms), "ms": ms} for name, ms in times.items()}
    return {"rows": rows, "asked": asked, "figures": figures}


def must_be_equal(command: list[str], query: str, paths: list[Path], columns: list[str], out: Path) -> int:
    """Ends the run if the answers differ: there would be nothing to time. Also warms the page cache."""
    key = queries.KEY
    wanted = queries.expected(paths, columns, LAST[query]).to_arrow()
    hypostyle.run(command)
    with pa.memory_map(str(out)) as file:
        answers = {"hypostyle": pa.ipc.open_file(file).read_all()}
        for ways in queries.WAYS[query].values():
            # The peers may give the rows in any order, and call UTC by another name: the faster for them.
            answers |= {
                way.__name__: way(paths, columns).sort(key).to_arrow().cast(wanted.schema) for way in ways
            }
        for name, answer in answers.items():
            if fault := compare.difference(answer, wanted):
                raise SystemExit(f"error: the answer of {name} to the {query} query is another one: {fault}")
    return wanted.num_rows


def fastest(server: Server, query: str, peer: str, paths: list[Path], columns: list[str]) -> queries.Way:
    def median(way: queries.Way) -> float:
        return statistics.median([server.ask(query, way, paths, columns) for _ in range(5)])

    return min(queries.WAYS[query][peer], key=median)


def timed(work, out: Path) -> tuple[float, str]:
    """Milliseconds of `work`, which writes `out` anew, and what it gave."""
    out.unlink(missing_ok=True)
    start = time.perf_counter()
    value = work()
    ms = (time.perf_counter() - start) * 1e3
    if not out.stat().st_size:
        raise SystemExit(f"error: {out} is empty")
    return ms, value


if __name__ == "__main__":
    main()
