"""What the peers are asked: an inner join of four columns from each table, of all rows and of the newest 24.

Each way is what a reader of the peer's manual would write. Where there are several, all are timed and
the fastest one stands for the peer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import polars as pl

from tables import KEY

LAST = 24


def lazy_join(paths: list[Path], columns: list[str], order: str) -> pl.LazyFrame:
    """The join as a lazy Polars query; `order` is what `join` calls `maintain_order`."""
    scans = [
        pl.scan_parquet(path).select(KEY, *(pl.col(c).alias(f"t{number:02d}__{c}") for c in columns))
        for number, path in enumerate(paths)
    ]
    joined = scans[0]
    for scan in scans[1:]:
        joined = joined.join(scan, on=KEY, how="inner", maintain_order=order)
    return joined


def expected(paths: list[Path], columns: list[str], last: int | None = None) -> pl.DataFrame:
    """The answer: keys that are in every table, in the row order of the first table."""
    joined = lazy_join(paths, columns, order="left").collect()
    if last is None:
        return joined
    newest = pl.col(KEY).rank("ordinal", descending=True) <= last
    return joined.filter(newest)


def polars_train(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return lazy_join(paths, columns, order="none").collect()


def polars_train_in_order(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return lazy_join(paths, columns, order="left").collect()


def polars_train_streaming(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return lazy_join(paths, columns, order="none").collect(engine="streaming")


def polars_infer_tail(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return lazy_join(paths, columns, order="left").tail(LAST).collect()


def polars_infer_top(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return lazy_join(paths, columns, order="none").top_k(LAST, by=KEY).sort(KEY).collect()


def polars_infer_bounded(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    """Finds the newest hour of the first table, then lets the scans skip what is older.

    The tables may lack hours, so the bound is widened until 24 rows are found.
    """
    newest = pl.scan_parquet(paths[0]).select(pl.col(KEY).max()).collect().item()
    hours = LAST
    while True:
        bound = pl.lit(newest).dt.offset_by(f"-{hours - 1}h")
        found = lazy_join(paths, columns, order="left").filter(pl.col(KEY) >= bound).collect()
        if found.height >= LAST or hours > 1_000_000:
            return found.tail(LAST)
        hours *= 4


def duckdb():
    """The module. Imported only when asked for, so that a Polars process does not pay for it."""
    import duckdb

    return duckdb


def duckdb_sql(paths: list[Path], columns: list[str]) -> str:
    wanted = [f"t00.{KEY}"]
    joined = f"FROM read_parquet('{paths[0]}') t00"
    for number, path in enumerate(paths):
        wanted += [f"t{number:02d}.{c} AS t{number:02d}__{c}" for c in columns]
        if number:
            joined += f" JOIN read_parquet('{path}') t{number:02d} USING ({KEY})"
    return f"SELECT {', '.join(wanted)} {joined}"


def duckdb_train(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    return duckdb().sql(duckdb_sql(paths, columns)).pl()


def duckdb_infer(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    newest = f"{duckdb_sql(paths, columns)} ORDER BY t00.{KEY} DESC LIMIT {LAST}"
    return duckdb().sql(f"SELECT * FROM ({newest}) ORDER BY {KEY}").pl()


Way = Callable[[list[Path], list[str]], pl.DataFrame]

#: query → peer → the ways to ask it.
WAYS: dict[str, dict[str, list[Way]]] = {
    "training": {
        "polars": [polars_train, polars_train_in_order, polars_train_streaming],
        "duckdb": [duckdb_train],
    },
    "inference": {
        "polars": [polars_infer_tail, polars_infer_top, polars_infer_bounded],
        "duckdb": [duckdb_infer],
    },
}


def way(query: str, name: str) -> Way:
    """The way of that name to ask that query."""
    return next(way for ways in WAYS[query].values() for way in ways if way.__name__ == name)
