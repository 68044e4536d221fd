#!/usr/bin/env python3
"""Measures commits and writes them down; `run` makes the environment that this needs, and calls it."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

import text
from machine import machine
from setting import ROOT

PROGRAM = ROOT / "target/release/hypostyle-writes"
WRITERS = 8
RATE = 20
#: How long processes warm up before what they do counts, in seconds.
WARM = 1.5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/writes/run", description="Times commits of a managed store.")
    text.add_modes(parser)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=40, help="of an upsert")
    parser.add_argument("--seconds", type=float, default=4.0, help="of what goes on beside something else")
    parser.add_argument("--repeats", type=int, default=3, help="of these, one in turn with the other")
    parser.add_argument("--many", type=int, default=10_000, help="tables, and commits, of a large store")
    parser.add_argument("--dir", type=Path, default=ROOT / "target/writes", help="on the disk that is measured")
    parser.add_argument("--without-peers", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.columns, args.rounds, args.seconds, args.repeats, args.many = 9_000, 12, 4, 0.7, 1, 200
    return args


def command(args: argparse.Namespace) -> str:
    said = ["benches/writes/run"]
    for flag in ("rows", "columns", "rounds", "seconds", "repeats", "many"):
        said += [f"--{flag}", str(getattr(args, flag))]
    return " ".join(said)


def run(*words: object) -> dict:
    return json.loads(subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True).stdout)


def at_once(calls: list[tuple[object, ...]], before: tuple[str, ...] = ()) -> list[dict]:
    """Run several processes at the same time; `before` stands before all commands but the first."""
    starts = [(), *(before for _ in calls[1:])]
    started = [
        subprocess.Popen([*start, PROGRAM, *map(str, call)], stdout=subprocess.PIPE)
        for start, call in zip(starts, calls, strict=True)
    ]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process failed")
    return [json.loads(one) for one in said]


def soon() -> float:
    return time.time() + WARM


def percentile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def upsert(root: Path, rounds: int) -> dict:
    said = run("upsert", root, "t0", rounds)
    ratios = [commit / syncs for commit, syncs in zip(said["commits_ms"], said["syncs_ms"], strict=True)]
    return {
        **said,
        "median_ms": statistics.median(said["commits_ms"]),
        "syncs_median_ms": statistics.median(said["syncs_ms"]),
        "ratios_median": statistics.median(ratios),
    }


def writers(root: Path, args: argparse.Namespace) -> dict:
    """Commits a second of one and of eight writers, and what the disk itself takes from one and eight streams."""

    def rate(count: int) -> float:
        start = soon()
        said = at_once([("write", root, f"t{at}", start, args.seconds, 0) for at in range(count)])
        return sum(len(one["commits_ms"]) for one in said) / args.seconds

    def disk(count: int) -> float:
        return run("streams", root.parent / "streams", count, args.seconds / 2)["per_second"]

    found = [{"one": rate(1), "many": rate(WRITERS), "disk_one": disk(1), "disk_many": disk(WRITERS)} for _ in range(args.repeats)]
    median = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return {**median, "runs": found, "writers": WRITERS}


def readers(root: Path, args: argparse.Namespace) -> dict:
    """A reader's times alone, and beside a process that commits 20 times a second."""
    alone: list[float] = []
    beside: list[float] = []
    yielding: list[float] = []
    snapshots, commits = 0, 0
    for _ in range(args.repeats):
        start = soon()
        alone += run("read", root, WRITERS, start, args.seconds)["joins_ms"]
        for times, before in ((yielding, ("nice", "-n", "19")), (beside, ())):
            start = soon()
            said = at_once(
                [("read", root, WRITERS, start, args.seconds), ("write", root, "t0", start, args.seconds, RATE)], before
            )
            times += said[0]["joins_ms"]
        snapshots += said[0]["snapshots"]
        commits += len(said[1]["commits_ms"])
    figures = {"snapshots_seen": snapshots, "commits_per_second": commits / args.seconds / args.repeats}
    for name, times in (("alone", alone), ("beside", beside), ("beside_yielding", yielding)):
        figures[name] = {"joins": len(times), "median_ms": statistics.median(times), "p99_ms": percentile(times, 0.99), "all_ms": times}
    return {**figures, "lock_calls": lock_calls(root)}


def lock_calls(root: Path) -> int | None:
    """Calls by which a reader could lock a file, or look at the locks of others; none where strace is missing."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile("r") as log:
        calls = "trace=flock,fcntl,openat,open"
        subprocess.run(["strace", "-f", "-o", log.name, "-e", calls, PROGRAM, "read", root, str(WRITERS), str(time.time()), "0.5"],
                       check=True, capture_output=True)
        lines = log.read().splitlines()
    # That it saw the reader's own calls at all.
    assert any(".parquet" in line for line in lines), "strace saw nothing"
    return sum(bool(re.search(r" flock\(|F_(OFD_)?SETLK|_hypostyle/locks", line)) for line in lines)


@contextmanager
def etcd(folder: Path) -> Iterator[str | None]:
    """One member, whose data is on the same disk."""
    program = shutil.which("etcd") or shutil.which("etcd", path=ROOT / "target/tools/etcd/usr/bin")
    if not program:
        yield None
        return
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        client, peer = (f"http://127.0.0.1:{of.getsockname()[1]}" for of in (one, other))
    words = ["--data-dir", str(folder), "--listen-client-urls", client, "--advertise-client-urls", client]
    words += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    process = subprocess.Popen([program, *words, "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield client.removeprefix("http://")
    finally:
        process.kill()
        process.wait()


def over_etcd(folder: Path, args: argparse.Namespace) -> dict | None:
    with etcd(folder / "etcd") as address:
        if address is None:
            return None
        root = folder / "over-etcd"
        until = time.time() + 20
        while subprocess.run([PROGRAM, "make", root, f"etcd://{address}", "1", str(args.rows), str(args.columns)], capture_output=True).returncode:
            if time.time() > until:
                raise SystemExit("no store can be made over etcd")
            time.sleep(0.3)
        figures = upsert(root, args.rounds)
        trips = run("round_trips", root, args.rounds)["ms"]
        return {**figures, "round_trip_median_ms": statistics.median(trips), "round_trips_ms": trips}


def scale(folder: Path, args: argparse.Namespace) -> dict:
    """Opening stores of 10 and of very many tables, each made by a commit of its own. In memory, where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else folder) as below:
        roots = {str(count): Path(below, str(count)) for count in (10, args.many)}
        for count, root in roots.items():
            run("make", root, "local", count, 1, 1)
        found: dict[str, list[float]] = {count: [] for count in roots}
        for _ in range(5):
            for count, root in roots.items():
                found[count] += run("open", root, "t7", 40)["ms"]
        sizes = {count: len((root / f"_hypostyle/snapshots/{int(count):020}.manifest").read_bytes()) for count, root in roots.items()}
    return {"tables": {count: {"median_ms": statistics.median(times), "manifest_bytes": sizes[count]} for count, times in found.items()}}


def peers(folder: Path, args: argparse.Namespace) -> dict:
    """The same upsert by others, as their manuals say: 24 rows by key into a table that has them."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    def rows(start: int, stop: int, seed: int) -> pa.Table:
        random = np.random.default_rng(seed)
        hours = np.arange(start, stop, dtype="i8") * 3_600_000_000
        columns = {f"f{at:03}": np.round(random.normal(100, 30, stop - start), 2) for at in range(args.columns)}
        return pa.table({"ts": pa.array(hours, pa.timestamp("us")), **columns})

    def delta() -> Callable[[int], None]:
        import deltalake

        where = str(folder / "delta")
        deltalake.write_deltalake(where, rows(0, args.rows, 0))

        def once(seed: int) -> None:
            table = deltalake.DeltaTable(where)
            merge = table.merge(rows(args.rows - 24, args.rows, seed), "target.ts = source.ts", source_alias="source", target_alias="target")
            merge.when_matched_update_all().when_not_matched_insert_all().execute()

        return once

    def arctic() -> Callable[[int], None]:
        import arcticdb

        library = arcticdb.Arctic(f"lmdb://{folder / 'arctic'}").create_library("features")

        def frame(start: int, stop: int, seed: int) -> pd.DataFrame:
            return rows(start, stop, seed).to_pandas().set_index("ts")

        library.write("t0", frame(0, args.rows, 0))
        return lambda seed: library.update("t0", frame(args.rows - 24, args.rows, seed))

    found = {}
    for name, package, make in (("delta-rs", "deltalake", delta), ("ArcticDB", "arcticdb", arctic)):
        once = make()
        times = []
        for seed in range(args.rounds // 2 + 1):
            begun = time.perf_counter()
            once(seed + 1)
            times.append((time.perf_counter() - begun) * 1e3)
        found[name] = {"version": version(package), "median_ms": statistics.median(times[1:]), "all_ms": times[1:]}
    return found


def main() -> None:
    args = arguments()
    args.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=args.dir))
    try:
        root = folder / "store"
        result = {"command": command(args), "machine": machine(), "versions": versions(), "rows": args.rows, "columns": args.columns}
        result["file_system"] = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
        run("make", root, "local", WRITERS, args.rows, args.columns)
        for name, measure in (
            ("upsert", lambda: upsert(root, args.rounds)),
            ("writers", lambda: writers(root, args)),
            ("readers", lambda: readers(root, args)),
            ("etcd", lambda: over_etcd(folder, args)),
            ("peers", lambda: {} if args.without_peers else peers(folder, args)),
            ("scale", lambda: scale(folder, args)),
        ):
            print(f"{name} …", file=sys.stderr, flush=True)
            result[name] = measure()
        result["load_at_the_end"] = round(os.getloadavg()[0] / os.cpu_count(), 2)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(text.table([["target", "wanted", "found", "met"], *text.targets(result)]))
    if result["readers"]["lock_calls"]:
        raise SystemExit("a reader made a lock call")
    if not args.quick:
        text.JSON.write_text(kept(result), encoding="utf-8")
        text.write()


def kept(result: dict) -> str:
    """Times to the microsecond, a list on one line."""
    text_of = json.dumps(json.loads(json.dumps(result), parse_float=lambda number: round(float(number), 3)), indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found.group()), text_of) + "\n"


def versions() -> dict:
    def said(*words: str) -> str:
        return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()

    return {
        "commit": said("git", "describe", "--always", "--dirty", "--exclude", "*"),
        "rustc": said("rustc", "--version").split()[1],
        "date": date.today().isoformat(),
    }


if __name__ == "__main__":
    main()
