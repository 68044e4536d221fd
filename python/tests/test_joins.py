"""What is asked for, in each of its forms, and what comes back."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hypostyle as hs
from support import START, assert_same, hours, write_weather

SPEC = {
    "key": ["ts"],
    "tables": [
        {"path": "wind.parquet", "columns": ["speed_80m"]},
        {"name": "load", "columns": {"mw": "megawatts"}},
    ],
    "rows": {"last": 3},
}
YAML = """
key: ts
tables:
  - {path: wind.parquet, columns: [speed_80m]}
  - {name: load, columns: {mw: megawatts}}
rows: {last: 3}
"""
EXPECTED = pl.DataFrame(
    {"ts": hours(3, 45), "speed_80m": [45.0, 46.0, 47.0], "megawatts": [90.0, 92.0, 94.0]}
)


def in_file(text: str, name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


FORMS: dict[str, Callable[[Path], Any]] = {
    "dict": lambda _: SPEC,
    "JoinSpec": lambda _: hs.JoinSpec.from_dict(SPEC),
    "JoinSpec of YAML": lambda _: hs.JoinSpec.from_yaml(YAML),
    "JoinSpec of JSON": lambda _: hs.JoinSpec.from_yaml(json.dumps(SPEC)),
    "JoinSpec of arguments": lambda _: hs.JoinSpec(
        key="ts", tables={"wind": ["speed_80m"], "load": {"mw": "megawatts"}}, last=3
    ),
    "YAML file": in_file(YAML, "join.yaml"),
    "YAML file, its path in text": lambda folder: str(in_file(YAML, "join.yaml")(folder)),
    "JSON file": in_file(json.dumps(SPEC), "join.json"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_spec_says_the_same_in_each_form(tmp_path: Path, form: Callable[[Path], Any]) -> None:
    write_weather(tmp_path)
    spec = form(tmp_path)
    assert_same(hs.open(tmp_path).join(spec), EXPECTED)


TABLES: dict[str, tuple[Any, list[str]]] = {
    "names": ({"wind": ["speed_80m"], "load": ["mw", "mw_lag24"]}, ["speed_80m", "mw", "mw_lag24"]),
    "names in the order given": ({"load": ["mw_lag24", "mw"]}, ["mw_lag24", "mw"]),
    "a tuple": ({"load": ("mw",)}, ["mw"]),
    "an index of pandas": ({"load": pd.Index(["mw"])}, ["mw"]),
    "an array of numpy": ({"load": np.array(["mw"])}, ["mw"]),
    "all": ({"load": "*"}, ["mw", "mw_lag24"]),
    "new names": ({"load": {"mw": "power", "mw_lag24": "before"}}, ["power", "before"]),
    "a description": ({"x": {"path": "load.parquet", "columns": ["mw"]}}, ["mw"]),
    "a list of descriptions": (
        [{"name": "load", "columns": ["mw"]}, {"name": "wind", "columns": "*"}],
        ["mw", "speed_80m"],
    ),
    "one table under two names": (
        {
            "now": {"path": "load.parquet", "columns": {"mw": "a"}},
            "then": {"path": "load.parquet", "columns": {"mw": "b"}},
        },
        ["a", "b"],
    ),
}


@pytest.mark.parametrize(("tables", "columns"), TABLES.values(), ids=TABLES.keys())
def test_tables_and_columns_are_said_in_many_ways(store: hs.Store, tables: Any, columns: list[str]) -> None:
    frame = store.join(key="ts", tables=tables)
    assert frame.columns == ["ts", *columns]
    assert frame.features == columns
    assert len(frame) == 48


NOON = hours(1, 12)[0]
BOUNDS: list[tuple[dict[str, Any], slice]] = [
    ({"last": 1}, slice(47, 48)),
    ({"last": 24}, slice(24, 48)),
    ({"last": np.int64(2)}, slice(46, 48)),
    ({"last": 10**9}, slice(0, 48)),
    ({"start": NOON}, slice(12, 48)),
    ({"end": NOON}, slice(0, 12)),
    ({"start": "2024-01-01T12:00:00", "end": "2024-01-02"}, slice(12, 24)),
    ({"start": date(2024, 1, 2)}, slice(24, 48)),
    ({"start": pd.Timestamp(NOON), "end": np.datetime64("2024-01-01T14")}, slice(12, 14)),
    ({"start": np.datetime64("2024-01-02")}, slice(24, 48)),
    ({"start": np.datetime64("2024-01"), "end": np.datetime64("2025")}, slice(0, 48)),
    ({"start": np.datetime64("2024-01-01T12:00:00.000000000")}, slice(12, 48)),
    ({"start": NOON, "last": 3}, slice(45, 48)),
    ({"end": NOON, "last": 3}, slice(9, 12)),
    ({"start": datetime(2030, 1, 1)}, slice(0, 0)),
]


@pytest.mark.parametrize(("bounds", "rows"), BOUNDS, ids=[str(b[0]) for b in BOUNDS])
@pytest.mark.parametrize("how", ["inner", "left"])
def test_bounds_hold_from_the_first_to_before_the_last(
    store: hs.Store, bounds: dict[str, Any], rows: slice, how: Any
) -> None:
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, how=how, **bounds)
    numbers = pl.Series(range(48), dtype=pl.Float64)[rows]
    assert_same(
        frame, pl.DataFrame({"ts": pl.Series(hours(48))[rows], "speed_80m": numbers, "mw": numbers * 2})
    )


def test_bounds_of_whole_numbers_and_decimals(tmp_path: Path) -> None:
    pl.DataFrame({"id": range(10), "x": range(10)}).write_parquet(tmp_path / "whole.parquet")
    money = [Decimal(i) / 2 for i in range(10)]
    pl.DataFrame({"id": pl.Series(money, dtype=pl.Decimal(9, 2)), "x": range(10)}).write_parquet(
        tmp_path / "money.parquet"
    )
    store = hs.open(tmp_path)
    for table, start, end, expected in [
        ("whole", 3, 5, [3, 4]),
        ("whole", np.uint8(8), None, [8, 9]),
        ("whole", "8", None, [8, 9]),
        ("money", Decimal("1.5"), Decimal("2.01"), [3, 4]),
    ]:
        frame = store.join(key="id", tables={table: ["x"]}, start=start, end=end)
        assert frame["x"].to_list() == expected


def test_what_is_given_beside_a_spec_takes_the_place_of_what_it_says(store: hs.Store) -> None:
    frame = store.join(SPEC, last=1, full_names=True)
    assert frame.columns == ["ts", "wind__speed_80m", "megawatts"]
    assert len(frame) == 1
    assert len(store.join(SPEC, start=hours(1, 46)[0])) == 2
    assert hs.JoinSpec.from_dict(SPEC).to_dict()["rows"] == {"last": 3}


def test_features_are_columns_in_the_order_asked_for(store: hs.Store) -> None:
    features = ["load:mw_lag24", "wind:speed_80m", "load:mw"]
    frame = store.join(key="ts", features=features, last=2)
    assert frame.columns == ["ts", "mw_lag24", "speed_80m", "mw"]
    named = store.join(key="ts", features=features, last=2, full_names=True)
    assert named.columns == ["ts", "load__mw_lag24", "wind__speed_80m", "load__mw"]
    assert named["load__mw"].to_list() == frame["mw"].to_list() == [92.0, 94.0]
    again = store.join(hs.JoinSpec.from_features(features, key="ts"), last=2)
    assert sorted(again.columns) == sorted(frame.columns)


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("io", ["auto", "pread", "mmap"])
@pytest.mark.parametrize("strategy", ["auto", "identity", "merge", "hash"])
def test_the_way_of_working_changes_no_answer(store: hs.Store, threads: int, io: Any, strategy: Any) -> None:
    frame = store.join(
        SPEC, threads=threads, io=io, strategy=strategy, memory_limit="1GiB", timeout=timedelta(minutes=5)
    )
    assert_same(frame, EXPECTED)


def test_the_key_is_found_where_it_is_left_out(tmp_path: Path) -> None:
    write_weather(tmp_path)
    tables = {"wind": ["speed_80m"], "load": ["mw"]}
    store = hs.open(tmp_path)
    assert store.join(tables=tables).columns == ["ts", "speed_80m", "mw"]
    spine = {"hour": [5], "ts": hours(1, 5)}
    assert store.join(spine=spine, features=["load:mw"]).columns == ["ts", "hour", "mw"]

    both = pl.DataFrame({"ts": hours(4), "node": [1, 2, 3, 4]})
    both.with_columns(x=1.0).write_parquet(tmp_path / "a.parquet")
    both.with_columns(y=2.0).write_parquet(tmp_path / "b.parquet")
    several: dict[str, list[str]] = {"a": ["x"], "b": ["y"]}
    with pytest.raises(hs.InvalidRequest, match=r"key") as raised:
        hs.open(tmp_path).join(tables=several)
    assert "node" in str(raised.value) + str(raised.value.hint)
    with pytest.raises(hs.InvalidRequest, match=r"key"):
        hs.open(tmp_path).join(spine={"other": [1]}, features=["load:mw"])

    (tmp_path / "hypostyle.yaml").write_text("key: node\n")
    assert hs.open(tmp_path).join(tables=several).columns == ["node", "x", "y"]
    assert hs.open(tmp_path).join(tables=several, key=["ts", "node"]).columns == ["ts", "node", "x", "y"]


def test_a_key_of_two_columns(tmp_path: Path) -> None:
    pairs = pl.DataFrame({"ts": [*hours(3), *hours(3)], "node": [1, 1, 1, 2, 2, 2], "x": range(6)})
    pairs.write_parquet(tmp_path / "flow.parquet")
    spine = {"node": [2, 1, 3, None], "ts": [START, START, START, START]}
    frame = hs.open(tmp_path).join(spine=spine, features=["flow:x"], key=["ts", "node"])
    assert frame.columns == ["ts", "node", "x"]
    assert frame["x"].to_list() == [3, 0, None, None]


def test_the_root_may_be_the_current_folder_or_begin_at_home(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert hs.open().tables() == ["load", "wind"]
    monkeypatch.setenv("HOME", str(root.parent))
    assert hs.open(f"~/{root.name}").tables() == ["load", "wind"]
    assert hs.open(root).root == str(root)


def test_tables_are_files_and_folders_and_nothing_else(tmp_path: Path) -> None:
    write_weather(tmp_path)
    write_weather(tmp_path / "nested")
    (tmp_path / "notes.txt").write_text("no table")
    (tmp_path / "empty").mkdir()
    names = hs.open(tmp_path).tables()
    assert names == sorted(names)
    assert {"load", "wind"} <= set(names)
    assert "notes" not in names


def test_a_table_describes_itself(store: hs.Store) -> None:
    wind = store.describe("wind")
    assert wind["rows"] == 48
    assert wind["key"]["columns"] == ["ts"]
    assert [column["name"] for column in wind["columns"]] == ["ts", "speed_80m"]
    assert "48 rows" in str(wind) == repr(wind)
    assert store.describe("load", key="ts")["key"]["columns"] == ["ts"]
    again = pickle.loads(pickle.dumps(wind))
    assert (again, str(again)) == (wind, str(wind))


def test_a_join_is_explained_without_being_done(store: hs.Store) -> None:
    told = store.explain(SPEC, last=2)
    assert told["rows"] == 2
    assert [table["name"] for table in told["tables"]] == ["wind", "load"]
    assert "wind" in str(told)
    spine = {"ts": hours(2)}
    assert store.explain(spine=spine, features=["load:mw"], key="ts")["rows"] == 2
    assert json.loads(json.dumps(told)) == told


def test_statistics_tell_what_was_done(store: hs.Store) -> None:
    stats = store.join(SPEC, threads=1).stats
    assert (stats["rows"], stats["columns"], stats["threads"]) == (3, 3, 1)
    assert stats["total_ms"] > 0
    assert [table["rows_matched"] for table in stats["tables"]] == [3, 3]


def test_specs_compare_hash_print_and_pickle() -> None:
    spec = hs.JoinSpec.from_dict(SPEC)
    same = hs.JoinSpec.from_yaml(YAML)
    other = hs.JoinSpec(key="ts", tables={"wind": "*"}, how="left", spine=None)
    assert spec == same
    assert spec != other
    assert spec != SPEC
    assert hash(spec) == hash(same)
    assert len({spec, same, other}) == 2
    assert eval(repr(spec), {"JoinSpec": hs.JoinSpec}) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hs.JoinSpec.from_dict(other.to_dict()) == other


def test_a_spine_in_a_file(tmp_path: Path) -> None:
    write_weather(tmp_path)
    pl.DataFrame({"when": hours(2, 3)[::-1], "n": [1, 2]}).write_parquet(tmp_path / "spine.parquet")
    spec = hs.JoinSpec(
        key="ts", tables={"load": ["mw"]}, how="spine", spine={"path": "spine.parquet", "key": "when"}
    )
    frame = hs.open(tmp_path).join(spec)
    assert frame["mw"].to_list() == [8.0, 6.0]
    assert hs.JoinSpec(tables={"load": ["mw"]}, spine=tmp_path / "spine.parquet").to_dict()["how"] == "spine"


def test_stores_close_and_pickle(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    with hs.open(root.name) as store:
        frame = store.join(SPEC)
        pickled = pickle.dumps(store)
        assert repr(store) == f"hypostyle.open({root.name!r})"
    assert repr(store).endswith("(closed)")
    assert_same(frame, EXPECTED)
    assert frame["megawatts"].to_list() == [90.0, 92.0, 94.0]
    os.chdir("/")
    assert_same(pickle.loads(pickled).join(SPEC), EXPECTED)
    store.close()


def test_a_table_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    write_weather(tmp_path)
    store = hs.open(tmp_path)
    before = store.join(SPEC)
    new = pl.DataFrame({"ts": hours(48), "mw": [0.5] * 48})
    new.write_parquet(tmp_path / "new.parquet")
    os.replace(tmp_path / "new.parquet", tmp_path / "load.parquet")
    assert store.join(SPEC)["megawatts"].to_list() == [0.5] * 3
    assert_same(before, EXPECTED)


def test_zoned_keys_are_bounded_by_moments(tmp_path: Path) -> None:
    zoned = pl.DataFrame({"ts": pl.Series(hours(4)).dt.replace_time_zone("UTC"), "x": range(4)})
    zoned.write_parquet(tmp_path / "z.parquet")
    east = timezone(timedelta(hours=1))
    frame = hs.open(tmp_path).join(key="ts", tables={"z": ["x"]}, start=datetime(2024, 1, 1, 3, tzinfo=east))
    assert frame["x"].to_list() == [2, 3]
    assert frame["ts"].to_list()[0] == datetime(2024, 1, 1, 2, tzinfo=UTC)
