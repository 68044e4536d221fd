"""Random tables and joins, against what Polars makes of them."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hypostyle as hs
from support import LONG, assert_same

Draw = Any
pytestmark = pytest.mark.timeout(3600 if LONG else 300)

# For each kind of key: its values in rising order, the type in which all compare, and those of tables.
_SECONDS = [datetime(2024, 1, 1) + timedelta(hours=7 * i) for i in range(12)]
KINDS: dict[str, tuple[list[Any], Any, list[Any]]] = {
    "whole": (list(range(-3, 9)), pl.Int64(), [pl.Int64(), pl.Int32(), pl.Int8(), pl.Int16()]),
    "counted": (list(range(12)), pl.Int64(), [pl.UInt64(), pl.UInt8(), pl.UInt16(), pl.Int32(), pl.UInt32()]),
    "time": (_SECONDS, pl.Datetime("us"), [pl.Datetime("us"), pl.Datetime("ms"), pl.Datetime("ns")]),
    "zoned": (
        _SECONDS,
        pl.Datetime("us", "UTC"),
        [pl.Datetime("us", "UTC"), pl.Datetime("ms", "Europe/Berlin"), pl.Datetime("ns", "Asia/Tokyo")],
    ),
    "day": ([date(2024, 2, 25) + timedelta(days=i) for i in range(12)], pl.Date(), [pl.Date()]),
    "text": (
        sorted(["", "a", "A", "ab", "b", "ö", "z" * 40, "z" * 39, "0", "00", " ", "漢"]),
        pl.String(),
        [pl.String()],
    ),
    "bytes": ([b"", b"\0", b"\0\0", b"a", b"a\xff", b"b", b"\xff"], pl.Binary(), [pl.Binary()]),
    "decimal": (
        [Decimal(i) / 4 for i in range(-4, 8)],
        pl.Decimal(20, 6),
        [pl.Decimal(20, 6), pl.Decimal(9, 2), pl.Decimal(18, 4)],
    ),
    "flag": ([False, True], pl.Boolean(), [pl.Boolean()]),
}
VALUES: list[tuple[Any, Any]] = [
    (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    (pl.Int8(), st.integers(-128, 127)),
    (pl.UInt64(), st.integers(0, 2**64 - 1)),
    (pl.Float64(), st.floats()),
    (pl.Float32(), st.floats(width=32)),
    (pl.Boolean(), st.booleans()),
    (pl.String(), st.text(st.characters(exclude_categories=["Cs"]), max_size=15)),
    (pl.Binary(), st.binary(max_size=5)),
    (pl.Date(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    (pl.Datetime("us"), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))),
    (pl.Duration("ms"), st.integers(-(2**40), 2**40)),
    (pl.Decimal(12, 3), st.decimals(-(10**8), 10**8, allow_nan=False, places=3)),
    (pl.List(pl.Int32()), st.lists(st.none() | st.integers(-5, 5), max_size=3)),
]


@dataclass
class Table:
    """Rows, and how they are written."""

    rows: pl.DataFrame
    writer: str
    options: dict[str, Any]

    def write(self, path: Path) -> None:
        if self.writer == "polars":
            self.rows.write_parquet(path, **self.options)
        else:
            pa.parquet.write_table(self.rows.to_arrow(), path, **self.options)


@st.composite
def tables(draw: Draw, number: int, kind: str, repeats: bool) -> Table:
    """Draw a table ``t<number>`` with a key and one or two columns."""
    pool, _, types = KINDS[kind]
    keys = draw(st.lists(st.sampled_from(pool), unique=not repeats, max_size=20 if repeats else len(pool)))
    if draw(st.booleans()):
        keys = sorted(keys)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        keys.insert(draw(st.integers(0, len(keys))), None)
    columns = {"key": series(keys, draw(st.sampled_from(types)))}
    for index in range(draw(st.integers(1, 2))):
        dtype, values = draw(st.sampled_from(VALUES))
        cells = draw(st.lists(st.none() | values, min_size=len(keys), max_size=len(keys)))
        columns[f"v{number}_{index}"] = pl.Series(cells, dtype=dtype)
    group = draw(st.sampled_from([1, 3, 1000]))
    if draw(st.booleans()):
        options = {
            "compression": draw(st.sampled_from(["zstd", "snappy", "uncompressed", "lz4", "gzip"])),
            "row_group_size": group,
            "statistics": draw(st.booleans()),
        }
        return Table(pl.DataFrame(columns), "polars", options)
    options = {
        "compression": draw(st.sampled_from(["zstd", "snappy", "none", "lz4", "gzip", "brotli"])),
        "row_group_size": group,
        "use_dictionary": draw(st.booleans()),
        "write_statistics": draw(st.booleans()),
        "write_page_index": draw(st.booleans()),
        "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
        "data_page_size": draw(st.sampled_from([1, 1 << 20])),
        "write_batch_size": draw(st.sampled_from([1, 1024])),
    }
    return Table(pl.DataFrame(columns), "pyarrow", options)


def series(keys: list[Any], dtype: Any) -> pl.Series:
    """Return a key column; a zoned one has the moments that its values are in UTC."""
    zone = getattr(dtype, "time_zone", None)
    if zone is None:
        return pl.Series(keys, dtype=dtype)
    naive = pl.Series(keys, dtype=pl.Datetime(dtype.time_unit))
    return naive.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def joined(base: pl.DataFrame, others: list[pl.DataFrame], how: str, common: Any) -> pl.DataFrame:
    """Return what Polars makes of a join whose keys are compared in one type."""
    zone = getattr(common, "time_zone", None)

    def comparable(table: pl.DataFrame) -> pl.DataFrame:
        key = pl.col("key")
        key = key.dt.convert_time_zone(zone).cast(common) if zone else key.cast(common)
        return table.with_columns(key.alias("common"))

    rows = comparable(base)
    for other in others:
        table = comparable(other).drop("key").drop_nulls("common")
        polars_how: Any = "inner" if how == "inner" else "left"
        rows = rows.join(table, on="common", how=polars_how, maintain_order="left")
    return rows.drop_nulls("common") if how == "inner" else rows


def bounded(rows: pl.DataFrame, kind: str, start: Any, end: Any, last: int | None) -> pl.DataFrame:
    """Return the rows from ``start`` to before ``end``, and of them the ``last`` by key."""
    _, common, _ = KINDS[kind]
    if start is not None:
        rows = rows.filter(pl.col("common") >= series([start], common)[0])
    if end is not None:
        rows = rows.filter(pl.col("common") < series([end], common)[0])
    if last is not None:
        rows = rows.with_row_index("row").sort("common", "row", descending=True, nulls_last=True)
        rows = rows.head(last).sort("row").drop("row")
    return rows.drop("common")


@given(st.data())
def test_joins_equal_those_of_polars(data: st.DataObject) -> None:
    draw = data.draw
    kind = draw(st.sampled_from(sorted(KINDS)), label="kind")
    how = draw(st.sampled_from(["inner", "left", "spine"]), label="how")
    count = draw(st.integers(1, 3), label="tables")
    parts = [draw(tables(i, kind, repeats=how == "left" and i == 0), label=f"t{i}") for i in range(count)]
    pool, common, types = KINDS[kind]
    choice: dict[str, Any] = {
        "strategy": draw(st.sampled_from(["auto", "hash"])),
        "threads": draw(st.sampled_from([None, 1, 3])),
        "io": draw(st.sampled_from(["auto", "mmap"])),
    }
    last = draw(st.none() | st.integers(1, 15), label="last")
    bounds = st.none() if kind in ("text", "bytes", "flag") else st.none() | st.sampled_from(pool)
    start, end = draw(bounds, label="start"), draw(bounds, label="end")
    if start is not None and end is not None:
        start, end = min(start, end), max(start, end)
    spine = None
    if how == "spine":
        keys = draw(st.lists(st.none() | st.sampled_from(pool), max_size=20), label="spine")
        carried = pl.Series(range(len(keys)), dtype=pl.Int32)
        spine = pl.DataFrame({"key": series(keys, draw(st.sampled_from(types))), "carried": carried})
        base, others = spine, [part.rows for part in parts]
    else:
        base, others = parts[0].rows, [part.rows for part in parts[1:]]
    expected = bounded(joined(base, others, how, common), kind, start, end, last)

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.NoMatchWarning)
        for number, part in enumerate(parts):
            part.write(Path(folder, f"t{number}.parquet"))
        store = hs.open(folder)
        wanted: dict[str, list[str]] = {f"t{i}": part.rows.columns[1:] for i, part in enumerate(parts)}
        limits: dict[str, Any] = {"start": start, "end": end, "last": last}
        if spine is None:
            frame = store.join(
                key="key", tables=wanted, how="left" if how == "left" else "inner", **limits, **choice
            )
            assert_same(frame, expected)
            return
        form = draw(st.sampled_from(["polars", "pyarrow", "pandas", "dict", "chunks"]), label="form")
        frame = store.join(key="key", tables=wanted, spine=in_form(spine, form), **limits, **choice)
        assert_same(frame.to_polars().cast({"key": base.schema["key"], "carried": pl.Int32}), expected)
        assert frame.columns == expected.columns


def in_form(spine: pl.DataFrame, form: str) -> Any:
    """Return the same rows as another library has them."""
    if form == "pyarrow":
        return spine.to_arrow()
    if form == "pandas":
        return spine.to_arrow().to_pandas(
            types_mapper=None if spine.schema["key"].is_temporal() else _arrow_type
        )
    if form == "dict":
        return {"key": spine["key"], "carried": spine["carried"].to_list()}
    if form == "chunks":
        return pl.concat([spine[:1], spine[1:3], spine[3:]], rechunk=False)
    return spine


def _arrow_type(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind)


@given(st.data())
def test_a_frame_is_the_same_in_every_form(data: st.DataObject) -> None:
    table = data.draw(tables(0, "whole", repeats=True))
    with tempfile.TemporaryDirectory() as folder:
        table.write(Path(folder, "t0.parquet"))
        frame = hs.open(folder).join(key="key", tables={"t0": "*"}, how="left")
        assert_same(frame, table.rows)
        assert_same(frame.copy(), table.rows)
        assert_same(pl.DataFrame(frame.to_arrow()), table.rows)
        start = data.draw(st.integers(0, len(frame)))
        stop = data.draw(st.integers(start, len(frame)))
        assert_same(frame[start:stop], table.rows[start:stop])
        assert_same(frame[start:stop].copy(), table.rows[start:stop])
        for name in table.rows.columns:
            dtype = table.rows.schema[name]
            if dtype.is_float() or dtype.is_integer() or dtype == pl.Boolean:
                found, _ = frame[start:stop].to_numpy(columns=[name])
                expected = table.rows[start:stop][name].cast(pl.Float64).fill_null(float("nan"))
                assert repr(found[:, 0].tolist()) == repr(expected.to_list())
        assert repr(frame[start:stop].to_dicts()) == repr(table.rows[start:stop].to_dicts())
