#!/usr/bin/env python3
"""Makes the tables, asks each curve's joins in a process of its own, and writes it down; `run` calls it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

import curves
import environment
import kept
import machine
from curves import CURVES, QUERIES, Curve, Point
from setting import ROOT


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/growth/run", description="How the cost of a join grows.")
    kept.add_modes(parser)
    parser.add_argument("--curves", nargs="+", choices=[curve.name for curve in CURVES], help="some of them; writes nothing")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contender at each point")
    parser.add_argument("--longest", type=float, default=3, help="seconds of a call after which its contender asks no more")
    parser.add_argument("--dir", type=Path, help="where the tables are made and stay; else they are removed afterwards")
    parser.add_argument("--as-installed", action="store_true", help="build nothing; take the package that is installed")
    args = parser.parse_args()
    if args.quick:
        args.seconds = 0
    return args


def main() -> None:
    args = arguments()
    on = machine.machine()
    if on["load"] > 0.2 and not args.quick:
        print(f"warning: the machine is busy (load {on['load']}); the figures will be worth little")
    (ROOT / "target").mkdir(exist_ok=True)
    root = (args.dir or Path(tempfile.mkdtemp(prefix="growth-", dir=ROOT / "target"))).resolve()
    try:
        found = [measured(curve, args, root) for curve in CURVES if args.curves is None or curve.name in args.curves]
    finally:
        if args.dir is None:
            shutil.rmtree(root)
    run = {
        "command": f"benches/growth/run --seconds {args.seconds:g} --longest {args.longest:g}",
        "minutes": round(sum(curve.pop("seconds") for curve in found) / 60, 1),
        "machine": on,
        "versions": machine.versions(environment.PROGRAM),
        "base": curves.as_json(Point()),
        "curves": found,
    }
    if args.quick or args.curves:
        # Whatever is said of a run must be sayable of this one.
        kept.parts(run)
    else:
        kept.write(run)
        print(f"written: {kept.JSON.relative_to(ROOT)} and what is made of it, after {run['minutes']} minutes of joins")


def measured(curve: Curve, args: argparse.Namespace, root: Path) -> dict:
    began = time.monotonic()
    points = curve.points(args.quick)
    of_tables = max(point.tables for point in points)
    paths = [curves.files(root, point, environment.PROGRAM, of_tables) for point in points]
    # A file that was written a moment ago is not kept open.
    time.sleep(max(0.0, 1.1 - (time.time() - max(path.stat().st_mtime for of in paths for path in of))))
    made = time.monotonic()
    if curve.name == "threads":
        # Polars is told by its environment how many threads to have, for the life of a process.
        parts = [asked(curve, [point], [of], args) for point, of in zip(points, paths)]
    else:
        parts = [asked(curve, points, paths, args)]
    series = in_series([one for part in parts for one in part])
    print(f"{curve.name}: files {made - began:.0f} s, joins {time.monotonic() - made:.0f} s", flush=True)
    for one in series:
        said = ", ".join(f"{point['at']}: {point['median']:.2f}" for point in one["points"])
        print(f"  {one['query']}, {one['name']}, ms: {said}", flush=True)
    fixed = {name: value for name, value in curves.as_json(points[0]).items() if name not in (curve.name, "groups", "callers")}
    return {
        "name": curve.name,
        "what": curve.what,
        "base": fixed,
        "values": [getattr(point, curve.name) for point in points],
        "seconds": time.monotonic() - made,
        "series": series,
    }


def asked(curve: Curve, points: list[Point], paths: list[list[Path]], args: argparse.Namespace) -> list[dict]:
    question = {
        "limits": {"seconds": args.seconds, "longest": args.longest, "check": args.quick},
        "queries": QUERIES,
        "points": [
            {"at": getattr(point, curve.name), "point": curves.as_json(point), "paths": [str(path) for path in of]}
            for point, of in zip(points, paths)
        ],
    }
    threads = points[0].threads
    env = os.environ if threads is None else {**os.environ, "POLARS_MAX_THREADS": str(threads)}
    command = [sys.executable, HERE / "asked.py"]
    done = subprocess.run(command, input=json.dumps(question), stdout=subprocess.PIPE, text=True, env=env)
    if done.returncode != 0:
        raise SystemExit(f"error: the joins of `{curve.name}` ended with {done.returncode}")
    return json.loads(done.stdout)


def in_series(answers: list[dict]) -> list[dict]:
    """The points of each contender, in the order in which they were asked."""
    series: dict[tuple[str, str], list[dict]] = {}
    for one in answers:
        series.setdefault((one.pop("query"), one.pop("name")), []).append(one)
    ordered = sorted(series, key=lambda key: QUERIES.index(key[0]))
    return [{"query": query, "name": name, "points": series[query, name]} for query, name in ordered]


if __name__ == "__main__":
    main()
