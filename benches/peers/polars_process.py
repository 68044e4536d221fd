"""Polars doing one join as a whole process: `polars_process.py QUERY WAY OUT COLUMNS PATH...`.

With `serve` as the only argument it stays and answers requests (a line of JSON each) with the
milliseconds that the query alone took, the answer left in memory: Polars as a service would run it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def once(query: str, way: str, out: str, columns: str, *paths: str) -> None:
    import queries

    ask = queries.way(query, way)
    ask([Path(p) for p in paths], columns.split(",")).write_ipc(out)


def serve() -> None:
    import queries

    for line in sys.stdin:
        request = json.loads(line)
        ask = queries.way(request["query"], request["way"])
        paths = [Path(p) for p in request["paths"]]
        start = time.perf_counter()
        frame = ask(paths, request["columns"])
        ms = (time.perf_counter() - start) * 1e3
        print(json.dumps({"ms": ms, "rows": frame.height}), flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else once(*sys.argv[1:])
