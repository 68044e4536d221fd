"""DuckDB: SQL over Parquet files, or over its own tables in memory; the answer as a Polars frame or an Arrow table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from ways import KEY, NEWEST, newest_rows

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class Tables:
    connection: duckdb.DuckDBPyConnection
    #: name → what stands for it in FROM
    sources: dict[str, str]

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        return self.connection.sql(query)


def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    # A zoned timestamp comes back in the zone that the session has.
    made.execute("SET TimeZone = 'UTC'")
    return made


def files(paths: list[Path]) -> Tables:
    made = connection()
    # Footers are remembered between queries, as `Store` does.
    made.execute("SET parquet_metadata_cache = true")
    return Tables(made, {path.stem: f"read_parquet('{path}')" for path in paths})


def decoded(tables: dict[str, pa.Table]) -> Tables:
    made = connection()
    for name, table in tables.items():
        made.register("arrow", table)
        made.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow")
        made.unregister("arrow")
    return Tables(made, {name: name for name in tables})


def join(tables: Tables, columns: list[str], since: datetime | None = None) -> str:
    where = "" if since is None else f" WHERE {KEY} >= '{since.isoformat()}'"
    wanted, joined = [KEY], ""
    for name, source in tables.sources.items():
        wanted += [f"{name}.{c} AS {name}__{c}" for c in columns]
        rows = f"(SELECT {KEY}, {', '.join(columns)} FROM {source}{where}) {name}"
        joined += f" JOIN {rows} USING ({KEY})" if joined else rows
    return f"SELECT {', '.join(wanted)} FROM {joined}"


def into_polars(tables: Tables, columns: list[str]) -> pl.DataFrame:
    return tables.sql(join(tables, columns)).pl()


def into_arrow(tables: Tables, columns: list[str]) -> pa.Table:
    return tables.sql(join(tables, columns)).to_arrow_table()


def into_arrow_any_order(tables: Tables, columns: list[str]) -> pa.Table:
    tables.connection.execute("SET preserve_insertion_order = false")
    try:
        return into_arrow(tables, columns)
    finally:
        tables.connection.execute("RESET preserve_insertion_order")


def top_n(tables: Tables, columns: list[str]) -> pa.Table:
    newest = f"{join(tables, columns)} ORDER BY {KEY} DESC LIMIT {NEWEST}"
    return tables.sql(f"SELECT * FROM ({newest}) ORDER BY {KEY}").to_arrow_table()


def bounded(tables: Tables, columns: list[str]) -> pa.Table:
    source = next(iter(tables.sources.values()))
    newest = tables.sql(f"SELECT max({KEY}) FROM {source}").to_arrow_table()[0][0].as_py()
    since = lambda bound: tables.sql(f"{join(tables, columns, bound)} ORDER BY {KEY}").to_arrow_table()
    found = newest_rows(newest, since)
    return found.slice(max(0, len(found) - NEWEST))


WAYS = {"DuckDB": {"training": [into_polars, into_arrow, into_arrow_any_order], "inference": [top_n, bounded]}}
