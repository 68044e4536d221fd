"""What comes out of a frame, and which memory it is."""

from __future__ import annotations

import gc
import pickle
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import hypostyle as hs
from support import assert_same, hours

BERLIN = ZoneInfo("Europe/Berlin")

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i8": (pa.int8(), [-128, 127, 0]),
    "i16": (pa.int16(), [-(2**15), 2**15 - 1, 0]),
    "i32": (pa.int32(), [-(2**31), 2**31 - 1, 0]),
    "i64": (pa.int64(), [-(2**53), 2**53, 0]),
    "u8": (pa.uint8(), [255, 1, 0]),
    "u16": (pa.uint16(), [65535, 1, 0]),
    "u32": (pa.uint32(), [2**32 - 1, 1, 0]),
    "u64": (pa.uint64(), [2**53, 1, 0]),
    "f32": (pa.float32(), [1.5, -0.0, float("inf")]),
    "f64": (pa.float64(), [0.1, -1e300, 5e-324]),
    "flag": (pa.bool_(), [True, False, True]),
    "text": (pa.string(), ["plain", "ö\0<&", ""]),
    "bytes": (pa.binary(), [b"\0\xff", b"", b"x"]),
    "fixed": (pa.binary(2), [b"ab", b"\0\0", b"cd"]),
    "money": (pa.decimal128(9, 2), [Decimal("1.25"), Decimal("-3.50"), Decimal("0.00")]),
    "day": (pa.date32(), [date(2024, 2, 29), date(1969, 12, 31), date(9999, 12, 31)]),
    "clock": (pa.time64("us"), [time(1, 2, 3, 4), time(0), time(23, 59, 59, 999999)]),
    "ms": (
        pa.timestamp("ms"),
        [datetime(2024, 1, 1, 0, 0, 0, 1000), datetime(1900, 1, 1), datetime(2262, 1, 1)],
    ),
    "us": (
        pa.timestamp("us"),
        [datetime(2024, 1, 1, 0, 0, 0, 1), datetime(1900, 1, 1), datetime(2262, 1, 1)],
    ),
    "ns": (
        pa.timestamp("ns"),
        [datetime(2024, 1, 1, 0, 0, 0, 1), datetime(1900, 1, 1), datetime(2262, 1, 1)],
    ),
    "utc": (pa.timestamp("us", "UTC"), [datetime(2024, 1, 1, tzinfo=UTC)] * 3),
    "berlin": (pa.timestamp("us", "Europe/Berlin"), [datetime(2024, 7, 1, tzinfo=BERLIN)] * 3),
    "span": (pa.duration("us"), [timedelta(days=1, microseconds=1), timedelta(-1), timedelta(0)]),
    "list": (pa.list_(pa.int32()), [[1, None, 2], [], [3]]),
    "struct": (
        pa.struct([("a", pa.int8()), ("b", pa.string())]),
        [{"a": 1, "b": None}, {"a": None, "b": "x"}, {"a": 2, "b": ""}],
    ),
    "category": (pa.dictionary(pa.int32(), pa.string()), ["a", "b", "a"]),
}
NUMBERS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "flag", "money"]


def table(nulls: bool) -> pa.Table:
    """Return three rows of every type, and a fourth of nulls."""
    more = [None] if nulls else []
    columns = {name: pa.array([*values, *more], kind) for name, (kind, values) in VALUES.items()}
    return pa.table({"id": pa.array(range(3 + nulls), pa.int64()), **columns})


@pytest.fixture(scope="module", params=[False, True], ids=["full", "nulls"])
def typed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[hs.Frame, pa.Table]:
    """Give a frame with a column of every type and the table that it must equal."""
    folder = tmp_path_factory.mktemp("typed")
    written = table(request.param)
    pa.parquet.write_table(written, folder / "t.parquet")
    return hs.open(folder).join(key="id", tables={"t": list(VALUES)}), written


def test_arrow_has_every_type_null_and_value(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    assert frame.to_arrow().schema.equals(written.schema)
    assert frame.to_arrow().equals(written)
    assert pa.schema(frame.schema).equals(written.schema)
    assert frame.to_arrow().to_pylist() == written.to_pylist()


def test_polars_has_every_type_null_and_value(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    expected = pl.DataFrame(written)
    assert_same(frame, expected)
    assert frame.to_polars().null_count().row(0) == expected.null_count().row(0)


def test_other_libraries_take_the_frame_as_it_is(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    assert len(na.ArrayStream(frame).read_all()) == len(frame)
    numbers = frame.select(["id", "i8", "text"])
    relation: Any = duckdb.sql("select sum(id), count(i8), min(text) from numbers")
    assert relation.fetchall() == [(sum(written["id"].to_pylist()), 3, "")]
    assert cast(Any, pd.DataFrame).from_arrow(numbers).shape == (len(frame), 3)


def test_python_values_are_what_was_written(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    for name, (_, values) in VALUES.items():
        found = frame[name].to_list()
        assert found[:3] == values, name
        assert found[3:] == [None] * (len(written) - 3)
        assert {type(value) for value in found[:3]} == {type(value) for value in values}, name
    assert [row["text"] for row in frame.to_dicts()] == frame["text"].to_list()


def test_columns_tell_name_type_length_and_nulls(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    for name in VALUES:
        column = frame[name]
        assert (column.name, len(column)) == (name, len(written))
        assert column.null_count == written[name].null_count
        assert column.type == frame.schema[name]
        assert name in repr(column)
        assert pa.array(column).equals(written[name].combine_chunks())
        assert pa.field(column).type == written[name].type
        assert pl.Series(column).equals(pl.Series(written[name]))


def test_pandas_has_numpy_columns_by_default(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    pandas = frame.to_pandas()
    nulls = len(written) > 3
    assert list(pandas.columns) == frame.columns
    assert pandas["id"].tolist() == written["id"].to_pylist()
    assert pandas.index.equals(pd.RangeIndex(len(written)))
    kinds: dict[str, Any] = {name: pandas[name].dtype for name in VALUES}
    for name in ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]:
        assert kinds[name] == ("float64" if nulls else written[name].type.to_pandas_dtype())
    assert (kinds["f32"], kinds["f64"]) == ("float32", "float64")
    assert kinds["flag"] == ("object" if nulls else "bool")
    assert kinds["text"] == "str"
    assert [str(kinds[name]) for name in ("ms", "us", "ns")] == [
        f"datetime64[{u}]" for u in ("ms", "us", "ns")
    ]
    assert str(kinds["utc"]) == "datetime64[us, UTC]"
    assert str(kinds["berlin"]) == "datetime64[us, Europe/Berlin]"
    assert str(kinds["span"]) == "timedelta64[us]"
    for name in ["bytes", "fixed", "money", "day", "clock", "list", "struct"]:
        assert kinds[name] == "object"
    for name, (_, values) in VALUES.items():
        assert pandas[name].tolist()[:3] == values, name
        assert pandas[name].isna().sum() == nulls, name


def test_pandas_columns_can_be_written_to(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, _ = typed
    pandas: Any = frame.to_pandas()
    for name in ("i32", "f64", "flag"):
        pandas.loc[0, name] = pandas.loc[1, name]
        pandas[name] = pandas[name].to_numpy().copy()
    assert frame["f64"].to_list()[0] == 0.1


def test_pandas_has_arrow_columns_when_asked(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    pandas = frame.to_pandas(arrow=True)
    assert list(pandas.columns) == frame.columns
    for name in VALUES:
        assert pandas[name].dtype == pd.ArrowDtype(written[name].type)
    assert pa.table(pandas).cast(written.schema).equals(written)


def test_numpy_has_the_numbers_of_every_width(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    expected = np.array(
        [[float("nan") if v is None else float(v) for v in written[name].to_pylist()] for name in NUMBERS]
    ).T
    for dtype in ("float64", "float32"):
        for order in ("C", "F"):
            array, names = frame.to_numpy(cast(Any, dtype), cast(Any, order), columns=NUMBERS)
            assert names == NUMBERS
            assert array.dtype == dtype
            assert array.flags.writeable
            assert array.flags.c_contiguous if order == "C" else array.flags.f_contiguous
            with np.errstate(over="ignore"):
                np.testing.assert_array_equal(array, expected.astype(dtype))


@pytest.mark.parametrize("column", ["text", "bytes", "day", "us", "berlin", "list", "struct"])
def test_numpy_refuses_what_is_no_number_by_name(typed: tuple[hs.Frame, pa.Table], column: str) -> None:
    frame, _ = typed
    with pytest.raises(hs.InvalidRequest, match=column) as raised:
        frame.to_numpy(columns=["f64", column])
    assert raised.value.column == column


def test_numpy_of_all_features_leaves_the_key_out(store: hs.Store) -> None:
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw", "mw_lag24"]})
    array, names = frame.to_numpy()
    assert names == ["speed_80m", "mw", "mw_lag24"]
    assert array.shape == (48, 3)
    np.testing.assert_array_equal(array[:, 1], np.arange(48) * 2.0)
    assert np.isnan(array[:24, 2]).all()
    np.testing.assert_array_equal(array[24:, 2], np.arange(24.0))
    sliced, _ = frame[24:].to_numpy("float32", "F", columns=["mw_lag24"])
    np.testing.assert_array_equal(sliced[:, 0], np.arange(24, dtype="f4"))
    empty, names = frame[:0].to_numpy()
    assert empty.shape == (0, 3)
    assert frame.select(["ts"]).to_numpy()[0].shape == (48, 0)


def test_numpy_columns_have_numpys_types(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    nulls = len(written) > 3
    for name, (kind, values) in VALUES.items():
        array = frame[name].to_numpy()
        assert len(array) == len(written)
        if pa.types.is_integer(kind):
            assert array.dtype == ("float64" if nulls else kind.to_pandas_dtype())
            assert array[:3].tolist() == values
        elif name in ("utc", "berlin"):
            assert array.dtype == "M8[us]"
            assert array[0].item().replace(tzinfo=UTC) == values[0]
        elif name == "day":
            assert array.dtype == "M8[D]"
            assert array[:3].tolist() == values
        elif name == "flag":
            assert array.dtype == ("object" if nulls else "bool")
        if nulls:
            assert pd.isna(array[3])
        assert np.asarray(frame[name]).dtype == array.dtype
    assert np.asarray(frame["i8"], dtype="float32").dtype == "float32"
    assert np.array(frame["f64"], copy=True).flags.writeable


def address(array: np.ndarray[Any, Any]) -> int:
    found = array.__array_interface__["data"][0]
    assert isinstance(found, int)
    return found


def addresses(frame: hs.Frame, name: str) -> tuple[int, int, int, int]:
    """Return where numpy, Polars, pyarrow and a pandas of Arrow columns find the values of a column."""
    arrow = frame.to_arrow()[name].chunk(0)
    pandas = frame.to_pandas(arrow=True)[name].array.__arrow_array__().chunk(0)
    width = arrow.type.bit_width // 8
    return (
        address(frame[name].to_numpy()),
        address(frame.to_polars()[name].to_numpy(allow_copy=False)),
        arrow.buffers()[1].address + arrow.offset * width,
        pandas.buffers()[1].address + pandas.offset * width,
    )


def test_columns_are_handed_over_without_a_copy(store: hs.Store) -> None:
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]})
    for name in ("ts", "speed_80m", "mw"):
        whole = addresses(frame, name)
        assert len(set(whole)) == 1, name
        assert set(addresses(frame[10:20], name)) == {whole[0] + 80}
        assert addresses(frame, name) == whole
        assert set(addresses(frame.select([name]), name)) == set(whole)
        assert set(addresses(frame.copy(), name)).isdisjoint(whole)
        assert address(frame[name].copy().to_numpy()) != whole[0]
    assert not frame["mw"].to_numpy().flags.writeable


def test_handed_over_memory_outlives_the_frame_and_the_store(root: Path) -> None:
    store = hs.open(root)
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw", "mw_lag24"]}, last=24)
    expected = [2.0 * i for i in range(24, 48)]
    numpy, polars, arrow, own = (
        frame["mw"].to_numpy(),
        frame.to_polars(),
        frame.to_arrow(),
        frame["mw"].copy(),
    )
    view = memoryview(cast(Any, numpy))
    store.close()
    del frame, store
    gc.collect()
    churn = [np.ones(24) for _ in range(1000)]
    assert numpy.tolist() == polars["mw"].to_list() == arrow["mw"].to_pylist() == own.to_list() == expected
    assert view.tolist() == expected
    assert polars["mw_lag24"].to_list() == [float(i) for i in range(24)]
    del churn


def test_frames_are_sliced_like_lists_and_picked_like_dicts(store: hs.Store) -> None:
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]})
    polars = frame.to_polars()
    for rows in (slice(3, 7), slice(-3, None), slice(None, 5), slice(40, 99), slice(7, 3), slice(None)):
        assert_same(frame[rows], polars[rows])
        assert len(frame[rows].copy()) == len(polars[rows])
    assert frame[["mw", "ts"]].columns == ["mw", "ts"]
    assert frame.select(["ts", "mw"]).features == ["mw"]
    assert frame.select(["mw"]).features == ["mw"]
    assert "mw" in frame
    assert "nope" not in frame
    assert list(frame) == frame.columns == ["ts", "speed_80m", "mw"]
    assert frame.shape == (48, 3)
    with pytest.raises(hs.InvalidRequest, match="step"):
        frame[::2]
    for wrong in ("mv", ["ts", "mv"]):
        with pytest.raises(hs.InvalidRequest, match="mv") as raised:
            frame[wrong]
        assert raised.value.column == "mv"
        assert "mw" in str(raised.value.hint)
    for item in (1, None, 1.5, [1]):
        with pytest.raises(hs.WrongType):
            frame[cast(Any, item)]


def test_batches_are_pieces_of_the_frame(store: hs.Store) -> None:
    frame = store.join(key="ts", tables={"load": ["mw"]})
    for rows, lengths in ((10, [10, 10, 10, 10, 8]), (48, [48]), (100, [48]), (1, [1] * 48)):
        pieces = list(frame.to_batches(rows))
        assert [len(piece) for piece in pieces] == lengths
        assert_same(pl.concat([piece.to_polars() for piece in pieces]), frame.to_polars())
    assert list(frame[:0].to_batches()) == []
    assert len(list(frame.to_batches())) == 1
    for wrong in (0, -1):
        with pytest.raises(hs.InvalidRequest, match="rows"):
            frame.to_batches(wrong)
    with pytest.raises(hs.WrongType, match="rows"):
        frame.to_batches(cast(Any, 1.5))


def test_frames_are_pickled_with_their_rows(typed: tuple[hs.Frame, pa.Table]) -> None:
    frame, written = typed
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(frame, protocol))
        assert again.to_arrow().equals(written)
        assert again.stats == frame.stats
        assert again.features == frame.features
    part = pickle.loads(pickle.dumps(frame[1:2]))
    assert part.to_arrow().equals(written.slice(1, 1))
    assert len(pickle.loads(pickle.dumps(frame[:0]))) == 0


def test_a_part_that_is_pickled_leaves_the_rest_behind(tmp_path: Path) -> None:
    pl.DataFrame({"id": range(100_000), "x": [0.5] * 100_000}).write_parquet(tmp_path / "t.parquet")
    frame = hs.open(tmp_path).join(key="id", tables={"t": ["x"]})
    assert len(pickle.dumps(frame[:10])) < 10_000


WRITTEN = ["ts", "speed_80m", "mw_lag24"]


@pytest.mark.parametrize("suffix", ["arrow", "arrows", "parquet", "csv", "ndjson"])
def test_every_format_that_is_written_is_read_back(store: hs.Store, tmp_path: Path, suffix: str) -> None:
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw_lag24"]})
    path = tmp_path / f"out.{suffix}"
    for _ in range(2):
        frame.write(path)
    expected = frame.to_polars()
    assert_same(read(path, suffix).with_columns(pl.col("ts").cast(pl.Datetime("us"))), expected)
    word: Any = {"arrows": "stream"}.get(suffix, suffix)
    frame[30:34].write(str(tmp_path / "out"), format=word)
    assert_same(
        read(tmp_path / "out", suffix).with_columns(pl.col("ts").cast(pl.Datetime("us"))), expected[30:34]
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["out", f"out.{suffix}"])


def read(path: Path, suffix: str) -> pl.DataFrame:
    if suffix == "arrow":
        return pl.read_ipc(path.read_bytes())
    if suffix == "arrows":
        return pl.read_ipc_stream(path)
    if suffix == "parquet":
        return pl.read_parquet(path)
    if suffix == "csv":
        return pl.read_csv(path, try_parse_dates=True)
    return pl.read_ndjson(path).with_columns(pl.col("ts").str.to_datetime())


@pytest.mark.parametrize("suffix", ["arrow", "arrows", "parquet"])
def test_columns_of_every_type_are_read_back(
    typed: tuple[hs.Frame, pa.Table], tmp_path: Path, suffix: str
) -> None:
    frame, written = typed
    path = tmp_path / f"out.{suffix}"
    frame.write(path)
    if suffix == "parquet":
        found = pa.parquet.read_table(path)
    else:
        open_it = pa.ipc.open_file if suffix == "arrow" else pa.ipc.open_stream
        found = open_it(path.read_bytes()).read_all()
    assert found.to_pylist() == written.to_pylist()
    assert found.schema.equals(written.schema)


def test_what_cannot_be_written_is_said(typed: tuple[hs.Frame, pa.Table], tmp_path: Path) -> None:
    frame, _ = typed
    with pytest.raises(hs.InvalidRequest, match=r"out\.xlsx"):
        frame.write(tmp_path / "out.xlsx")
    with pytest.raises(hs.InvalidRequest, match="format"):
        frame.write(tmp_path / "out", format=cast(Any, "excel"))
    with pytest.raises(hs.WrongType, match="format"):
        frame.write(tmp_path / "out", format=cast(Any, 1))
    with pytest.raises(hs.WrongType, match="path"):
        frame.write(cast(Any, 1))
    with pytest.raises(hs.HypostyleError) as raised:
        frame.write(tmp_path / "no" / "such" / "folder.arrow")
    assert "folder.arrow" in str(raised.value)
    with pytest.raises(hs.HypostyleError, match=r"list|struct|bytes"):
        frame.write(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


HOSTILE = "<script>alert('x')</script>\"&\x1b[31m\n"


def test_a_preview_is_short_and_obeys_nobody(tmp_path: Path) -> None:
    table = pa.table(
        {"id": range(100), HOSTILE: [HOSTILE * 100] * 100, "wide": ["漢字"] * 100, "n": [None, 0.5] * 50}
    )
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    frame = hs.open(tmp_path).join(key="id", tables={"t": "*"})
    text = repr(frame)
    assert text.startswith("hypostyle.Frame: 100 rows × 4 columns\n")
    assert len(text.splitlines()) == 14
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "null" in text
    html = frame._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in html
    assert "\x1b" not in html
    assert html.count("<tr>") == 12
    assert len(html) < 10_000
    assert "100 rows × 4 columns" in html


@pytest.mark.parametrize("rows", [0, 1, 10, 11, 12, 48])
def test_a_preview_shows_the_first_and_last_rows(store: hs.Store, rows: int) -> None:
    frame = store.join(key="ts", tables={"load": ["mw"]})[:rows]
    shown = min(rows, 11)
    assert len(repr(frame).splitlines()) == 3 + shown
    assert frame._repr_html_().count("<td") == 2 * shown
    assert ("…" in repr(frame)) == (rows > 11)
    if rows == 48:
        assert "0.0" in repr(frame)
        assert "94.0" in repr(frame)


def test_a_preview_of_many_columns_leaves_some_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"id": [1], **{f"column_{i}": [i] for i in range(200)}}).write_parquet(
        tmp_path / "t.parquet"
    )
    frame = hs.open(tmp_path).join(key="id", tables={"t": "*"})
    for width in (20, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = repr(frame).splitlines()
        assert max(map(len, lines[1:])) <= width
        assert all(line.rstrip().endswith("…") for line in lines[1:])
    assert "171 more" in frame._repr_html_()


def test_times_that_python_has_not_are_refused_and_not_cut_off(tmp_path: Path) -> None:
    times = pa.array([1, 10**9 + 1], pa.timestamp("ns"))
    pa.parquet.write_table(pa.table({"id": [1, 2], "t": times}), tmp_path / "t.parquet")
    frame = hs.open(tmp_path).join(key="id", tables={"t": ["t"]})
    with pytest.raises(hs.Unsupported, match="t") as raised:
        frame["t"].to_list()
    assert raised.value.column == "t"
    assert frame["t"].to_numpy().astype("i8").tolist() == [1, 10**9 + 1]
    assert frame.to_arrow()["t"].cast(pa.int64()).to_pylist() == [1, 10**9 + 1]


def test_frames_and_columns_are_known_to_have_only_their_own_types(store: hs.Store) -> None:
    frame = store.join(key="ts", tables={"load": ["mw"]}, last=2)
    stream = pa.RecordBatchReader.from_stream(frame, schema=frame.to_arrow().schema)
    assert stream.read_all().num_rows == 2
    assert dict(frame.schema) == {"ts": "Timestamp(µs)", "mw": "Float64"}
    assert "Float64" in repr(frame.schema)
    assert hours(2, 46) == frame["ts"].to_list()
