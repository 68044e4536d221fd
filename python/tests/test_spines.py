"""The rows to fill, from whatever holds them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hypostyle as hs
from support import NEVER, START, hours

pytestmark = pytest.mark.filterwarnings("ignore::hypostyle.NoMatchWarning")

KEYS = [hours(1, 5)[0], hours(1, 4)[0], hours(1, 5)[0], None, NEVER]
LABELS = ["a", "b", "c", "d", None]
MW = [10.0, 8.0, 10.0, None, None]

TABLE = pa.table({"ts": pa.array(KEYS, pa.timestamp("us")), "label": LABELS})
POLARS = pl.DataFrame({"ts": KEYS, "label": LABELS})
PANDAS = pd.DataFrame({"ts": KEYS, "label": LABELS})
NUMPY = np.array([str(k or "NaT") for k in KEYS], dtype="datetime64[us]")
EMPTY_CHUNK = TABLE.slice(0, 0)


def more_than_asked() -> pa.Table:
    """Return the rows as a slice of chunks that begin and end in the middle of others."""
    return pa.concat_tables([TABLE, EMPTY_CHUNK, TABLE, TABLE]).slice(5, 5)


SOURCES: dict[str, Callable[[], object]] = {
    "polars": lambda: POLARS,
    "polars of two chunks": lambda: pl.concat([POLARS[:2], POLARS[2:]], rechunk=False),
    "polars with a column of nulls alone": lambda: POLARS.with_columns(nothing=None),
    "polars, sliced": lambda: pl.concat([POLARS, POLARS, POLARS])[5:10],
    "pandas": lambda: PANDAS,
    "pandas with an index that is none": lambda: PANDAS.set_index(pd.Index([9, 9, 9, 1, 2])),
    "pandas with the key as its index": lambda: PANDAS.set_index("ts"),
    "pandas with one level of a name": lambda: PANDAS.set_index([pd.Index(range(5)), "ts"]),
    "pandas with a key and an index of one name": lambda: PANDAS.set_index(pd.Index(range(5), name="ts")),
    "pandas, sliced": lambda: pd.concat([PANDAS, PANDAS]).iloc[5:],
    "pandas, every other row": lambda: PANDAS.loc[PANDAS.index.repeat(2)].iloc[::2],
    "pandas in nanoseconds": lambda: PANDAS.astype({"ts": "datetime64[ns]"}),
    "pandas in seconds": lambda: PANDAS.astype({"ts": "datetime64[s]"}),
    "pandas of objects": lambda: pd.DataFrame({"ts": pd.Series(KEYS, dtype=object), "label": LABELS}),
    "pandas of Arrow columns": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "pyarrow table": lambda: TABLE,
    "pyarrow table of chunks": lambda: pa.concat_tables([TABLE.slice(0, 1), EMPTY_CHUNK, TABLE.slice(1)]),
    "pyarrow table, sliced": more_than_asked,
    "pyarrow record batch": lambda: TABLE.to_batches()[0],
    "pyarrow record batch, sliced": lambda: (
        pa.concat_tables([TABLE] * 3).combine_chunks().slice(5, 5).to_batches()[0]
    ),
    "pyarrow reader": lambda: TABLE.to_reader(max_chunksize=2),
    "duckdb relation": lambda: duckdb.from_arrow(TABLE),
    "nanoarrow array": lambda: na.c_array(TABLE.to_batches()[0]),
    "nanoarrow stream": lambda: na.ArrayStream(TABLE),
    "dict of lists": lambda: {"ts": KEYS, "label": LABELS},
    "dict of tuples": lambda: {"ts": tuple(KEYS), "label": tuple(LABELS)},
    "dict of generators": lambda: {"ts": (k for k in KEYS), "label": (v for v in LABELS)},
    "dict of numpy": lambda: {"ts": NUMPY, "label": np.array(LABELS, dtype=object)},
    "dict of every other value": lambda: {"ts": np.repeat(NUMPY, 2)[::2], "label": LABELS},
    "dict of numpy backwards": lambda: {"ts": NUMPY[::-1].copy()[::-1], "label": LABELS},
    "dict of big-endian numpy": lambda: {"ts": NUMPY.astype(">M8[us]"), "label": LABELS},
    "dict of pandas": lambda: {"ts": PANDAS["ts"], "label": PANDAS["label"]},
    "dict of a pandas array": lambda: {"ts": PANDAS["ts"].array, "label": PANDAS["label"].array},
    "dict of numpy's scalars": lambda: {"ts": list(NUMPY), "label": LABELS},
    "dict of pandas' scalars": lambda: {"ts": list(PANDAS["ts"]), "label": LABELS},
    "dict of a pandas index": lambda: {"ts": pd.DatetimeIndex(PANDAS["ts"]), "label": LABELS},
    "dict of polars": lambda: {"ts": POLARS["ts"], "label": POLARS["label"]},
    "dict of pyarrow": lambda: {"ts": TABLE["ts"].combine_chunks(), "label": TABLE["label"]},
    "dict of nanoarrow": lambda: {"ts": na.c_array(TABLE["ts"].combine_chunks()), "label": LABELS},
    "dict of everything": lambda: {"ts": POLARS["ts"], "label": np.array(LABELS, dtype=object)},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_the_frame_has_the_rows_of_the_spine_in_their_order(
    store: hs.Store, source: Callable[[], object]
) -> None:
    frame = store.join(spine=source(), features=["load:mw"], key="ts")
    assert [name for name in frame.columns if name != "nothing"] == ["ts", "label", "mw"]
    assert frame["ts"].to_list() == KEYS
    assert frame["label"].to_list() == LABELS
    assert frame["mw"].to_list() == MW


EMPTY: dict[str, Callable[[], object]] = {
    "polars": lambda: POLARS[:0],
    "polars without a type": lambda: pl.DataFrame({"ts": []}),
    "pandas": lambda: PANDAS[:0],
    "pandas without a type": lambda: pd.DataFrame({"ts": []}, dtype=object),
    "pyarrow": lambda: EMPTY_CHUNK,
    "pyarrow without chunks": lambda: TABLE.schema.empty_table(),
    "pyarrow reader without batches": lambda: pa.RecordBatchReader.from_batches(TABLE.schema, []),
    "pyarrow batch": lambda: pa.record_batch({"ts": pa.array([], pa.timestamp("us"))}),
    "duckdb": lambda: duckdb.from_arrow(EMPTY_CHUNK),
    "dict of lists": lambda: {"ts": []},
    "dict of numpy": lambda: {"ts": NUMPY[:0]},
}


@pytest.mark.parametrize("source", EMPTY.values(), ids=EMPTY.keys())
def test_a_spine_without_rows_gives_a_frame_without_rows(
    store: hs.Store, source: Callable[[], object]
) -> None:
    frame = store.join(spine=source(), features=["load:mw"], key="ts")
    assert len(frame) == 0
    assert frame.schema["mw"] == "Float64"


NULLS: dict[str, Callable[[], object]] = {
    "polars": lambda: pl.DataFrame({"ts": [None, None]}),
    "pyarrow": lambda: pa.table({"ts": pa.nulls(2)}),
    "pandas": lambda: pd.DataFrame({"ts": pd.Series([None, None], dtype=object)}),
    "pandas, NaT": lambda: pd.DataFrame({"ts": pd.Series([pd.NaT, pd.NaT])}),
    "numpy, NaT": lambda: {"ts": np.array(["NaT", "NaT"], dtype="M8[ms]")},
    "list": lambda: {"ts": [None, pd.NaT]},
    "list of NA": lambda: {"ts": [pd.NA, None]},
}


@pytest.mark.parametrize("source", NULLS.values(), ids=NULLS.keys())
def test_null_keys_match_nothing(store: hs.Store, source: Callable[[], object]) -> None:
    frame = store.join(spine=source(), features=["load:mw"], key="ts")
    assert frame["ts"].to_list() == [None, None]
    assert frame["mw"].to_list() == [None, None]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> hs.Store:
    """Give a store whose tables have one value each for four keys of one kind."""
    folder = tmp_path_factory.mktemp("kinds")
    keys: dict[str, pl.Series] = {
        "text": pl.Series(["a", "ö", "", "d"]),
        "whole": pl.Series([1, 2, 3, 4], dtype=pl.Int64),
        "huge": pl.Series([1, 2, 2**64 - 2, 2**64 - 1], dtype=pl.UInt64),
        "zoned": pl.Series(hours(4)).dt.replace_time_zone("UTC"),
        "nanos": pl.Series(hours(4)).dt.cast_time_unit("ns"),
        "day": pl.Series([date(2024, 1, 1) + timedelta(days=i) for i in range(4)]),
        "money": pl.Series([Decimal("1.00"), Decimal("2.50"), Decimal("3.00"), Decimal("4.25")]),
        "bytes": pl.Series([b"a", b"\xff", b"", b"\0"]),
        "flag": pl.Series([False, True]),
    }
    for name, values in keys.items():
        table = pl.DataFrame({"key": values, "x": range(len(values))})
        table.write_parquet(folder / f"{name}.parquet")
    return hs.open(folder)


BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = START.replace(tzinfo=UTC)

KINDS: list[tuple[str, object, list[int | None]]] = [
    ("text", ["d", "a", None, "zz"], [3, 0, None, None]),
    ("text", np.array(["d", "a", "", "ö"]), [3, 0, 2, 1]),
    ("text", np.array(["d", "a", None], dtype=object), [3, 0, None]),
    ("text", np.array([b"d"], dtype="S1").astype(str), [3]),
    ("text", pd.Series(["d", "a", None], dtype=object), [3, 0, None]),
    ("text", pd.Series(["d", "a", None], dtype="str"), [3, 0, None]),
    ("text", pd.Series(["d", "a", None], dtype="category"), [3, 0, None]),
    ("text", pl.Series(["d", "a", None], dtype=pl.Categorical), [3, 0, None]),
    ("text", pl.Series(["d", "a", None], dtype=pl.Enum(["a", "d"])), [3, 0, None]),
    ("text", pa.array(["d", "a", None]).dictionary_encode(), [3, 0, None]),
    (
        "text",
        pa.chunked_array([pa.array(["d"]).dictionary_encode(), pa.array(["a"]).dictionary_encode()]),
        [3, 0],
    ),
    ("text", pa.array(["d", "a", None], pa.large_string()), [3, 0, None]),
    ("text", pa.array(["d", "a", None], pa.string_view()), [3, 0, None]),
    ("whole", [4, 1, None, 99], [3, 0, None, None]),
    ("whole", range(1, 5), [0, 1, 2, 3]),
    ("whole", [np.int8(4), np.uint64(1)], [3, 0]),
    ("whole", np.array([4, 1], dtype="i1"), [3, 0]),
    ("whole", np.array([4, 1], dtype=">u2"), [3, 0]),
    ("whole", np.array([4, 1], dtype="u8"), [3, 0]),
    ("whole", np.array([4, 1], dtype=object), [3, 0]),
    ("whole", pd.array([4, None, 1], dtype="Int64"), [3, None, 0]),
    ("whole", pd.Series([4, None, 1], dtype="UInt8"), [3, None, 0]),
    ("whole", pd.Series([4, None, 1], dtype="int32[pyarrow]"), [3, None, 0]),
    ("whole", pd.Series([4, 1], dtype="category"), [3, 0]),
    ("whole", pl.Series([4, 1], dtype=pl.UInt8), [3, 0]),
    ("huge", [2**64 - 1, 1, None], [3, 0, None]),
    ("zoned", [MIDNIGHT + timedelta(hours=3), MIDNIGHT], [3, 0]),
    ("zoned", [datetime(2024, 1, 1, 1, tzinfo=BERLIN), MIDNIGHT], [0, 0]),
    ("zoned", pd.Series([MIDNIGHT, pd.NaT]).dt.tz_convert("Europe/Berlin"), [0, None]),
    ("zoned", pl.Series([MIDNIGHT]).dt.convert_time_zone("Asia/Kathmandu"), [0]),
    ("nanos", [START, None], [0, None]),
    ("nanos", np.array(["2024-01-01T01"], dtype="M8[h]"), [1]),
    ("nanos", [np.datetime64("2024-01-01T02"), None], [2, None]),
    ("nanos", pd.array([pd.Timestamp("2024-01-01T02:00:00.000000001"), pd.NaT]), [None, None]),
    ("nanos", pd.Series([pd.Timestamp("2024-01-01T02:00:00.000000001")]), [None]),
    ("nanos", [pd.Timestamp("2024-01-01 02:00")], [2]),
    ("day", [date(2024, 1, 4), None], [3, None]),
    ("day", np.array(["2024-01-02", "NaT"], dtype="M8[D]"), [1, None]),
    ("money", [Decimal("4.25"), Decimal("1"), Decimal("1.001"), None], [3, 0, None, None]),
    ("bytes", [b"\0", b"", None], [3, 2, None]),
    ("flag", [True, False, None], [1, 0, None]),
    ("flag", np.array([True, False]), [1, 0]),
    ("flag", pd.array([True, None], dtype="boolean"), [1, None]),
]


@pytest.mark.parametrize(
    ("table", "keys", "expected"), KINDS, ids=[f"{k[0]}-{i}" for i, k in enumerate(KINDS)]
)
def test_keys_of_every_kind_find_their_rows(
    kinds: hs.Store, table: str, keys: Iterable[Any], expected: list[int | None]
) -> None:
    frame = kinds.join(spine={"key": keys}, features=[f"{table}:x"], key="key")
    assert frame["x"].to_list() == expected


def test_a_zoned_key_stays_in_its_zone(kinds: hs.Store) -> None:
    spine = pd.DataFrame({"key": pd.Series([MIDNIGHT]).dt.tz_convert("Europe/Berlin")})
    frame = kinds.join(spine=spine, features=["zoned:x"], key="key")
    assert frame["key"].to_list() == [datetime(2024, 1, 1, 1, tzinfo=BERLIN)]
    assert str(frame.to_pandas()["key"].dt.tz) == "Europe/Berlin"
    assert frame.to_polars().schema["key"] == pl.Datetime("us", "Europe/Berlin")


def test_a_frame_is_a_spine(store: hs.Store) -> None:
    first = store.join(tables={"wind": ["speed_80m"]}, key="ts", last=3)
    second = store.join(spine=first, features=["load:mw"], key="ts")
    assert second.columns == ["ts", "speed_80m", "mw"]
    assert second["mw"].to_list() == [90.0, 92.0, 94.0]


def test_what_becomes_of_the_source_changes_no_frame(store: hs.Store) -> None:
    keys = NUMPY[:2].copy()
    values = np.array([1.0, 2.0])
    pandas = pd.DataFrame({"ts": keys, "v": values})
    view = pa.record_batch(
        [pa.array(keys), pa.Array.from_buffers(pa.float64(), 2, [None, pa.py_buffer(values)])], ["ts", "v"]
    )
    lists: dict[str, list[Any]] = {"ts": list(KEYS[:2]), "v": [1.0, 2.0]}
    sources = [{"ts": keys, "v": values}, pandas, view, lists]
    frames = [store.join(spine=source, features=["load:mw"], key="ts") for source in sources]
    keys[:] = np.datetime64("NaT")
    values[:] = -1
    pandas["v"] = 0.0
    lists["v"].clear()
    del keys, values, pandas, view, lists, sources
    gc.collect()
    churn = [np.ones(100) for _ in range(1000)]
    for frame in frames:
        assert frame["ts"].to_list() == KEYS[:2]
        assert frame["v"].to_list() == [1.0, 2.0]
        assert frame["mw"].to_list() == MW[:2]
    del churn


def test_a_spine_carries_columns_of_every_type(store: hs.Store) -> None:
    carried = pa.table(
        {
            "ts": pa.array(KEYS[:2], pa.timestamp("us")),
            "list": [[1, None], None],
            "struct": [{"a": 1}, {"a": None}],
            "dictionary": pa.array(["x", "y"]).dictionary_encode(),
            "decimal": pa.array([Decimal("1.5"), None]),
            "bytes": [b"\0", None],
            "time": pa.array([1, None], pa.time64("ns")),
            "float": pa.array([float("nan"), None]),
            "view": pa.array(["a view that is longer than twelve bytes", None], pa.string_view()),
        }
    )
    frame = store.join(spine=carried, features=["load:mw"], key="ts").to_arrow()
    assert frame.select(carried.column_names).to_pylist()[1] == carried.to_pylist()[1]
    for name in carried.column_names:
        assert frame[name].type == carried[name].type
        assert frame[name].combine_chunks().is_null().equals(carried[name].combine_chunks().is_null())


def test_ten_million_rows(tmp_path: Path) -> None:
    rows = 10_000_000
    pl.DataFrame({"id": range(1000), "x": [i * 0.5 for i in range(1000)]}).write_parquet(
        tmp_path / "t.parquet"
    )
    keys = np.arange(rows, dtype="i8") % 1001
    frame = hs.open(tmp_path).join(spine={"id": keys}, features=["t:x"], key="id")
    found = frame["x"].to_numpy()
    assert len(frame) == rows
    assert np.isnan(found).sum() == (keys == 1000).sum()
    assert np.nansum(found) == (keys[keys < 1000] * 0.5).sum()
