"""All in one process, in turn: one query on the files of one writer, asked of the package, its peers and the limit.

In each round everybody is asked once for the same columns, in an order drawn by lot, and the next round asks
for others. The time is from the call to the frame; a frame is dropped before the next call, outside of it.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import pyarrow.parquet as pq

import answers
import figures
import ways
from limit import Limit
from setting import Setting
from ways import KEY

WARM_UP = 2
#: The turns whose answers are compared to the bit, so that nobody is right only the first time.
CHECKED = (0, 1)


@dataclass
class Contender:
    """`ask` takes the columns wanted and gives the frame; `facts` say who and how, for the JSON."""

    name: str
    ask: Callable
    facts: dict
    ms: list[float] = field(default_factory=list)
    library_ms: list[float] = field(default_factory=list)

    def result(self) -> dict:
        result = {"name": self.name, **self.facts, **figures.of(self.ms)}
        if self.library_ms:
            result["library"] = figures.of(self.library_ms)
        return result


def measure(setting: Setting, writer: str, query: str, paths: list[Path]) -> dict:
    right = {turn: answers.expected(paths, setting.shape.chosen(turn), query) for turn in CHECKED}
    rows = right[0].num_rows
    limit = Limit(setting.limit, paths, ways.LAST[query], right[0].nbytes, setting.threads)
    tried: list[dict] = []
    contenders = []
    if setting.with_hypostyle:
        contenders += ours(setting, query, paths, right)
    contenders += the_peers(setting, query, paths, right, tried)
    contenders += the_limit(limit)
    rounds(setting, contenders, limit, rows)
    limit.close()
    return {
        "files": writer,
        "query": query,
        "rows": rows,
        "limit": limit.described(),
        "contenders": [contender.result() for contender in contenders],
        "tried": tried,
    }


def ours(setting: Setting, query: str, paths: list[Path], right: dict) -> list[Contender]:
    from ways.in_hypostyle import INTO, Asked

    made = []
    for state in ("warm", "first"):
        for into in INTO:
            # A store for each: one that had just been asked for these columns would not be asked for others.
            ask = Asked(paths, ways.LAST[query], into, first=state == "first")
            name = f"hypostyle, {state}, {into}"
            for turn in CHECKED:
                answers.must_be(right[turn], ask(setting.shape.chosen(turn)), name, ordered=True)
            made.append(Contender(name, ask, {"who": "hypostyle", "state": state, "into": into}))
    return made


def the_peers(setting: Setting, query: str, paths: list[Path], right: dict, tried: list[dict]) -> list[Contender]:
    made = []
    held = in_memory(setting, paths)
    for state in ("files", "decoded"):
        for peer in ways.MODULES:
            module = ways.module(peer)
            tables = module.files(paths) if state == "files" else module.decoded(held)
            asked = ways.ways(peer, query)
            trials = [{"who": peer, "state": state, **trial(setting, right, tables, way)} for way in asked.values()]
            tried += trials
            best = min(trials, key=lambda trial: trial["median"])
            ask = asked[best["way"]]
            facts = {key: best[key] for key in ("who", "state", "way", "in_order")}
            name = peer if state == "files" else f"{peer}, decoded in RAM beforehand"
            made.append(Contender(name, lambda columns, ask=ask, tables=tables: ask(tables, columns), facts))
    return made


def trial(setting: Setting, right: dict, tables, way: Callable) -> dict:
    """Is its answer right, and how long does it take?"""
    in_order = True
    for turn in CHECKED:
        in_order &= answers.must_be(right[turn], way(tables, setting.shape.chosen(turn)), f"{way}")
    ms = [timed(lambda: way(tables, setting.shape.chosen(turn)))[0] for turn in range(setting.trials)]
    return {"way": way.__name__, "in_order": in_order, "median": statistics.median(ms), "ms": ms}


def in_memory(setting: Setting, paths: list[Path]) -> dict:
    """Every column that some round asks for, as Arrow tables."""
    turns = range(max(WARM_UP + setting.rounds, setting.trials, 2))
    columns = sorted({column for turn in turns for column in setting.shape.chosen(turn)})
    return {path.stem: pq.read_table(path, columns=[KEY, *columns]) for path in paths}


def the_limit(limit: Limit) -> list[Contender]:
    zstd_and_copy = Contender("limit", lambda columns: limit.run(columns, True), {"who": "limit", "state": "zstd and copy"})
    zstd = Contender("zstd alone", lambda columns: limit.run(columns, False), {"who": "limit", "state": "zstd"})
    return [zstd_and_copy, zstd]


def rounds(setting: Setting, contenders: list[Contender], limit: Limit, rows: int) -> None:
    lot = random.Random(1)
    for number in range(WARM_UP + setting.rounds):
        columns = setting.shape.chosen(number)
        limit.prepare(columns)
        for contender in lot.sample(contenders, len(contenders)):
            ms, got = timed(lambda: contender.ask(columns))
            if (release := getattr(contender.ask, "release", None)) is not None:
                release()
            if got is not None and got != rows:
                raise SystemExit(f"error: {contender.name} gave {got} rows of {rows} in round {number}")
            if number >= WARM_UP:
                contender.ms.append(ms)
                if (library_ms := getattr(contender.ask, "library_ms", None)) is not None:
                    contender.library_ms.append(library_ms)


def timed(ask: Callable) -> tuple[float, int | None]:
    """Milliseconds, and the rows of the frame, which is dropped before this returns."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    frame = ask()
    ms = (time.perf_counter() - start) * 1e3
    gc.enable()
    return ms, None if frame is None else len(frame)
