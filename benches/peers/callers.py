"""How many frames a second a process gives when 1, 8 or 64 of its threads ask at once, and how long each waits.

All threads share one store. Each asks, drops the frame and asks again for other columns until the time is over,
but once at least.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import figures
import ways
from setting import Setting

CALLERS = (1, 8, 64)


def measure(setting: Setting, writer: str, query: str, paths: list[Path]) -> dict:
    """In a process of its own, whose threads are nobody else's."""
    asked = {
        "paths": [str(path) for path in paths],
        "last": ways.LAST[query],
        "turns": [setting.shape.chosen(turn) for turn in range(setting.shape.columns // 4)],
        "seconds": setting.seconds,
    }
    done = subprocess.run([sys.executable, __file__, json.dumps(asked)], stdout=subprocess.PIPE, text=True, check=True)
    return {"files": writer, "query": query, "callers": json.loads(done.stdout)}


def at_once(ask, turns: list[list[str]], callers: int, seconds: float) -> dict:
    times: list[list[float]] = [[] for _ in range(callers)]
    ready = threading.Barrier(callers + 1)

    def caller(number: int) -> None:
        ready.wait()
        turn = number
        while not times[number] or time.perf_counter() < end:
            start = time.perf_counter()
            ask(turns[turn % len(turns)])
            times[number].append((time.perf_counter() - start) * 1e3)
            turn += callers + 1

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    end = began + seconds
    ready.wait()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    ms = [each for of_one in times for each in of_one]
    median, p99 = statistics.median(ms), figures.p99(ms)
    return {
        "callers": callers,
        "frames": len(ms),
        "frames_a_second": len(ms) / took,
        "median": median,
        "p99": p99,
        "p99_to_median": p99 / median,
    }


def main() -> None:
    from ways.in_hypostyle import Asked

    asked = json.loads(sys.argv[1])
    ask = Asked([Path(path) for path in asked["paths"]], asked["last"], "Polars", first=False)
    for columns in asked["turns"][:3]:
        ask(columns)
    found = [at_once(ask, asked["turns"], callers, asked["seconds"]) for callers in CALLERS]
    print(json.dumps(figures.rounded(found)))


if __name__ == "__main__":
    main()
