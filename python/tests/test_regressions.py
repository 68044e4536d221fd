"""Faults that were found by using the package in odd ways, each with its story."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hypostyle as hs
from support import START, WITHOUT, hours, python


def mw(store: hs.Store, keys: Any) -> list[Any]:
    """Return what ``load`` has for keys."""
    return store.join(spine={"ts": keys}, features=["load:mw"], key="ts")["mw"].to_list()


def test_features_that_can_be_read_only_once_are_all_there(store: hs.Store) -> None:
    """The generator was used up by the first of two readers, and the frame came without a single feature."""
    spine = {"ts": hours(2)}
    kinds: list[Callable[[list[str]], Any]] = [iter, lambda names: (n for n in names), dict.fromkeys]
    for once in kinds:
        names: Any = once(["wind:speed_80m", "load:mw"])
        frame = store.get_historical_features(spine, features=names)
        assert frame.columns == ["ts", "speed_80m", "mw"]


def test_a_masked_value_is_null(store: hs.Store) -> None:
    """The mask was dropped, so that whatever lay below it was a key."""
    ticks = np.array(hours(3), dtype="M8[us]")
    assert mw(store, np.ma.array(ticks, mask=[False, True, False])) == [0.0, None, 4.0]
    days: Any = np.ma.array(["2024-01-01", "2024-01-02"], dtype="M8[D]", mask=[True, False])
    spine = {
        "ts": hours(2),
        "whole": np.ma.array([1, 2], mask=[True, False]),
        "flag": np.ma.array([True, False], mask=[True, False]),
        "text": np.ma.array(["a", "b"], mask=[True, False]),
        "day": days,
        "all": np.ma.array([1, 2]),
    }
    rows = store.join(spine=spine, features=["load:mw"], key="ts").to_dicts()
    assert [rows[0][name] for name in spine if name != "ts"] == [None, None, None, None, 1]
    assert [rows[1][name] for name in spine if name != "ts"] == [2, False, "b", dt.date(2024, 1, 2), 2]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1500], "M8[ps]"),
        np.array([10**15], "M8[Y]"),
        np.array([2**62], "m8[D]"),
        np.array([2**62], "M8[10s]"),
    ],
    ids=lambda values: str(values.dtype),
)
def test_times_that_do_not_fit_are_refused(store: hs.Store, values: Any) -> None:
    """numpy wraps what is too large and cuts off what is too fine: other times were joined."""
    with pytest.raises(hs.InvalidRequest, match=r"column `ts`.*do not fit"):
        mw(store, values)


def test_times_of_every_other_unit_are_the_same_times(store: hs.Store) -> None:
    """What numpy's units become is looked at by taking it back."""
    for unit in ("Y", "M", "h", "m", "s", "10s", "100ms", "25us", "ns"):
        assert mw(store, np.array([START, "NaT"], f"M8[{unit}]")) == [0.0, None], unit


def test_days_beyond_pythons_calendar_are_times(store: hs.Store) -> None:
    """They were taken for whole numbers, and beside other days refused as a mixture."""
    spine = {"ts": hours(2), "day": np.array(["2024-01-01", "20000-01-01"], "M8[D]")}
    frame = store.join(spine=spine, features=["load:mw"], key="ts")
    assert frame.schema["day"] == "Timestamp(s)"
    assert frame["day"].to_numpy().tolist()[0] == dt.datetime(2024, 1, 1)


def test_numpys_times_among_other_values_are_a_mixture(store: hs.Store) -> None:
    """5 became the moment 5 seconds after 1970."""
    with pytest.raises(hs.InvalidRequest, match="mixed types"):
        mw(store, [np.datetime64("2024-01-01T01"), 5])


@pytest.mark.parametrize("values", [{1, 2}, frozenset([1]), {1: 2}], ids=repr)
def test_what_has_no_order_is_no_column(store: hs.Store, values: Any) -> None:
    """A set was taken, its values in any order beside those of other columns."""
    with pytest.raises(hs.WrongType, match="must be a sequence"):
        mw(store, values)


HALF = "\udc80"


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.join(key=HALF, tables={"load": ["mw"]}),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", start=HALF),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", memory_limit=HALF),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", strategy=HALF),
        lambda s: s.join(features=[f"load:{HALF}"], key="ts"),
        lambda s: mw(s, [HALF]),
        lambda s: s.join(spine={"ts": [START], HALF: [1]}, features=["load:mw"]),
        lambda s: s.describe(HALF),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts")[HALF],
        lambda s: hs.JoinSpec.from_yaml(HALF),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", last=10**30),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", threads=10**30),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", timeout=10**400),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts", last=np.array([1, 2])),
        lambda s: s.join(tables={"load": np.array([1, 2])}, key="ts"),
        lambda s: s.join(tables={"load": ["mw"]}, key="ts").to_numpy("nonsense"),
        lambda s: mw(s, [dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))]),
        lambda s: s.join(spine=pd.DataFrame({"ts": pd.Series([2**70], dtype=object)}), features=["load:mw"]),
    ],
)
def test_odd_values_are_invalid_requests(store: hs.Store, call: Callable[[hs.Store], object]) -> None:
    """They ended in UnicodeEncodeError, OverflowError or a TypeError of numpy's, which name no argument."""
    with pytest.raises(hs.InvalidRequest):
        call(store)


class WithoutRepr:
    """A value that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_a_value_that_cannot_be_shown_is_refused_by_its_type(store: hs.Store) -> None:
    with pytest.raises(hs.WrongType, match="WithoutRepr"):
        store.join(spine=WithoutRepr(), features=["load:mw"])


def test_numpys_numbers_are_seconds(store: hs.Store) -> None:
    for timeout in (np.float32(60), np.int64(60), 60, dt.timedelta(minutes=1)):
        assert len(store.join(key="ts", tables={"load": ["mw"]}, timeout=timeout)) == 48  # type: ignore[arg-type]


def test_a_store_stays_in_its_folder(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Opened by a relative path, it followed the process from folder to folder."""
    monkeypatch.chdir(root)
    stores = [hs.open(), hs.open("."), hs.open(f"../{root.name}")]
    assert repr(stores[0]) == "hypostyle.open('.')"
    monkeypatch.chdir(tmp_path)
    for store in stores:
        for same in (store, pickle.loads(pickle.dumps(store))):
            assert same.tables() == ["load", "wind"]
            assert len(same.join(key="ts", tables={"load": ["mw"]})) == 48


def test_the_package_to_install_for_a_bar_is_tqdm(root: Path) -> None:
    """The advice was ``pip install tqdm.auto``, which is somebody else's name."""
    code = f"{WITHOUT}\nwithout('tqdm')\nimport hypostyle as hs\n" + (
        "try:\n    hs.open(sys.argv[1]).join(key='ts', tables={'load': ['mw']}, progress=True)\n"
        "except ModuleNotFoundError as e:\n    print(e)\n"
    )
    assert python(code, root) == "progress=True needs tqdm, which is not installed: pip install tqdm\n"


def test_a_hint_names_an_argument_once(tmp_path: Path) -> None:
    """It said "key=…, key=, or"."""
    for name in ("a", "b"):
        pl.DataFrame({"x": [1], "y": [1], "z" + name: [1]}).write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(hs.InvalidRequest, match="several columns") as raised:
        hs.open(tmp_path).join(tables={"a": ["za"], "b": ["zb"]})
    assert raised.value.hint is not None
    assert raised.value.hint.count("key=") == 1


def test_no_column_is_selected_twice(store: hs.Store) -> None:
    """``to_pandas()`` of such a selection had the column four times."""
    frame = store.join(key="ts", tables={"load": ["mw"]})
    with pytest.raises(hs.InvalidRequest, match="'mw' is asked for twice"):
        frame[["ts", "mw", "mw"]]
    assert frame.to_numpy(columns=["mw", "mw"])[0].shape == (48, 2)


def test_a_schema_can_be_copied_and_pickled(store: hs.Store) -> None:
    schema = store.join(key="ts", tables={"load": ["mw"]}).schema
    for same in (copy.copy(schema), copy.deepcopy(schema), pickle.loads(pickle.dumps(schema))):
        assert same == schema
        assert pa.schema(same) == pa.schema(schema)


def test_an_array_is_not_copied_where_that_was_forbidden(store: hs.Store) -> None:
    """``copy=False`` of numpy 2 means: without a copy or not at all."""
    frame = store.join(key="ts", tables={"load": ["mw", "mw_lag24"]})
    assert not np.asarray(frame["mw"], copy=False).flags.owndata
    assert np.array(frame["mw"], copy=True).flags.writeable
    for column, dtype in (("mw", "float32"), ("mw_lag24", None)):
        with pytest.raises(ValueError, match="without a copy"):
            np.asarray(frame[column], dtype=dtype, copy=False)


class Once:
    """An exporter that gives the same capsules again."""

    def __init__(self, capsules: object) -> None:
        self.capsules = capsules

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.capsules


def test_broken_exporters_are_invalid_requests(store: hs.Store) -> None:
    """They were a PanicException, which ``except Exception`` does not catch."""
    batch = pa.record_batch({"ts": hours(2)})
    twice = Once(batch.__arrow_c_array__())
    assert len(store.join(spine=twice, features=["load:mw"])) == 2
    other_type = pa.record_batch({"ts": hours(2), "x": [1, 2]}).__arrow_c_array__()[0]
    for broken in (twice, Once((other_type, batch.__arrow_c_array__()[1]))):
        with pytest.raises(hs.InvalidRequest, match="Arrow"):
            store.join(spine=broken, features=["load:mw"])


def test_values_that_hold_one_another_end(root: Path) -> None:
    """Each was asked for its ``item()``, until the stack was full and the process gone."""
    code = """
import sys, hypostyle as hs
class A:
    def item(self): return B()
class B:
    def item(self): return A()
try:
    hs.open(sys.argv[1]).join(spine={"ts": [A()]}, features=["load:mw"])
except hs.InvalidRequest as e:
    print(e)
"""
    assert "a value of the type A" in python(code, root)


def test_a_subinterpreter_is_refused(root: Path) -> None:
    """Classes of errors of an interpreter that had ended were raised in another."""
    code = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import hypostyle as hs
other = interpreters.create()
failed = interpreters.run_string(other, '''
try:
    import hypostyle
except ImportError as e:
    print("ImportError")
''')
interpreters.destroy(other)
print(failed)
print(len(hs.open(sys.argv[1]).join(key="ts", tables={"load": ["mw"]})))
"""
    assert python(code, root) == "ImportError\nNone\n48\n"


def test_a_pandas_frame_of_nothing_is_filled(store: hs.Store) -> None:
    """Its key is of the type float64, which was refused."""
    pandas = pytest.importorskip("pandas")
    frame = store.join(spine=pandas.DataFrame({"ts": []}), features=["load:mw"])
    assert frame.shape == (0, 2)
    assert frame.schema["ts"] == "Timestamp(µs)"
