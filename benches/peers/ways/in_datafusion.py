"""DataFusion: SQL over tables that were registered beforehand, so that it knows their footers and statistics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from datafusion import SessionConfig, SessionContext, col

from ways import KEY, NEWEST, newest_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Tables:
    names: list[str]
    hashed: SessionContext
    #: The rows are not dealt out by the hash of their key before each join.
    undealt: SessionContext
    #: The tables are told to be in the order of the key, and joined by merging them.
    merged: SessionContext


def session(**settings: str) -> SessionContext:
    config = SessionConfig().set("datafusion.execution.parquet.pushdown_filters", "true")
    for name, value in settings.items():
        config = config.set(f"datafusion.optimizer.{name}", value)
    return SessionContext(config)


def sessions() -> tuple[SessionContext, SessionContext, SessionContext]:
    return session(), session(repartition_joins="false"), session(prefer_hash_join="false")


def files(paths: list[Path]) -> Tables:
    hashed, undealt, merged = sessions()
    for path in paths:
        hashed.register_parquet(path.stem, path)
        undealt.register_parquet(path.stem, path)
        merged.register_parquet(path.stem, path, file_sort_order=[[col(KEY).sort()]])
    return Tables([path.stem for path in paths], hashed, undealt, merged)


def decoded(tables: dict[str, pa.Table]) -> Tables:
    made = sessions()
    for name, table in tables.items():
        # A batch as large as DataFusion's own are: it hands batches of memory on as they lie there.
        batches = table.combine_chunks().to_batches(max_chunksize=8192)
        for context in made:
            context.register_record_batches(name, [batches])
    return Tables(list(tables), *made)


def join(tables: Tables, columns: list[str], since: datetime | None = None) -> str:
    where = "" if since is None else f" WHERE {KEY} >= timestamp '{since.isoformat()}'"
    first = tables.names[0]
    wanted, joined = [f"{first}.{KEY}"], ""
    for name in tables.names:
        wanted += [f"{name}.{c} AS {name}__{c}" for c in columns]
        rows = f"(SELECT {KEY}, {', '.join(columns)} FROM {name}{where}) {name}"
        joined += f" JOIN {rows} ON {first}.{KEY} = {name}.{KEY}" if joined else rows
    return f"SELECT {', '.join(wanted)} FROM {joined}"


def hash_join(tables: Tables, columns: list[str]) -> pa.Table:
    return tables.hashed.sql(join(tables, columns)).to_arrow_table()


def undealt_hash_join(tables: Tables, columns: list[str]) -> pa.Table:
    return tables.undealt.sql(join(tables, columns)).to_arrow_table()


def merge_join(tables: Tables, columns: list[str]) -> pa.Table:
    return tables.merged.sql(join(tables, columns)).to_arrow_table()


def top_n(tables: Tables, columns: list[str]) -> pa.Table:
    newest = f"{join(tables, columns)} ORDER BY {KEY} DESC LIMIT {NEWEST}"
    return tables.hashed.sql(f"SELECT * FROM ({newest}) ORDER BY {KEY}").to_arrow_table()


def bounded(tables: Tables, columns: list[str]) -> pa.Table:
    newest = tables.hashed.sql(f"SELECT max({KEY}) FROM {tables.names[0]}").to_arrow_table()[0][0].as_py()
    since = lambda bound: tables.hashed.sql(f"{join(tables, columns, bound)} ORDER BY {KEY}").to_arrow_table()
    found = newest_rows(newest, since)
    return found.slice(max(0, len(found) - NEWEST))


WAYS = {"DataFusion": {"training": [hash_join, undealt_hash_join, merge_join], "inference": [top_n, bounded]}}
