"""Pairs of an inference frame and its model, in a process of its own: what is asked comes as JSON on standard input."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import hypostyle as hs


def main() -> None:
    asked = json.load(sys.stdin)
    rates = {}
    with hs.open(asked["root"]) as store, ThreadPoolExecutor(asked["callers"]) as pool:
        for state in ("cold", "warm"):
            start = time.perf_counter()
            now = store.at()

            def pair(name: str, now: hs.StoreAt = now) -> None:
                frame = now.join(features=asked["features"], last=24, full_names=True)
                blob = now.models.get(name)
                if frame.shape != (24, 1 + len(asked["features"])) or not blob.nbytes:
                    raise SystemExit("error: a pair is not what was asked for")

            for _ in pool.map(pair, asked["names"]):
                pass
            rates[state] = len(asked["names"]) / (time.perf_counter() - start)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
