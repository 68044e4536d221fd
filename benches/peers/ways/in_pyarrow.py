"""pyarrow: `Table.join` one table after another, or all joins as one plan of Acero, its execution engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import acero

from ways import KEY, NEWEST, newest_rows


@dataclass(frozen=True)
class Files:
    datasets: dict[str, ds.Dataset]
    paths: dict[str, Path]

    def read(self, name: str, columns: list[str], since: datetime | None) -> pa.Table:
        return pq.read_table(self.paths[name], columns=[KEY, *columns], filters=newer(since))

    def source(self, name: str, columns: list[str], since: datetime | None) -> acero.Declaration:
        options = acero.ScanNodeOptions(self.datasets[name], columns=[KEY, *columns], filter=newer(since))
        return acero.Declaration("scan", options)


@dataclass(frozen=True)
class Decoded:
    tables: dict[str, pa.Table]

    def read(self, name: str, columns: list[str], since: datetime | None) -> pa.Table:
        table = self.tables[name].select([KEY, *columns])
        return table if since is None else table.filter(newer(since))

    def source(self, name: str, columns: list[str], _since: datetime | None) -> acero.Declaration:
        return acero.Declaration("table_source", acero.TableSourceNodeOptions(self.read(name, columns, None)))


Tables = Files | Decoded


def files(paths: list[Path]) -> Files:
    return Files({path.stem: ds.dataset(path, format="parquet") for path in paths}, {p.stem: p for p in paths})


def decoded(tables: dict[str, pa.Table]) -> Decoded:
    return Decoded(tables)


def names(tables: Tables) -> list[str]:
    return list(tables.paths if isinstance(tables, Files) else tables.tables)


def newer(since: datetime | None) -> pc.Expression | None:
    return None if since is None else pc.field(KEY) >= pa.scalar(since)


def renamed(name: str, columns: list[str]) -> list[str]:
    return [f"{name}__{c}" for c in columns]


def table_join(tables: Tables, columns: list[str], since: datetime | None = None) -> pa.Table:
    joined = None
    for name in names(tables):
        rows = tables.read(name, columns, since).rename_columns([KEY, *renamed(name, columns)])
        joined = rows if joined is None else joined.join(rows, keys=KEY, join_type="inner")
    return joined


def one_plan(tables: Tables, columns: list[str], since: datetime | None = None) -> pa.Table:
    plan, held = None, [KEY]
    for name in names(tables):
        source = tables.source(name, columns, since)
        if since is not None:
            # The scan skips what statistics rule out; the rows in between are for the plan to drop.
            source = acero.Declaration("filter", acero.FilterNodeOptions(newer(since)), [source])
        fields = [pc.field(c) for c in (KEY, *columns)]
        rows = acero.Declaration(
            "project", acero.ProjectNodeOptions(fields, [KEY, *renamed(name, columns)]), [source]
        )
        if plan is None:
            plan = rows
        else:
            options = acero.HashJoinNodeOptions(
                "inner", [KEY], [KEY], left_output=held, right_output=renamed(name, columns)
            )
            plan = acero.Declaration("hashjoin", options, [plan, rows])
        held = [*held, *renamed(name, columns)]
    return plan.to_table(use_threads=True)


def bounded(tables: Tables, columns: list[str], join=table_join) -> pa.Table:
    newest = pc.max(tables.read(names(tables)[0], [], None)[KEY]).as_py()
    found = newest_rows(newest, lambda bound: join(tables, columns, bound)).sort_by(KEY)
    return found.slice(max(0, len(found) - NEWEST))


def bounded_one_plan(tables: Tables, columns: list[str]) -> pa.Table:
    return bounded(tables, columns, one_plan)


WAYS = {"pyarrow": {"training": [table_join, one_plan], "inference": [bounded, bounded_one_plan]}}
