"""What the package set out to reach beside its peers, held against a run. Every one is named, met or not."""

from __future__ import annotations

from dataclasses import dataclass

from cells import OURS, best_peer, cell, contender, median, overhead, ratio

TUNED = "fixture-tuned"


@dataclass(frozen=True)
class Target:
    what: str
    found: float | None
    wanted: float
    at_least: bool
    shown: str = "{:.1f} ×"

    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        return "yes" if (self.found >= self.wanted if self.at_least else self.found <= self.wanted) else "**no**"

    def row(self) -> list[str]:
        found = "–" if self.found is None else self.shown.format(self.found)
        return [self.what, ("≥ " if self.at_least else "≤ ") + self.shown.format(self.wanted), found, self.verdict()]


def all_of(run: dict) -> list[Target]:
    return [*beside_peers(run), *beside_the_limit(run), *tuned(run), *first_and_call(run), *memory(run), *callers(run)]


def faster(run: dict, part: str, files: str, query: str, ours: str) -> float | None:
    one = cell(run, part, files, query)
    peer = best_peer(one)
    return ratio(peer and peer["median"], median(one, ours))


def beside_peers(run: dict) -> list[Target]:
    wanted = [("training", "pyarrow", 6), ("training", "polars", 4), ("inference", "pyarrow", 15), ("inference", "polars", 3)]
    found = [
        Target(f"{query}, {files} files: the best peer's time over ours", faster(run, "in_process", files, query, OURS), least, True)
        for query, files, least in wanted
    ]
    process = faster(run, "whole_process", "pyarrow", "training", "hypostyle")
    return [*found, Target("training, pyarrow files, whole process: the best peer's time over ours", process, 5, True)]


def beside_the_limit(run: dict) -> list[Target]:
    wanted = [
        ("training", "pyarrow", "limit", 2.5),
        ("training", "polars", "limit", 1.5),
        ("inference", "polars", "zstd alone", 1.3),
    ]
    found = []
    for query, files, limit, most in wanted:
        one = cell(run, "in_process", files, query)
        share = ratio(median(one, OURS), median(one, limit))
        found.append(Target(f"{query}, {files} files: our time over that of {limit}", share, most, False))
    return found


def tuned(run: dict) -> list[Target]:
    plain, ours = cell(run, "in_process", "pyarrow", "inference"), median(cell(run, "in_process", TUNED, "inference"), OURS)
    peer = best_peer(plain)
    return [
        Target("inference: the best peer on pyarrow files over ours on tuned ones", ratio(peer and peer["median"], ours), 40, True),
        Target("inference: ours on pyarrow files over ours on tuned ones", ratio(median(plain, OURS), ours), 4, True),
    ]


def first_and_call(run: dict) -> list[Target]:
    cells = run.get("in_process", [])
    first = [ratio(median(one, "hypostyle, first, Polars"), median(one, OURS)) for one in cells]
    # A first call opens the store as well, which the library does not count as the join.
    ours = [c for one in cells for c in one["contenders"] if c["who"] == "hypostyle"]
    beyond = [overhead(c) for c in ours if c["state"] == "warm"]
    return [
        Target("a new store over a warm one, at most", worst(first), 1.6, False),
        Target("a call of a warm store beyond what the library takes, at most", worst(beyond), 2, False, "{:.2f} ms"),
    ]


def memory(run: dict) -> list[Target]:
    found = []
    for one in run.get("memory", []):
        if one["query"] == "training":
            ours = contender(one, "hypostyle")
            found.append((ours["median"] - one["output_bytes"]) / 1e6 if ours else None)
    return [Target("training: peak memory beyond the output, at most", worst(found), 64, False, "{:.0f} MB")]


def callers(run: dict) -> list[Target]:
    rates, waits = [], []
    cores = run["machine"]["cores"]
    for one in run.get("callers", []):
        alone = one["callers"][0]["frames_a_second"]
        rates += [many["frames_a_second"] / alone for many in one["callers"][1:]]
        waits += [many["p99_to_median"] / max(1, many["callers"] / cores) for many in one["callers"]]
    return [
        Target("8 and 64 callers: their rate over that of one, at least", min(rates, default=None), 0.9, True, "{:.2f} ×"),
        Target("1, 8 and 64 callers: p99 over median, over callers per core, at most", worst(waits), 1.5, False),
    ]


def worst(found: list[float | None]) -> float | None:
    return None if not found or None in found else max(found)
