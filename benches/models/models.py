#!/usr/bin/env python3
"""Measures models and writes that down; `run` makes the environment that this needs, and calls it."""

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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers"), str(HERE.parent / "cold")]

import figures
import machine
import numpy as np
import said
from mount import Mount
from setting import ROOT

import hypostyle as hs

RELEASE = ROOT / "target/release"
#: Threads that write plain files side by side, and that ask for pairs.
WRITERS, CALLERS = 32, 8
LATENCY_MS = 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/models/run", description="Times models beside plain files.")
    said.add_modes(parser)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, default=ROOT / "target/models", help="where the store and the files are made")
    args = parser.parse_args()
    if args.quick:
        args.models, args.pairs, args.rows, args.rounds = 300, 40, 2_000, 1
    return args


def command(args: argparse.Namespace) -> str:
    return " ".join(["benches/models/run", *(f"--{flag} {getattr(args, flag)}" for flag in said.FLAGS)])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(rounds: list[float]) -> dict:
    return {"seconds": statistics.median(rounds), "rounds": rounds}


# Plain files


def write_synced(path: Path, blob: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(blob)
        os.fsync(file.fileno())


def write_all(folder: Path, blobs: dict[str, bytes]) -> None:
    folder.mkdir()
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(lambda name: write_synced(folder / name, blobs[name]), blobs):
            pass
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def read_all(folder: Path, names: list[str]) -> int:
    read = 0
    for name in names:
        with open(folder / name, "rb", buffering=0) as file:
            read += len(file.read())
    return read


# The store


def get_all(store: hs.Store, names: list[str], **options: object) -> int:
    return sum(blob.nbytes for _, blob in store.models.get_many(names, **options))


def get_each(store: hs.Store, names: list[str]) -> int:
    at = store.at()
    return sum(at.models.get(name).nbytes for name in names)


def fresh(root: Path, work: Callable[[hs.Store], int]) -> int:
    with hs.open(root) as store:
        return work(store)


def check(args: argparse.Namespace, read: int) -> None:
    if read != args.models * args.bytes:
        raise SystemExit(f"error: {read} bytes were read of {args.models} × {args.bytes}")


def put(args: argparse.Namespace, blobs: dict[str, bytes], scratch: Path) -> dict:
    ours, plain = [], []
    for step in range(args.rounds):
        # In turn, so that both have the same disk, which is to be idle before.
        os.sync()
        plain.append(seconds(lambda: write_all(scratch / f"plain-{step}", blobs)))
        root = scratch / f"store-{step}"
        root.mkdir()
        with hs.init(root) as store:
            os.sync()
            ours.append(seconds(lambda: store.models.put_many(blobs)))
        if step < args.rounds - 1:
            shutil.rmtree(scratch / f"plain-{step}")
            shutil.rmtree(root)
    return {"ours": median(ours), "plain": median(plain), "writers": WRITERS}


def cached(args: argparse.Namespace, names: list[str], root: Path, plain: Path) -> dict:
    rounds: dict[str, list[float]] = {"plain": [], "many": [], "each": [], "unverified": []}
    ways: dict[str, Callable[[], int]] = {
        "plain": lambda: read_all(plain, names),
        "many": lambda: fresh(root, lambda store: get_all(store, names)),
        "each": lambda: fresh(root, lambda store: get_each(store, names)),
        "unverified": lambda: fresh(root, lambda store: get_all(store, names, verify=False)),
    }
    for step in range(args.rounds + 1):
        for name, way in ways.items():
            took = seconds(lambda way=way: check(args, way()))
            # The first brings all to the page cache.
            if step:
                rounds[name].append(took)
    return {name: median(times) for name, times in rounds.items()}


def slow(args: argparse.Namespace, names: list[str], root: Path, plain: Path, scratch: Path) -> dict:
    cells = {}
    for what, folder, way in (
        ("plain", plain, lambda below: read_all(below, names)),
        ("many", root, lambda below: fresh(below, lambda store: get_all(store, names))),
    ):
        mounted = Mount(RELEASE / "hypostyle-faultfs", folder, LATENCY_MS, scratch)
        with mounted as below:
            took = seconds(lambda way=way, below=below: check(args, way(below)))
        cells[what] = {"seconds": took, "requests": len(mounted.requests)}
    return {"latency_ms": LATENCY_MS, **cells}


def pairs(args: argparse.Namespace, blobs: dict[str, bytes], scratch: Path) -> dict:
    root = scratch / "pairs"
    root.mkdir()
    ts = np.datetime64("2017-01-01", "us") + np.arange(args.rows) * np.timedelta64(1, "h")
    random = np.random.default_rng(11)
    tables = [f"t{number:02}" for number in range(20)]
    columns = [f"c{number}" for number in range(4)]
    with hs.init(root) as store:
        for table in tables:
            # Like readings, of which many repeat.
            values = {column: np.round(random.normal(0, 30, args.rows), 1) for column in columns}
            store.write(table, {"ts": ts, **values}, key="ts")
        names = list(blobs)[: args.pairs]
        features = [f"{table}:{column}" for table in tables for column in columns]
        store.models.put_many({name: blobs[name] for name in names}, features=features)
    asked = {"root": None, "names": names, "features": features, "callers": CALLERS}
    mounted = Mount(RELEASE / "hypostyle-faultfs", root, LATENCY_MS, scratch)
    with mounted as below:
        through = ask({**asked, "root": str(below)})
    local = ask({**asked, "root": str(root)})
    requests = len(mounted.requests)
    return {"pairs": len(names), "callers": CALLERS, "requests": requests, "mount": through, "local": local}


def ask(asked: dict) -> dict:
    """Pairs a second in a process that knows nothing yet, and again in the same one."""
    done = subprocess.run(
        [sys.executable, str(HERE / "pairs.py")], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: {done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    args = arguments()
    on = machine.machine()
    args.dir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="models-", dir=args.dir))
    random = np.random.default_rng(5)
    blobs = {f"node-{number}": random.bytes(args.bytes) for number in range(args.models)}
    names = list(blobs)
    try:
        stored = put(args, blobs, scratch)
        print(f"put: {stored}", flush=True)
        root, plain = scratch / f"store-{args.rounds - 1}", scratch / f"plain-{args.rounds - 1}"
        with hs.open(root) as store:
            for name, blob in store.models.get_many(names):
                if blob != blobs[name]:
                    raise SystemExit(f"error: {name} is not what was put")
        hot = cached(args, names, root, plain)
        print(f"cached: {hot}", flush=True)
        late = slow(args, names, root, plain, scratch)
        print(f"slow: {late}", flush=True)
        both = pairs(args, blobs, scratch)
        print(f"pairs: {both}", flush=True)
    finally:
        shutil.rmtree(scratch)
    run = figures.rounded({
        "command": command(args),
        "machine": on,
        "versions": machine.versions(RELEASE / "hypostyle"),
        "shape": {"models": args.models, "bytes": args.bytes, "rows": args.rows},
        "put": stored,
        "cached": hot,
        "slow": late,
        "pairs": both,
    })
    if args.quick:
        # Whatever is said of a run must be sayable of this one.
        said.parts(run)
        print("all that was read is what was put")
        return
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in run.items())
    said.JSON.write_text(f"{{{lines}}}\n", encoding="utf-8")
    said.write(json.loads(said.JSON.read_text(encoding="utf-8")))
    print(f"written: {said.JSON.relative_to(ROOT)} and what is made of it")


if __name__ == "__main__":
    main()
