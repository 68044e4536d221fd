"""One query in a process of its own: `one_query.py JSON`, with what is asked as an object.

With `out` it joins and writes an Arrow file: a whole process. Without, it says `idle` when all is imported,
waits for a line, joins, says `done` and holds the frame until its input ends: what `memory.py` watches.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def join_of(asked: dict):
    """A function without arguments that gives the frame; nothing of the tables is read yet."""
    paths = [Path(path) for path in asked["paths"]]
    if asked["who"] == "hypostyle":
        import polars  # noqa: F401, so that the idle process has it
        from ways.in_hypostyle import Asked

        ask = Asked(paths, asked["last"], asked["into"], first=True)
        return lambda: ask(asked["columns"])
    import ways

    module = ways.module(asked["who"])
    way = ways.ways(asked["who"], asked["query"])[asked["way"]]
    return lambda: way(module.files(paths), asked["columns"])


def write(frame, out: str) -> None:
    """As each library's manual writes an Arrow file, without compression."""
    if hasattr(frame, "write_ipc"):
        frame.write_ipc(out)
        return
    import pyarrow as pa

    with pa.OSFile(out, "wb") as file, pa.ipc.new_file(file, frame.schema) as writer:
        writer.write_table(frame)


def main() -> None:
    asked = json.loads(sys.argv[1])
    join = join_of(asked)
    if out := asked.get("out"):
        write(join(), out)
        return
    print("idle", flush=True)
    sys.stdin.readline()
    frame = join()
    print("done", flush=True)
    sys.stdin.read()
    del frame


if __name__ == "__main__":
    main()
