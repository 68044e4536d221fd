"""The same queries as whole processes, from the start to an uncompressed Arrow file in memory, taking turns.

`hypostyle join` against Python scripts of the peers, each in the way that was its fastest; of a script a good
part is Python and its imports, so this says what a shell user sees, and little of the peer as an engine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import polars as pl
import pyarrow as pa

import answers
import figures
import program
import ways
from setting import Setting

SCRIPT = Path(__file__).with_name("one_query.py")


def measure(setting: Setting, writer: str, query: str, paths: list[Path], fastest: dict[str, str]) -> dict:
    columns, out = setting.shape.chosen(), setting.scratch / "joined.arrow"
    wanted = answers.expected(paths, columns, query)
    ours = program.join_command(setting.program, paths, columns, out, ways.LAST[query], ("--stats", "--json"))
    asked = {"query": query, "columns": columns, "paths": [str(p) for p in paths], "out": str(out)}
    turns: dict[str, Callable[[], str]] = {"hypostyle": lambda: program.run(ours)}
    for peer, way in fastest.items():
        script = [sys.executable, str(SCRIPT), json.dumps({**asked, "who": peer, "way": way})]
        turns[peer] = lambda script=script: program.run(script)

    for name, turn in turns.items():
        timed(turn, out)
        answers.must_be(wanted, read(out), f"the process of {name}", ordered=name == "hypostyle")
    ms: dict[str, list[float]] = {name: [] for name in turns}
    library_ms = []
    names = list(turns)
    for number in range(setting.processes):
        # Another one begins each round, so that no contender always follows the same.
        first = number % len(names)
        for name in names[first:] + names[:first]:
            took, printed = timed(turns[name], out)
            ms[name].append(took)
            if name == "hypostyle":
                library_ms.append(program.stats(printed)["total_ms"])
    out.unlink()
    contenders = [{"name": name, "who": name, "way": fastest.get(name), **figures.of(ms[name])} for name in names]
    contenders[0]["library"] = figures.of(library_ms)
    return {"files": writer, "query": query, "rows": wanted.num_rows, "contenders": contenders}


def read(out: Path) -> pl.DataFrame | pa.Table:
    with pa.OSFile(str(out)) as file:
        return pa.ipc.open_file(file).read_all()


def timed(turn: Callable[[], str], out: Path) -> tuple[float, str]:
    """Milliseconds of a process that writes `out` anew, and what it printed."""
    out.unlink(missing_ok=True)
    start = time.perf_counter()
    printed = turn()
    ms = (time.perf_counter() - start) * 1e3
    if not out.stat().st_size:
        raise SystemExit(f"error: {out} is empty")
    return ms, printed
