"""Where pyarrow, pandas, Polars, numpy or tqdm are not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import WITHOUT, python

JOIN = """
import warnings
import hypostyle as hs
warnings.simplefilter("ignore", hs.NoMatchWarning)
store = hs.open(sys.argv[1])
def mw(spine):
    frame = store.join(spine=spine, features=["load:mw"], key="ts")
    return frame["ts"].to_list(), frame["mw"].to_list()
"""

PANDAS = """
import pandas as pd, numpy as np
from datetime import datetime, timedelta
keys = [datetime(2024, 1, 1, 5), None, datetime(2024, 1, 1, 4), datetime(2030, 1, 1)]
expected = keys, [10.0, None, 8.0, None]
times = pd.DataFrame({"ts": keys})
for frame in [
    times,
    times.astype("datetime64[ns]"),
    times.astype("datetime64[s]"),
    times.set_index("ts"),
    times.set_index(pd.Index([3, 3, 3, 4])),
    pd.concat([times, times]).iloc[4:],
    pd.DataFrame({"ts": pd.Series(keys, dtype=object)}),
    pd.DataFrame({"ts": pd.Series(keys, dtype="category")}),
    {"ts": times["ts"]},
    {"ts": times["ts"].array},
    {"ts": pd.DatetimeIndex(times["ts"])},
    {"ts": keys},
]:
    assert mw(frame) == expected, frame

carried = times.assign(
    text=pd.Series(["a", None, "c", "d"], dtype="str"),
    object=pd.Series(["a", None, "c", "d"], dtype=object),
    category=pd.Series(["a", None, "c", "d"], dtype="category"),
    whole=pd.array([1, None, 3, 4], dtype="Int64"),
    flag=pd.array([True, None, False, True], dtype="boolean"),
    number=[1.5, float("nan"), 3.0, 4.0],
    span=pd.Series([timedelta(1), None, timedelta(2), timedelta(3)]),
    zoned=pd.Series(keys).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
)
frame = store.join(spine=carried, features=["load:mw"], key="ts")
rows = frame.to_dicts()
assert frame.features == ["mw"]
assert set(list(rows[1].values())) == {None}, rows[1]
first = rows[0]
assert [first[name] for name in ("text", "object", "category", "whole", "flag", "number", "span")] == \\
    ["a", "a", "a", 1, True, 1.5, timedelta(1)], first
assert first["zoned"].isoformat() == "2024-01-01T06:00:00+01:00"

back = frame.to_pandas()
assert list(back.columns) == frame.columns
assert back["ts"].dtype.kind == "M" and back["ts"].isna().tolist() == [False, True, False, False]
assert back["mw"].tolist()[0] == 10.0 and np.isnan(back["mw"].tolist()[1])
assert back["text"].tolist()[:1] == ["a"] and back["text"].isna()[1]

try:
    mw(pd.DataFrame({"ts": [1, "a"]}))
except hs.InvalidRequest as error:
    assert error.column == "ts" and "mixed" in str(error), error
else:
    raise AssertionError
try:
    frame.to_pandas(arrow=True)
except ModuleNotFoundError as error:
    assert "pip install pyarrow" in str(error) and error.name == "pyarrow"
else:
    raise AssertionError
print("fine")
"""


def test_a_pandas_frame_is_a_spine_without_pyarrow(root: Path) -> None:
    assert python(WITHOUT + 'without("pyarrow")\n' + JOIN + PANDAS, root) == "fine\n"


@pytest.mark.parametrize(
    ("library", "call", "others"),
    [
        ("polars", "frame.to_polars()", []),
        ("pyarrow", "frame.to_arrow()", []),
        ("pandas", "frame.to_pandas()", ["pyarrow"]),
        ("pandas", "frame.to_df()", []),
        ("pyarrow", "frame.to_pandas(arrow=True)", []),
        ("numpy", "frame.to_numpy()", ["pandas", "polars", "pyarrow"]),
        ("numpy", "frame['mw'].to_numpy()", ["pandas", "polars", "pyarrow"]),
        ("tqdm", "store.join(key='ts', tables={'load': ['mw']}, progress=True)", []),
    ],
)
def test_what_needs_a_library_names_it_and_how_to_get_it(
    root: Path, library: str, call: str, others: list[str]
) -> None:
    code = f"""
without({", ".join(map(repr, [library, *others]))})
{JOIN}
frame = store.join(key="ts", tables={{"load": ["mw"]}}, last=2)
try:
    {call}
except ModuleNotFoundError as error:
    print(error)
"""
    printed = python(WITHOUT + code, root)
    assert f"needs {library}" in printed
    assert f"pip install {library}" in printed


def test_a_library_that_is_broken_is_not_said_to_be_missing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "polars.py").write_text("import nothing_of_this_name\n")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
{JOIN}
try:
    store.join(key="ts", tables={{"load": ["mw"]}}).to_polars()
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert python(code, root) == "nothing_of_this_name\n"


def test_a_join_alone_imports_no_other_library(root: Path) -> None:
    code = Path(__file__).with_name("alone.py").read_text()
    everything = '"polars", "pyarrow", "pandas", "numpy", "tqdm", "duckdb", "nanoarrow"'
    assert "fine" in python(f"{WITHOUT}\nwithout({everything})\n{code}", root)
