"""What grows, from where to where, and the tables for it: one thing at a time, all else as in a small base."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

QUERIES = ("training", "inference")
THREADS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Point:
    """A join: of how many tables of what size, and how it is asked for."""

    tables: int = 4
    rows: int = 70_000
    columns: int = 10
    #: Columns that are taken of each table.
    taken: int = 2
    #: Row groups of each file; None leaves the files as `hypostyle fixture` writes them: one.
    groups: int | None = None
    threads: int | None = None
    callers: int | None = None

    def chosen(self, turn: int) -> list[str]:
        """The columns that are taken: spread over the file, others in each turn as far as there are others."""
        spread = sorted((self.columns * k // self.taken + turn) % self.columns for k in range(self.taken))
        return [f"f{number:03d}" for number in spread]

    def turns(self) -> list[list[str]]:
        return [self.chosen(turn) for turn in range(max(1, self.columns // self.taken))]


@dataclass(frozen=True)
class Curve:
    #: The field of a `Point` that grows.
    name: str
    what: str
    values: tuple[int, ...]
    base: Point = Point()

    def points(self, quick: bool) -> list[Point]:
        values = (self.values[0], self.values[len(self.values) // 2]) if quick else self.values
        base = replace(self.base, rows=min(self.base.rows, 3_000)) if quick else self.base
        return [replace(base, **{self.name: value}) for value in values]


def doubling(most: int) -> tuple[int, ...]:
    """1, 2, 4 and so on, and `most`."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


CURVES = [
    Curve("rows", "rows of each table", (7_000, 21_000, 70_000, 210_000, 700_000, 2_100_000, 7_000_000)),
    Curve("tables", "tables", (2, 5, 10, 20, 50, 100, 200)),
    Curve("taken", "columns taken of each table", (1, 2, 5, 10, 20, 50, 100, 200), Point(columns=200)),
    Curve("columns", "columns in each file", (10, 30, 100, 300, 1_000, 3_000, 5_000), Point(rows=7_000)),
    Curve("groups", "row groups of each file", (1, 3, 10, 30, 100, 300, 1_000)),
    Curve("threads", "threads", doubling(THREADS), Point(rows=700_000)),
    Curve("callers", "callers at once", (1, 2, 4, 8, 16, 32, 64)),
]


def files(root: Path, point: Point, program: Path, of_tables: int) -> list[Path]:
    """The files of a join, made where they are missing; it takes the first tables of a folder of `of_tables`."""
    shape = f"{of_tables}x{point.rows}x{point.columns}"
    folder = root / shape
    if not (folder / "_complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        size = {"tables": of_tables, "rows": point.rows, "columns": point.columns}
        flags = [part for name, value in size.items() for part in (f"--{name}", str(value))]
        subprocess.run([program, "fixture", folder, "--no-progress", *flags], check=True, stdout=subprocess.DEVNULL)
        (folder / "_complete").touch()
    paths = [folder / f"table{number:02d}.parquet" for number in range(point.tables)]
    if point.groups is None:
        return paths
    return [regrouped(path, root / f"{shape}-{point.groups}", point) for path in paths]


def regrouped(path: Path, folder: Path, point: Point) -> Path:
    """The same values in so many row groups, as pyarrow writes them."""
    target = folder / path.name
    if not target.exists():
        folder.mkdir(exist_ok=True)
        unfinished = target.with_suffix(".unfinished")
        pq.write_table(pq.read_table(path), unfinished, compression="zstd", row_group_size=-(-point.rows // point.groups))
        unfinished.rename(target)
    return target


def as_json(point: Point) -> dict:
    return {name: value for name, value in asdict(point).items() if value is not None}
