#!/usr/bin/env python3
"""Measures everything and writes it down; `run` makes the environment that this needs, and calls it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import callers
import figures
import in_process
import machine
import memory
import render
import ways
import whole_process
from setting import BENCHES, ROOT, Setting
from tables import PROGRAMS, WRITERS, Shape, make


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/peers/run", description="Times hypostyle beside its peers.")
    render.add_modes(parser)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--writers", nargs="+", choices=WRITERS, default=[*PROGRAMS, "fixture-tuned"])
    parser.add_argument("--rounds", type=int, default=100, help="of each query in one process")
    parser.add_argument("--processes", type=int, default=9, help="of each query as a whole process, and for memory")
    parser.add_argument("--trials", type=int, default=5, help="of each way to ask a peer")
    parser.add_argument("--seconds", type=float, default=10, help="for each number of callers at once")
    parser.add_argument("--dir", type=Path, default=ROOT / "target/peers", help="where the tables are made and kept")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.columns, args.rounds, args.processes, args.trials, args.seconds = 3_000, 24, 2, 1, 1, 0.2
    return args


def command(args: argparse.Namespace) -> str:
    said = ["benches/peers/run"] + ["--without-hypostyle"] * args.without_hypostyle
    for flag in ("tables", "rows", "columns", "writers", "rounds", "processes", "trials", "seconds"):
        value = getattr(args, flag)
        said += [f"--{flag}", *(value if isinstance(value, list) else [f"{value:g}" if flag == "seconds" else str(value)])]
    return " ".join(said)


def main() -> None:
    args = arguments()
    shape = Shape(args.tables, args.rows, args.columns)
    on = machine.machine()
    if on["load"] > 0.2 and not args.quick:
        print(f"warning: the machine is busy (load {on['load']}); the figures will be worth little")
    scratch = Path(tempfile.mkdtemp(prefix="hypostyle-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    setting = Setting(
        shape, args.rounds, args.processes, args.trials, args.seconds, len(os.sched_getaffinity(0)),
        not args.without_hypostyle, ROOT / "target/release/hypostyle",
        ROOT / "target/release/libhypostyle_limit.so", args.dir.resolve(), scratch,
    )
    try:
        sections = measured(setting, make(shape, setting.tables, args.writers, setting.program))
    finally:
        shutil.rmtree(scratch)
    run = {
        "command": command(args),
        "machine": on,
        "versions": machine.versions(setting.program),
        "shape": {"tables": args.tables, "rows": args.rows, "columns": args.columns, "taken_of_each": 4},
        **sections,
    }
    run = figures.rounded(run)
    if args.quick:
        # Whatever is said of a run must be sayable of this one.
        render.parts(run)
    else:
        (BENCHES / "results").mkdir(exist_ok=True)
        render.JSON.write_text(as_json(run), encoding="utf-8")
        render.write(json.loads(as_json(run)))
        print(f"written: {render.JSON.relative_to(ROOT)} and what is made of it")


def measured(setting: Setting, files: dict[str, list[Path]]) -> dict:
    found: dict[str, list] = {"in_process": [], "whole_process": [], "memory": [], "callers": []}
    for writer, paths in files.items():
        for query in ways.LAST:
            one = in_process.measure(setting, writer, query, paths)
            say(one)
            found["in_process"].append(one)
            fastest = {c["who"]: c["way"] for c in one["contenders"] if c["state"] == "files"}
            found["whole_process"].append(whole_process.measure(setting, writer, query, paths, fastest))
            say(found["whole_process"][-1])
            grown = memory.measure(setting, query, paths, fastest)
            head = {"files": writer, "query": query, "output_bytes": one["limit"]["output_bytes"]}
            found["memory"].append({**head, "contenders": grown})
            if setting.with_hypostyle:
                found["callers"].append(callers.measure(setting, writer, query, paths))
    return found


def say(result: dict) -> None:
    medians = ", ".join(f"{c['name']} {c['median']:.1f}" for c in result["contenders"])
    print(f"{result['files']}, {result['query']}, {result['rows']} rows, ms: {medians}", flush=True)


def as_json(run: dict) -> str:
    """A line for each contender, so that two runs can be compared line by line."""
    parts = []
    for name, part in run.items():
        if isinstance(part, list):
            part = "[\n" + ",\n".join(cell_as_json(cell) for cell in part) + "\n]"
        else:
            part = json.dumps(part)
        parts.append(f"{json.dumps(name)}: {part}")
    return "{" + ",\n".join(parts) + "}\n"


def cell_as_json(cell: dict) -> str:
    fields = []
    for name, value in cell.items():
        if isinstance(value, list):
            value = "[\n" + ",\n".join(json.dumps(each) for each in value) + "\n]"
        else:
            value = json.dumps(value)
        fields.append(f"{json.dumps(name)}: {value}")
    return "{" + ", ".join(fields) + "}"


if __name__ == "__main__":
    main()
