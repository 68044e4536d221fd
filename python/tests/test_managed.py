"""Managed stores: what is written is read back, as of any snapshot, and nobody's update is lost."""

from __future__ import annotations

import pickle
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hypostyle as hs
from support import assert_same, command, environment, hours, python, write_weather

Rows = dict[int, float | None]


def rows(store: hs.Store, table: str = "t", **arguments: Any) -> Rows:
    """Return a table's ``x`` by its key ``k``."""
    frame = store.join(tables={table: ["x"]}, **arguments)
    return dict(zip(frame["k"].to_list(), frame["x"].to_list(), strict=True))


def data(rows: Rows) -> dict[str, Any]:
    return {"k": np.array(list(rows), dtype="i8"), "x": np.array(list(rows.values()), dtype="f8")}


# What is given, in each of the forms that there are

TIMES = hours(3)
EXPECTED = pl.DataFrame({"ts": TIMES, "x": [0.5, 1.5, 2.5], "name": ["a", None, "c"]})
ARROW = EXPECTED.to_arrow()
FORMS: dict[str, Callable[[], Any]] = {
    "polars": lambda: EXPECTED,
    "polars in another order": lambda: EXPECTED.reverse(),
    "pyarrow table": lambda: ARROW,
    "pyarrow batch": lambda: ARROW.to_batches()[0],
    "pyarrow reader": lambda: ARROW.to_reader(1),
    "pandas": lambda: EXPECTED.to_pandas(),
    "pandas with an index": lambda: EXPECTED.to_pandas().set_index("ts"),
    "dict": lambda: {"ts": TIMES, "x": [0.5, 1.5, 2.5], "name": ["a", None, "c"]},
    "dict of arrays": lambda: {
        "ts": np.array(TIMES, dtype="M8[us]"),
        "x": pl.Series([0.5, 1.5, 2.5]),
        "name": pa.array(["a", None, "c"]),
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back(managed: hs.Store, form: str) -> None:
    commit = managed.write("t", FORMS[form](), key="ts")
    assert (commit.snapshot, commit.tables) == (1, {"t": 3})
    found = managed.join(tables={"t": ["x", "name"]})
    assert found.snapshot == 1
    types = {"ts": pl.Datetime("us"), "name": pl.String}
    assert_same(found.to_polars().cast(types), EXPECTED)  # type: ignore[arg-type]


def test_a_frame_of_one_store_is_written_to_another(store: hs.Store, managed: hs.Store) -> None:
    frame = store.join(key="ts", tables={"load": "*"})
    managed.write("load", frame, key="ts")
    assert_same(managed.join(tables={"load": "*"}), frame.to_polars())


# What becomes of rows that are there

BEFORE: Rows = {1: 1.0, 2: 2.0, 3: 3.0}


class Mode(NamedTuple):
    """A write upon ``BEFORE``, and what the table has after it."""

    given: Rows
    how: dict[str, Any]
    after: Rows


MODES = {
    "append": Mode({4: 4.5}, {}, {**BEFORE, 4: 4.5}),
    "append between": Mode({0: 0.5, 9: 9.5}, {"mode": "append"}, {0: 0.5, **BEFORE, 9: 9.5}),
    "append nothing": Mode({}, {"mode": "append"}, BEFORE),
    "upsert": Mode({2: 2.5, 4: 4.5}, {"mode": "upsert"}, {1: 1.0, 2: 2.5, 3: 3.0, 4: 4.5}),
    "upsert nothing": Mode({}, {"mode": "upsert"}, BEFORE),
    "replace": Mode({2: 2.5}, {"mode": "replace"}, {2: 2.5}),
    "replace by nothing": Mode({}, {"mode": "replace"}, {}),
    "replace a range": Mode({2: 9.0}, {"mode": "replace", "start": 2, "end": "4"}, {1: 1.0, 2: 9.0}),
    "replace from": Mode({}, {"mode": "replace", "start": 3}, {1: 1.0, 2: 2.0}),
    "replace up to": Mode({}, {"mode": "replace", "end": np.int64(3)}, {3: 3.0}),
}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_makes_the_rows_it_promises(managed: hs.Store, mode: str) -> None:
    given, how, after = MODES[mode]
    managed.write("t", data(BEFORE), key="k")
    commit = managed.write("t", data(given), **how)
    assert rows(managed) == after
    assert rows(managed, as_of=1) == BEFORE
    assert commit.snapshot == managed.snapshot() == (1 if after == BEFORE else 2)
    assert (commit.id, commit.tables) == (("", {}) if after == BEFORE else (commit.id, {"t": len(after)}))


DELETES: dict[str, tuple[dict[str, Any], Rows]] = {
    "from": ({"start": 2}, {1: 1.0}),
    "up to": ({"end": 2}, {2: 2.0, 3: 3.0}),
    "a range": ({"start": 2, "end": 3}, {1: 1.0, 3: 3.0}),
    "all": ({"all": True}, {}),
    "none": ({"start": 7}, BEFORE),
}


@pytest.mark.parametrize("case", DELETES)
def test_deletes_take_the_rows_of_the_range(managed: hs.Store, case: str) -> None:
    how, after = DELETES[case]
    managed.write("t", data(BEFORE), key="k")
    managed.delete("t", **how)
    assert rows(managed) == after


def test_a_column_may_be_added(managed: hs.Store) -> None:
    managed.write("t", data({1: 1.0}), key="k")
    managed.write("t", {**data({2: 2.0}), "y": ["new"]})
    frame = managed.join(tables={"t": ["x", "y"]})
    assert (frame["x"].to_list(), frame["y"].to_list()) == ([1.0, 2.0], [None, "new"])


# What is refused


class Refused(NamedTuple):
    """A call upon ``BEFORE`` in the table ``t``, the exception it must raise, and its words."""

    call: Callable[[hs.Store], object]
    raises: type[hs.HypostyleError]
    says: str
    hints: str | None = None


def writing(given: Any, table: str = "t", **how: Any) -> Callable[[hs.Store], object]:
    return lambda store: store.write(table, given, **how)


def invalid(call: Callable[[hs.Store], object], says: str, hints: str | None = None) -> Refused:
    return Refused(call, hs.InvalidRequest, says, hints)


def wrong(call: Callable[[hs.Store], object], says: str) -> Refused:
    return Refused(call, hs.WrongType, says)


NAIVE = datetime(2024, 1, 1)
REFUSED = {
    "a key that is there": invalid(writing(data({3: 0.0})), "3", "upsert"),
    "repeated keys": invalid(writing({"k": [5, 5], "x": [1.0, 2.0]}), "5"),
    "null keys": invalid(writing({"k": [None, 5], "x": [1.0, 2.0]}), "null", "has a key"),
    "another type": invalid(writing({"k": [5], "x": ["text"]}), "x"),
    "a missing column": invalid(writing({"k": [5]}), "x", "nulls"),
    "another key": invalid(writing(data({5: 1.0}), key="x"), "key"),
    "no key": invalid(writing(data({5: 1.0}), "new"), "key", "key="),
    "a name of a path": invalid(writing(data({5: 1.0}), "../t", key="k"), "../t"),
    "a hidden name": invalid(writing(data({5: 1.0}), "_t", key="k"), "_t"),
    "a long name": invalid(writing(data({5: 1.0}), "t" * 300, key="k"), "300 bytes"),
    "a NUL": invalid(writing(data({5: 1.0}), "a\0b", key="k"), "no table name"),
    "an unknown mode": invalid(writing(data({}), mode="merge"), "`mode` is 'merge'", '"upsert"'),
    "a range with append": invalid(writing(data({}), start=1), "append", "replace"),
    "an empty key": invalid(writing(data({}), key=[]), "`key` is an empty list"),
    "no rows": wrong(writing(1), "`data` is 1 (int)"),
    "a file's name": wrong(writing("t.parquet"), "`data` is 't.parquet'"),
    "columns that are no list": wrong(writing({"k": 1}), "`data['k']` is 1"),
    "columns of mixed types": invalid(writing({"k": [1, "a"], "x": [1.0, 2.0]}), "mixed types"),
    "columns of two lengths": invalid(writing({"k": [1], "x": [1.0, 2.0]}), "table `data`"),
    "no table's name": wrong(writing(data({}), 1), "`table` is 1"),  # type: ignore[arg-type]
    "no length of time": invalid(writing(data({}), timeout=-1), "`timeout` is -1"),
    "no range": invalid(lambda s: s.delete("t"), "which rows", "all=True"),
    "a range and all": invalid(lambda s: s.delete("t", start=1, all=True), "`all`"),
    "a table to delete": Refused(lambda s: s.delete("u", all=True), hs.NotFound, "u"),
    "a table to compact": Refused(lambda s: s.compact("u"), hs.NotFound, "u", "`t`"),
    "a number that is none": Refused(lambda s: s.snapshot(7), hs.NotFound, "snapshot 7"),
    "a tag that is none": Refused(lambda s: s.snapshot("seven"), hs.NotFound, "`seven`"),
    "a time before all": Refused(lambda s: s.snapshot("1999-01-01T00:00:00Z"), hs.NotFound, "1999"),
    "a time without a zone": invalid(lambda s: s.snapshot(NAIVE), "no time zone", "utc"),
    "no snapshot": invalid(lambda s: s.snapshot("no such thing"), "names no snapshot", "a tag"),
    "no number": wrong(lambda s: s.snapshot(1.5), "`as_of` is 1.5"),  # type: ignore[arg-type]
    "no flag": wrong(lambda s: s.snapshot(True), "`as_of` is True"),
    "no difference": wrong(lambda s: s.diff(None, 1), "None"),  # type: ignore[arg-type]
    "no tag": invalid(lambda s: s.tag("7"), "`7`"),
    "no tag to take": Refused(lambda s: s.untag("seven"), hs.NotFound, "`seven`"),
    "no lock": Refused(lambda s: s.break_lock("nobody"), hs.NotFound, "nobody", "`store.locks()`"),
    "no grace": invalid(lambda s: s.gc(grace=-1), "`grace` is -1"),
    "no staleness": invalid(lambda s: rows(s, staleness=-1), "`staleness` is -1"),
    "no count": invalid(lambda s: s.log(most=0), "`most` is 0"),
    "no tables": invalid(lambda s: s.transaction([]).__enter__(), "without tables"),
    "one table's name": wrong(lambda s: s.transaction("t"), "`tables` is 't'"),
    "a second store": invalid(lambda s: hs.init(s.root), "already"),
    "a store inside": invalid(lambda s: hs.init(Path(s.root, "t")), "inside another"),
    "no coordination": invalid(lambda s: hs.init(s.root, "magic"), "magic", "local"),
    "a path into a table": invalid(
        lambda s: s.join(tables=[{"path": f"t/{s.files('t')[0].name}", "columns": ["x"]}]),
        "managed",
        "tables=",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_nothing_changes(managed: hs.Store, case: str) -> None:
    call, raises, says, hints = REFUSED[case]
    managed.write("t", data(BEFORE), key="k")
    with pytest.raises(raises) as raised:
        call(managed)
    assert type(raised.value) is raises
    assert says in str(raised.value)
    assert hints is None or hints in str(raised.value.hint)
    assert "--" not in f"{raised.value} {raised.value.hint}"
    assert "`hypostyle " not in f"{raised.value} {raised.value.hint}"
    assert managed.snapshot() == 1
    assert rows(managed) == BEFORE
    assert managed.locks() == []


UNMANAGED: list[Callable[[hs.Store], object]] = [
    lambda s: s.write("t", data({1: 1.0}), key="k"),
    lambda s: s.delete("wind", all=True),
    lambda s: s.transaction(["wind"]).__enter__(),
    lambda s: s.snapshot(),
    lambda s: s.files("wind", as_of=1),
    lambda s: s.log(),
    lambda s: s.diff(0, 1),
    lambda s: s.tag("a"),
    lambda s: s.tags(),
    lambda s: s.gc(),
    lambda s: s.locks(),
    lambda s: s.repair(),
    lambda s: s.join(key="ts", tables={"wind": "*"}, as_of=1),
    lambda s: s.explain(key="ts", tables={"wind": "*"}, as_of=1),
    lambda s: s.describe("wind", as_of=1),
]


@pytest.mark.parametrize("call", UNMANAGED)
def test_a_folder_that_is_not_managed_is_refused_with_the_mend(
    store: hs.Store, call: Callable[[hs.Store], object]
) -> None:
    with pytest.raises(hs.InvalidRequest, match="managed store") as raised:
        call(store)
    assert "`hypostyle.init(root)` makes it one" in str(raised.value.hint)
    assert store.join(key="ts", tables={"wind": "*"}).snapshot is None


# Snapshots


def test_a_snapshot_is_the_same_frame_later_however_it_is_named(managed: hs.Store) -> None:
    first = managed.write("t", data(BEFORE), key="k")
    moment = datetime.now(UTC)
    before = managed.join(tables={"t": ["x"]}).to_polars()
    managed.tag("first", as_of=1)
    managed.write("t", data({1: 9.0, 7: 7.0}), mode="upsert")
    managed.write("new", data({1: 1.0}), key="k")
    east = moment.astimezone(timezone(timedelta(hours=5)))
    named: list[Any] = [1, np.int64(1), first, first.time, "first", moment, pd.Timestamp(moment), "1", east]
    named.append(moment.isoformat())
    for as_of in named:
        frame = managed.join(tables={"t": ["x"]}, as_of=as_of)
        assert frame.snapshot == managed.snapshot(as_of) == 1, as_of
        assert_same(frame, before)
        assert managed.describe("t", as_of=as_of)["rows"] == 3
        assert managed.explain(tables={"t": ["x"]}, as_of=as_of)["rows"] == 3
        filled = managed.get_historical_features({"k": [1]}, ["t:x"], as_of=as_of)
        assert (filled["x"].to_list(), filled.snapshot) == ([1.0], 1)
        assert [len(pl.read_parquet(path)) for path in managed.files("t", as_of)] == [3]
    assert rows(managed)[1] == 9.0
    with pytest.raises(hs.NotFound):
        rows(managed, "new", as_of=1)
    assert rows(managed, staleness=timedelta(minutes=1)) == rows(managed, staleness=0)


def test_stale_reads_are_those_that_were_asked_for(managed: hs.Store) -> None:
    managed.write("t", data({1: 1.0}), key="k")
    rows(managed)
    hs.open(managed.root).write("t", data({2: 2.0}))
    assert rows(managed, staleness=3600) == {1: 1.0}
    assert rows(managed) == {1: 1.0, 2: 2.0}


def test_a_store_tells_of_its_snapshots(written: hs.Store) -> None:
    assert written.tables() == ["load", "wind"]
    commit = written.write("wind", {"ts": [3], "speed": [2.5], "gust": [9.0]})
    assert int(commit) == commit.snapshot == 2
    newest, first, made = written.log()
    assert (newest["number"], newest["commit"], newest["tables"]) == (2, commit.id, ["wind"])
    assert (first["tables"], made["what"]) == (["load", "wind"], "init")
    assert [entry["number"] for entry in written.log("load")] == [1]
    assert [entry["number"] for entry in written.log(most=1)] == [2]
    assert abs(commit.time - datetime.now(UTC)) < timedelta(minutes=1)
    change = written.diff(1, commit)["tables"]["wind"]
    assert (change["rows_before"], change["rows_after"], change["columns_added"]) == (2, 3, ["gust"])
    assert written.tag("release", as_of=1) == 1
    assert written.tags() == {"release": 1}
    with pytest.raises(hs.Conflict) as raised:
        written.tag("release", as_of=2)
    assert "replace=True" in str(raised.value.hint)
    assert written.tag("release", as_of=2, replace=True) == 2
    written.untag("release")
    assert written.tags() == {}


def test_upkeep(managed: hs.Store) -> None:
    for first in range(0, 9000, 3000):
        managed.write("t", data({first + number: float(number) for number in range(3000)}), key="k")
    before = rows(managed)
    files = len(managed.files("t"))
    assert managed.compact("t").tables == {"t": 9000}
    assert len(managed.files("t")) < files
    assert managed.compact("t").tables == {}
    told = managed.gc(grace=0)
    assert not told["removed"]
    assert told["files"]
    assert managed.gc(dry_run=False, grace=timedelta(0))["removed"]
    assert rows(managed) == before
    with pytest.raises(hs.NotFound):
        rows(managed, as_of=1)
    assert managed.repair()["findings"] == []
    file = managed.files("t")[0]
    file.unlink()
    (finding,) = managed.repair()["findings"]
    assert (finding["table"], finding["path"]) == ("t", str(file))
    with pytest.raises(hs.Corrupt, match=file.name):
        rows(managed)


# Transactions


def test_a_transaction_is_all_or_nothing(written: hs.Store) -> None:
    tx = written.transaction(["wind", "load"])

    def fail() -> None:
        with tx:
            tx.write("wind", {"ts": [9], "speed": [9.0]})
            tx.delete("load", all=True)
            assert written.snapshot() == 1
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert written.snapshot() == 1
    assert written.locks() == []
    assert len(written.join(tables={"load": ["mw"]})) == 2
    with pytest.raises(hs.InvalidRequest, match="committed nothing"):
        _ = tx.commit
    with written.transaction(["wind", "load"]) as tx:
        tx.write("wind", {"ts": [9], "speed": [9.0]})
        # What was refused is not written, and what was written stays.
        with pytest.raises(hs.InvalidRequest, match="9"):
            tx.write("wind", {"ts": [9], "speed": [9.0]})
        tx.delete("load", end=2)
        with pytest.raises(hs.InvalidRequest, match="not begun for this table"):
            tx.write("sun", {"ts": [9]}, key="ts")
    assert tx.commit.tables == {"load": 1, "wind": 3}
    assert written.snapshot() == tx.commit.snapshot == 2
    assert "snapshot 2" in repr(tx)
    for call in (tx.__enter__, lambda: tx.delete("wind", all=True), lambda: tx.snapshot):
        with pytest.raises(hs.InvalidRequest):
            call()


def test_a_commit_upon_what_has_changed_is_a_conflict_that_says_who_and_when(written: hs.Store) -> None:
    written.write("wind", {"ts": [5], "speed": [5.0]})
    for table, shared in (("wind", []), ("load", ["wind"])):
        tx = written.transaction([table], shared, base=1)
        tx.__enter__()
        tx.write(table, written.join(tables={table: "*"}, as_of=tx.snapshot), mode="replace")
        with pytest.raises(hs.Conflict) as raised:
            tx.__exit__(None, None, None)
        entry = written.log()[0]
        for words in (entry["who"], entry["time"], "snapshot 2", "append wind"):
            assert words in str(raised.value)
        assert raised.value.table == "wind"
        assert not raised.value.retryable
        assert "read the table again" in str(raised.value.hint)
    # One that has nothing to do with it is rebased.
    with written.transaction(["load"], base=1) as tx:
        tx.delete("load", all=True)
    assert tx.commit.snapshot == written.snapshot() == 3


def test_a_lock_is_waited_for_no_longer_than_asked_and_can_be_broken(written: hs.Store) -> None:
    tx = written.transaction(["wind"])
    tx.__enter__()
    (lock,) = written.locks()
    assert (lock["tables"], lock["standing"]) == ({"wind": "exclusive"}, "held")
    began = time.monotonic()
    with pytest.raises(hs.Timeout) as raised:
        written.write("wind", {"ts": [5], "speed": [5.0]}, timeout=0.1)
    assert time.monotonic() - began < 5
    assert raised.value.retryable
    assert "`store.locks()`" in str(raised.value.hint)
    written.delete("load", end=2)
    tx.write("wind", {"ts": [6], "speed": [6.0]})
    assert written.break_lock(lock["id"]) == 3
    with pytest.raises(hs.Conflict, match="the lock"):
        tx.__exit__(None, None, None)
    written.write("wind", {"ts": [5], "speed": [5.0]}, timeout=5)
    assert written.join(tables={"wind": "*"})["ts"].to_list() == [1, 2, 5]


# Many at once


def test_threads_that_write_lose_no_update_and_keep_no_join_waiting(managed: hs.Store) -> None:
    def write(thread: int) -> None:
        for turn in range(8):
            managed.write("t", data({100 * thread + turn: float(thread)}), mode="upsert", key="k")
            assert rows(managed)[100 * thread + turn] == thread

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert rows(managed) == {100 * t + n: float(t) for t in range(4) for n in range(8)}
    assert managed.snapshot() == 32


WRITER = """
import sys
import hypostyle as hs
store, first = hs.open(sys.argv[1]), int(sys.argv[2])
for turn in range(12):
    with store.transaction(["t", "u"]) as tx:
        key = first + turn
        tx.write("t", {"k": [key], "x": [0.5]}, mode="upsert", key="k")
        tx.write("u", {"k": [key], "x": [0.5]}, mode="upsert", key="k")
"""


def test_processes_that_write_lose_no_update_and_readers_see_whole_commits(managed: hs.Store) -> None:
    children = [
        subprocess.Popen(command(WRITER, managed.root, first), env=environment()) for first in (0, 100)
    ]
    try:
        deadline = time.monotonic() + 120
        while any(child.poll() is None for child in children):
            assert time.monotonic() < deadline
            if managed.snapshot() == 0:
                continue
            frame = managed.join(tables={"t": {"x": "a"}, "u": {"x": "b"}}, how="left", full_names=True)
            assert None not in frame["t__b" if "t__b" in frame else frame.columns[-1]].to_list()
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(rows(managed, "u")) == [*range(12), *range(100, 112)]
    assert managed.snapshot() == 24


INTERRUPTED = """
import sys
import hypostyle as hs
import numpy as np
store = hs.open(sys.argv[1])
count = 6_000_000
rows = {"k": np.arange(count), "x": np.zeros(count)}
print("writing", flush=True)
try:
    store.write("t", rows, mode="replace", key="k")
except KeyboardInterrupt:
    print("interrupted", flush=True)
store.write("u", {"k": [1], "x": [0.5]}, key="k")
"""


@pytest.mark.parametrize("held", [True, False], ids=["while it waits", "while it writes"])
def test_ctrl_c_ends_a_write_before_its_commit(managed: hs.Store, held: bool) -> None:
    managed.write("t", data(BEFORE), key="k")
    holder = managed.transaction(["t"])
    if held:
        holder.__enter__()
    asked = command(INTERRUPTED, managed.root)
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env=environment()) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "writing\n"
            # Until it waits for the lock, or has it.
            deadline = time.monotonic() + 60
            while len(managed.locks()) < 1 + held:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n"
            if held:
                holder.__exit__(None, None, None)
            assert child.wait(60) == 0
        finally:
            child.kill()
    assert rows(managed) == BEFORE
    assert rows(managed, "u") == {1: 0.5}
    assert managed.snapshot() == 2
    assert managed.locks() == []


# Several roots


def test_several_roots_hold_the_same_tables(tmp_path: Path) -> None:
    first, second = (write_weather(tmp_path / name) for name in ("a", "b"))
    expected = pl.DataFrame({"ts": hours(2, 46), "mw": [92.0, 94.0]})
    how: list[dict[str, Any]] = [{}, {"hedge": True}, {"io_depth": 1, "retries": 0}, {"verify": False}]
    for roots in ([first], (first, str(second)), [second, first]):
        with hs.open(roots) as store:
            assert store.roots == [str(root) for root in roots]
            assert store.root == str(roots[0])
            for options in how:
                assert_same(store.join(key="ts", tables={"load": ["mw"]}, last=2, **options), expected)
            assert store.tables() == ["load", "wind"]
            again = python(
                "import sys, pickle; print(pickle.loads(bytes.fromhex(sys.argv[1])).tables())",
                pickle.dumps(store).hex(),
            )
            assert again == "['load', 'wind']\n"
    assert repr(hs.open([first, second])) == f"hypostyle.open({[str(first), str(second)]})"
    with pytest.raises(hs.NotFound, match="none"):
        hs.open([first, tmp_path / "none"])
    with pytest.raises(hs.InvalidRequest, match="empty list"):
        hs.open([])
    for wrong in ([first, 1], [b"x"]):
        with pytest.raises(hs.WrongType, match="`root` is"):
            hs.open(wrong)  # type: ignore[arg-type]


HOW = [
    ({"io_depth": 0}, hs.InvalidRequest, "`io_depth` is 0"),
    ({"io_depth": 10**6}, hs.InvalidRequest, "too large"),
    ({"io_depth": "4"}, hs.WrongType, "`io_depth` is '4'"),
    ({"hedge": 1}, hs.WrongType, "`hedge` is 1"),
    ({"retries": -1}, hs.InvalidRequest, "`retries` is -1"),
    ({"retries": 1.5}, hs.WrongType, "`retries` is 1.5"),
    ({"verify": None}, hs.WrongType, "`verify` is None"),
]


@pytest.mark.parametrize(("how", "raises", "says"), HOW)
def test_how_files_are_read_is_checked(
    store: hs.Store, how: dict[str, Any], raises: type[Exception], says: str
) -> None:
    with pytest.raises(raises, match=says):
        store.join(key="ts", tables={"load": ["mw"]}, **how)


def test_page_checksums_are_verified_unless_turned_off(managed: hs.Store) -> None:
    managed.write("t", data({1: 1.0, 2: 123.456}), key="k")
    (file,) = managed.files("t")
    content = file.read_bytes()
    at = content.index(np.float64(123.456).tobytes())
    file.chmod(0o644)
    # The byte of least weight in a value: nothing but the checksum can tell.
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    managed = hs.open(managed.root)
    with pytest.raises(hs.Corrupt, match=file.name):
        rows(managed)
    assert rows(managed, verify=False)[2] == pytest.approx(123.456)


def test_a_doctor_tells_what_is_safe_and_leaves_nothing_behind(tmp_path: Path) -> None:
    report = hs.doctor(tmp_path)
    assert [probe["name"] for probe in report["probes"] if probe["answer"] == "no"] == []
    assert report["safe_publishing"] == ["local", "etcd"]
    assert report["reading"]["many"]["reads"] > report["reading"]["one"]["reads"] > 0
    assert list(tmp_path.iterdir()) == []
    # Where nothing can be made it tells what it could not probe.
    report = hs.doctor("/proc/self")
    assert {probe["answer"] for probe in report["probes"]} == {"unknown"}
    assert (report["safe_publishing"], report["reading"]) == ([], None)
    with pytest.raises(hs.NotFound):
        hs.doctor(tmp_path / "none")
    with pytest.raises(hs.InvalidRequest):
        hs.doctor(tmp_path, timeout=-1)
    with pytest.raises(hs.Timeout, match="did not answer in time"):
        hs.doctor(tmp_path, timeout=timedelta(0))
