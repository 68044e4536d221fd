"""Polars: lazy scans, so that the optimiser pushes columns and bounds into them; both of its engines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import polars as pl

from ways import KEY, NEWEST, newest_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Tables:
    scans: dict[str, Callable[[], pl.LazyFrame]]

    def first(self) -> pl.LazyFrame:
        return next(iter(self.scans.values()))()


def files(paths: list[Path]) -> Tables:
    return Tables({path.stem: partial(pl.scan_parquet, path) for path in paths})


def decoded(tables: dict[str, pa.Table]) -> Tables:
    return Tables({name: pl.from_arrow(table, rechunk=True).lazy for name, table in tables.items()})


def join(tables: Tables, columns: list[str], order: str, since: datetime | None = None) -> pl.LazyFrame:
    """`order` is what `join` calls `maintain_order`."""
    joined = None
    for name, scan in tables.scans.items():
        rows = scan().select(KEY, *(pl.col(c).alias(f"{name}__{c}") for c in columns))
        if since is not None:
            rows = rows.filter(pl.col(KEY) >= since)
        joined = rows if joined is None else joined.join(rows, on=KEY, how="inner", maintain_order=order)
    return joined


def any_order(engine: str, tables: Tables, columns: list[str]) -> pl.DataFrame:
    return join(tables, columns, "none").collect(engine=engine)


def in_order(engine: str, tables: Tables, columns: list[str]) -> pl.DataFrame:
    return join(tables, columns, "left").collect(engine=engine)


def tail(engine: str, tables: Tables, columns: list[str]) -> pl.DataFrame:
    return join(tables, columns, "left").tail(NEWEST).collect(engine=engine)


def top_k(engine: str, tables: Tables, columns: list[str]) -> pl.DataFrame:
    return join(tables, columns, "none").top_k(NEWEST, by=KEY).sort(KEY).collect(engine=engine)


def bounded(engine: str, tables: Tables, columns: list[str]) -> pl.DataFrame:
    newest = tables.first().select(pl.col(KEY).max()).collect(engine=engine).item()
    since = lambda bound: join(tables, columns, "left", bound).collect(engine=engine)
    return newest_rows(newest, since).tail(NEWEST)


def with_engine(engine: str) -> dict[str, list[Callable]]:
    asked = lambda *ways: [update_wrapper(partial(way, engine), way) for way in ways]
    return {"training": asked(any_order, in_order), "inference": asked(tail, top_k, bounded)}


WAYS = {"Polars, in memory": with_engine("in-memory"), "Polars, streaming": with_engine("streaming")}
