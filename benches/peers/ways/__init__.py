"""What the peers are asked: an inner join of a few columns from each table, of all rows and of the newest 24.

A module for each, imported only when it is asked for: a process that runs one peer must not pay for another.
Each module has

    files(paths)         its tables, when they lie in files: whatever it keeps between two queries, and no values
    decoded(tables)      the same, when all columns lie in memory as the peer likes them best
    WAYS[peer][query]    the ways to ask it: functions of such tables and the columns wanted

A way is what a reader of the peer's manual would write. Where there are several, all are tried and the
fastest one stands for the peer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import Callable

#: peer → its module. Polars has two engines, and they are asked as two peers.
MODULES = {
    "Polars, in memory": "in_polars",
    "Polars, streaming": "in_polars",
    "DuckDB": "in_duckdb",
    "DataFusion": "in_datafusion",
    "pyarrow": "in_pyarrow",
}
KEY = "ts"
LAST = {"training": None, "inference": 24}
NEWEST = 24


def module(peer: str) -> ModuleType:
    return import_module(f"ways.{MODULES[peer]}")


def ways(peer: str, query: str) -> dict[str, Callable]:
    return {way.__name__: way for way in module(peer).WAYS[peer][query]}


def newest_rows(newest: datetime, since: Callable):
    """The frame of the newest rows, by bounds on the key, which the readers can skip pages with.

    `since` joins the rows from a bound on. The tables may lack hours, so the bound is widened until enough
    rows are found.
    """
    hours = NEWEST
    while True:
        found = since(newest - timedelta(hours=hours - 1))
        if len(found) >= NEWEST or hours > 1_000_000:
            return found
        hours *= 4
