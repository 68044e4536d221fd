"""The tables that hypostyle and its peers are compared on: the same shape from five writers.

`pyarrow` and `polars` are files that those programs wrote, with their default settings and zstd, from
the same values. `fixture-*` are the profiles of `hypostyle fixture`, which imitate them.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ways import KEY

PROGRAMS = ("pyarrow", "polars")
PROFILES = ("fixture-pyarrow", "fixture-polars", "fixture-tuned")
WRITERS = PROGRAMS + PROFILES

FIRST = datetime(2017, 1, 1)


@dataclass(frozen=True)
class Shape:
    """How many tables of what size, and how their rows lie to one another."""

    tables: int
    rows: int
    columns: int
    seed: int = 1
    #: `same`: all tables have the same hours in order. `ragged`: each lacks other hours.
    #: `shuffled`: as ragged, and in every other table the rows are in no order.
    rows_are: str = "same"
    #: Nulls, NaN, infinities and negative zero in two of the four columns that are joined.
    hostile: bool = False

    def names(self) -> list[str]:
        return [f"f{i:03d}" for i in range(self.columns)]

    def chosen(self, turn: int = 0) -> list[str]:
        """The four columns that a join takes from each table, spread over its width; others in each turn.

        After a quarter as many turns as there are columns the first come again.
        """
        return [self.names()[self.columns * k // 4 + turn % (self.columns // 4)] for k in range(4)]

    def narrow(self, rows_are: str) -> Shape:
        """The same with few columns and other rows: for what the width has no part in."""
        return replace(self, columns=min(self.columns, 8), rows_are=rows_are)

    def folder(self, root: Path, writer: str) -> Path:
        hostile = "-hostile" if self.hostile and writer in PROGRAMS else ""
        return root / f"{writer}-{self.rows_are}{hostile}-{self.tables}x{self.rows}x{self.columns}-{self.seed}"


def make(shape: Shape, root: Path, writers: list[str], hypostyle: Path) -> dict[str, list[Path]]:
    """The files of each writer, in the order of the tables; those that are there already are kept."""
    missing = [w for w in writers if not is_whole(shape.folder(root, w), w, hypostyle)]
    for writer in missing:
        shutil.rmtree(shape.folder(root, writer), ignore_errors=True)
        shape.folder(root, writer).mkdir(parents=True)
    if programs := [w for w in missing if w in PROGRAMS]:
        for number in range(shape.tables):
            frame = values(shape, number)
            for writer in programs:
                write(frame, writer, shape.folder(root, writer) / f"t{number:02d}.parquet")
    for writer in missing:
        folder = shape.folder(root, writer)
        if writer in PROFILES:
            fixture(shape, writer.removeprefix("fixture-"), folder, hypostyle)
        (folder / "_complete").touch()
    return {w: files(shape, root, w) for w in writers}


def is_whole(folder: Path, writer: str, hypostyle: Path) -> bool:
    mark = folder / "_complete"
    if not mark.exists():
        return False
    # Another build of the generator may write other bytes.
    return writer in PROGRAMS or mark.stat().st_mtime >= hypostyle.stat().st_mtime


def files(shape: Shape, root: Path, writer: str) -> list[Path]:
    found = sorted(shape.folder(root, writer).rglob("*.parquet"))
    if len(found) != shape.tables:
        raise SystemExit(f"error: {len(found)} files of {writer}, expected one for each of {shape.tables} tables")
    return found


def fixture(shape: Shape, profile: str, folder: Path, hypostyle: Path) -> None:
    command = [hypostyle, "fixture", folder, "--profile", profile, "--no-progress"]
    for flag in ("tables", "rows", "columns", "seed"):
        command += [f"--{flag}", str(getattr(shape, flag))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(frame: pl.DataFrame, writer: str, path: Path) -> None:
    if writer == "pyarrow":
        pq.write_table(frame.to_arrow(), path, compression="zstd")
    else:
        frame.write_parquet(path, compression="zstd")


def values(shape: Shape, number: int) -> pl.DataFrame:
    """One table: hourly rows, waves of a day and of a year with noise, rounded to two decimals."""
    rows = pl.int_range(shape.rows, eager=True)
    last = FIRST + timedelta(hours=shape.rows - 1)
    columns = [pl.datetime_range(FIRST, last, "1h", time_unit="us", eager=True).alias(KEY)]
    hours = rows.cast(pl.Float64)
    day = (hours * (2 * math.pi / 24)).sin()
    year = (hours * (2 * math.pi / 8766)).sin()
    for index, name in enumerate(shape.names()):
        seed = (shape.seed * 1_000 + number) * 100_000 + index
        noise = (rows.hash(seed) % 1_000).cast(pl.Float64) / 250
        column = ((10 + index % 7) + 4 * day + 3 * year + noise).round(2)
        columns.append(column.alias(name))
    frame = pl.DataFrame(columns)
    if shape.hostile:
        frame = with_hostile_values(frame, shape.chosen())
    return with_rows(frame, shape, number)


def with_hostile_values(frame: pl.DataFrame, chosen: list[str]) -> pl.DataFrame:
    row = pl.int_range(pl.len())
    special = pl.col(chosen[2])
    for remainder, value in enumerate((math.nan, -0.0, math.inf, -math.inf, 5e-324)):
        special = pl.when(row % 13 == remainder).then(pl.lit(value)).otherwise(special)
    some_null = pl.when((row % 17 != 3) & (row % 1_000 < 900)).then(pl.col(chosen[1]))
    return frame.with_columns(some_null.alias(chosen[1]), special.alias(chosen[2]))


def with_rows(frame: pl.DataFrame, shape: Shape, number: int) -> pl.DataFrame:
    if shape.rows_are == "same":
        return frame
    frame = frame.slice(7 * number % 50, shape.rows - 100 - number % 5)
    if number % 3 == 1:
        frame = frame.filter(pl.int_range(pl.len()) % 11 != number % 11)
    if shape.rows_are == "shuffled" and number % 2 == 0:
        frame = frame.sample(fraction=1, shuffle=True, seed=shape.seed + number)
    return frame
