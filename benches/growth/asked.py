#!/usr/bin/env python3
"""The joins of one curve, asked of hypostyle and its peers in one process; the answer is JSON on stdout.

At each point everybody is asked in turn, in an order drawn by lot, for other columns each round, until there are
enough rounds or the time is up. A peer can be asked in several ways (`../peers/ways`): all are tried at each point,
and it goes on with the fastest. Who takes too long at a point is not asked at the next ones.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import answers
import callers
import figures
import ways
from curves import Point
from in_process import timed
from ways import in_duckdb, in_polars
from ways.in_hypostyle import Asked

ROUNDS, FEWEST = 9, 3
#: A way of a peer that is this slow at its first try, in milliseconds, is not tried again before the choice.
SLOW = 300
#: A way that is slow, and took so many times as long as the fastest at a point, is not tried at the next ones.
FAR = 1.5


@dataclass
class Limits:
    #: For each contender at each point.
    seconds: float
    #: A call that takes longer, in seconds, is the last of its contender on the curve.
    longest: float
    #: Answers are compared to the bit.
    check: bool


@dataclass
class Contender:
    name: str
    #: The ways to ask it at a point: name → a function of the columns wanted that gives the frame.
    ways: Callable[[Point, list[Path], str], dict[str, Callable]]
    stopped: set[str] = field(default_factory=set)
    #: Ways of a query that have fallen behind.
    left: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Chosen:
    """The fastest way of a contender at a point."""

    way: str
    ask: Callable
    #: How long it took when it was tried, in milliseconds.
    tried: float


def hypostyle(first: bool) -> Callable:
    def at(point: Point, paths: list[Path], query: str) -> dict[str, Callable]:
        make = lambda: Asked(paths, ways.LAST[query], "Polars", first=first, threads=point.threads)
        return {"join": PerThread(make) if first and point.callers else make()}

    return at


class PerThread:
    """Who holds the store of its latest call must not be asked by two threads."""

    def __init__(self, make: Callable) -> None:
        self.make, self.held = make, threading.local()

    def __call__(self, columns: list[str]):
        if not hasattr(self.held, "ask"):
            self.held.ask = self.make()
        return self.held.ask(columns)


def polars(point: Point, paths: list[Path], query: str) -> dict[str, Callable]:
    tables = in_polars.files(paths)
    found = {}
    for engine in in_polars.WAYS:
        for name, way in ways.ways(engine, query).items():
            found[f"{engine.split(', ')[1]}: {name}"] = lambda columns, way=way: way(tables, columns)
    return found


def duckdb(point: Point, paths: list[Path], query: str) -> dict[str, Callable]:
    tables = in_duckdb.files(paths)
    if point.threads is not None:
        tables.connection.execute(f"SET threads = {point.threads}")
    # Threads share a database, and have a connection each.
    cursor = lambda: replace(tables, connection=tables.connection.cursor())

    def asked(way: Callable) -> Callable:
        if not point.callers:
            return lambda columns: way(tables, columns)
        return PerThread(lambda: (lambda columns, mine=cursor(): way(mine, columns)))

    return {name: asked(way) for name, way in ways.ways("DuckDB", query).items()}


CONTENDERS = [("hypostyle, warm", hypostyle(False)), ("hypostyle, first", hypostyle(True)), ("Polars", polars), ("DuckDB", duckdb)]


def main() -> None:
    asked = json.loads(sys.stdin.read())
    limits = Limits(**asked["limits"])
    contenders = [Contender(name, at) for name, at in CONTENDERS]
    gc.collect()
    # What the libraries brought along is not looked through before each call.
    gc.freeze()
    found = []
    for each in asked["points"]:
        point, paths = Point(**each["point"]), [Path(path) for path in each["paths"]]
        for query in asked["queries"]:
            found += [{"query": query, "at": each["at"], **one} for one in at_point(point, paths, query, contenders, limits)]
    print(json.dumps(figures.rounded(found)))
    gc.unfreeze()


def at_point(point: Point, paths: list[Path], query: str, contenders: list[Contender], limits: Limits) -> list[dict]:
    asked = [contender for contender in contenders if query not in contender.stopped]
    right = answers.expected(paths, point.chosen(0), query) if limits.check else None
    rows = point.rows if ways.LAST[query] is None else min(point.rows, ways.LAST[query])
    chosen = {}
    for contender in asked:
        left = contender.left.setdefault(query, set())
        found = {way: ask for way, ask in contender.ways(point, paths, query).items() if way not in left}
        tried = {}
        for way, ask in found.items():
            tried[way] = tried_out(ask, point, right, f"{contender.name}, {way}")
            # Where one call takes that long, the other ways would take all the time there is.
            if tried[way] > 2 * limits.longest * 1e3:
                break
        best = min(tried, key=tried.__getitem__)
        left.update(way for way, ms in tried.items() if ms > max(SLOW, FAR * tried[best]))
        if tried[best] > limits.longest * 1e3:
            contender.stopped.add(query)
        chosen[contender.name] = Chosen(best, found[best], tried[best])
    if point.callers:
        return [{"name": name, **many(point, each, limits)} for name, each in chosen.items()]
    ms = rounds(point, chosen, rows, limits)
    return [{"name": name, "way": chosen[name].way, **figures.of(of)} for name, of in ms.items()]


def tried_out(ask: Callable, point: Point, right, who: str) -> float:
    """Milliseconds of the better of two calls, or of the first where that is slow."""
    if right is not None:
        answers.must_be(right, ask(point.chosen(0)), who)
    ms = once(ask, point.chosen(1))[0]
    return ms if ms > SLOW else min(ms, once(ask, point.chosen(2))[0])


def rounds(point: Point, chosen: dict[str, Chosen], rows: int, limits: Limits) -> dict[str, list[float]]:
    # Who has just been seen to take too long is taken at that one time.
    ms = {name: [each.tried] if each.tried > limits.longest * 1e3 else [] for name, each in chosen.items()}
    asks = {name: each.ask for name, each in chosen.items() if not ms[name]}
    lot = random.Random(1)
    done = lambda name: len(ms[name]) >= FEWEST and sum(ms[name]) >= limits.seconds * 1e3
    for number in range(ROUNDS):
        for name in lot.sample(sorted(asks), len(asks)):
            if done(name):
                continue
            took, got = once(asks[name], point.chosen(number + 3))
            if got != rows:
                raise SystemExit(f"error: {name} gave {got} rows of {rows}")
            ms[name].append(took)
    return ms


def many(point: Point, chosen: Chosen, limits: Limits) -> dict:
    """Many threads at once. `median` is then what a frame costs: the time that passed over the frames that came."""
    found = callers.at_once(chosen.ask, point.turns(), point.callers, limits.seconds)
    cost = 1e3 / found["frames_a_second"]
    wait = {"median": found["median"], "p99": found["p99"]}
    return {"way": chosen.way, "median": cost, "frames": found["frames"], "wait": wait}


def once(ask: Callable, columns: list[str]) -> tuple[float, int]:
    ms, rows = timed(lambda: ask(columns))
    if (release := getattr(ask, "release", None)) is not None:
        release()
    return ms, rows


if __name__ == "__main__":
    main()
