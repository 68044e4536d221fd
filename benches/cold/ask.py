"""One query of a peer in a process of its own: `ask.py JSON`, with what is asked as an object.

It says `idle` when all is imported, waits for a line, joins, and says `done`; then it writes the frame to `out`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import ways
from one_query import write


def main() -> None:
    asked = json.loads(sys.argv[1])
    module = ways.module(asked["who"])
    way = ways.ways(asked["who"], asked["query"])[asked["way"]]
    paths = [Path(path) for path in asked["paths"]]
    print("idle", flush=True)
    sys.stdin.readline()
    tables = module.files(paths)
    if asked["who"] == "DuckDB" and asked["threads"]:
        tables.connection.execute(f"SET threads = {asked['threads']}")
    frame = way(tables, asked["columns"])
    print("done", flush=True)
    write(frame, asked["out"])


if __name__ == "__main__":
    main()
