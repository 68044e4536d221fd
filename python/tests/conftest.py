"""Fixtures, and how hard hypothesis tries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import polars as pl
import pytest

import hypostyle as hs
from support import LONG, write_weather

# The same cases in each run, so that a failure is one that somebody can see again.
hypothesis.settings.register_profile(
    "short", max_examples=150, derandomize=True, deadline=None, database=None
)
hypothesis.settings.register_profile("long", max_examples=4000, deadline=None)
hypothesis.settings.load_profile("long" if LONG else "short")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with ``wind.parquet`` and ``load.parquet``, which no test changes."""
    return write_weather(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(root: Path) -> Iterator[hs.Store]:
    """Give an open store of the two tables."""
    with hs.open(root) as store:
        yield store


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[hs.Store]:
    """Give a managed store without tables."""
    folder = tmp_path / "managed"
    folder.mkdir()
    with hs.init(folder) as store:
        yield store


@pytest.fixture
def written(managed: hs.Store) -> hs.Store:
    """Give a managed store whose first snapshot has the tables ``wind`` and ``load``."""
    with managed.transaction(["wind", "load"]) as tx:
        tx.write("wind", {"ts": [1, 2], "speed": [0.5, 1.5]}, mode="upsert", key="ts")
        tx.write("load", {"ts": [1, 2], "mw": [7.0, 8.0]}, mode="upsert", key="ts")
    return managed


@pytest.fixture(scope="session")
def large() -> Iterator[tuple[Path, dict[str, object]]]:
    """Give a folder and a spec whose join takes seconds: many tables of a million keys in no order."""
    with tempfile.TemporaryDirectory() as folder:
        rows = 1_000_000
        keys = np.random.default_rng(7).permutation(rows)
        for name, order in (("a", keys), ("b", keys[::-1])):
            table = pl.DataFrame({"id": order, "x": order * 0.5})
            table.write_parquet(Path(folder, f"{name}.parquet"), compression="uncompressed")
        tables: list[dict[str, object]] = [{"name": "a", "columns": ["x"]}]
        tables += [{"name": f"t{i}", "path": "b.parquet", "columns": {"x": f"x{i}"}} for i in range(40)]
        yield Path(folder), {"key": ["id"], "how": "left", "tables": tables}
