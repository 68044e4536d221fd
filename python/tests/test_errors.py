"""Whatever is wrong is said by the right exception, in words that name the thing."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hypostyle as hs
from support import START, hours, write_weather


class Case(NamedTuple):
    """A call, the exception it must raise, and words that its message or its hint must have."""

    call: Callable[[hs.Store], object]
    raises: type[hs.HypostyleError]
    says: str
    column: str | None = None
    table: str | None = None
    hints: str | None = None


def wrong(call: Callable[[hs.Store], object], says: str) -> Case:
    return Case(call, hs.WrongType, says)


def invalid(call: Callable[[hs.Store], object], says: str, **more: Any) -> Case:
    return Case(call, hs.InvalidRequest, says, **more)


TABLES: Any = {"load": ["mw"]}
FEATURES = ["load:mw"]
SPINE = {"ts": hours(2)}


def join(**arguments: Any) -> Callable[[hs.Store], object]:
    return lambda store: store.join(**{"key": "ts", "tables": TABLES, **arguments})


def fill(spine: Any, **arguments: Any) -> Callable[[hs.Store], object]:
    return lambda store: store.join(**{"spine": spine, "features": FEATURES, "key": "ts", **arguments})


def ask(features: Any) -> Callable[[hs.Store], object]:
    return lambda store: store.join(spine=SPINE, features=features, key="ts")


TYPES = [
    wrong(lambda _: hs.open(1), "`root` is 1 (int)"),  # type: ignore[arg-type]
    wrong(lambda _: hs.open(None), "`root` is None"),  # type: ignore[arg-type]
    wrong(lambda _: hs.open(b"x"), "`root` is b'x' (bytes)"),  # type: ignore[arg-type]
    wrong(lambda s: s.join(1), "`spec` is 1 (int)"),  # type: ignore[arg-type]
    wrong(lambda s: s.join(["load"]), "`spec` is ['load'] (list)"),  # type: ignore[arg-type]
    wrong(lambda s: s.join({"key": {1}}), "`spec`"),
    wrong(lambda s: s.join({"key": "ts", "tables": object()}), "`spec`"),
    wrong(lambda s: s.join({"key": "ts", "rows": {"last": float("nan")}}), "`spec`"),
    wrong(lambda s: s.explain(1), "`spec`"),  # type: ignore[arg-type]
    wrong(lambda s: s.describe(1), "`table` is 1"),  # type: ignore[arg-type]
    wrong(lambda s: s.describe("load", key=1), "`key` is 1"),  # type: ignore[arg-type]
    wrong(join(key=1), "`key` is 1 (int)"),
    wrong(join(key=["ts", 1]), "`key` is 1 (int)"),
    wrong(join(key=b"ts"), "`key`"),
    wrong(join(tables="load"), "`tables` is 'load' (str)"),
    wrong(join(tables=1), "`tables` is 1"),
    wrong(join(tables={1: ["mw"]}), "`tables` is 1"),
    wrong(join(tables={"load": "mw"}), "`tables['load']` is 'mw' (str)"),
    wrong(join(tables={"load": 1}), "`tables['load']` is 1"),
    wrong(join(tables={"load": None}), "`tables['load']` is None"),
    wrong(join(tables={"load": ["mw", 1]}), "`tables['load']` is 1"),
    wrong(ask("load:mw"), "`features` is 'load:mw' (str)"),
    wrong(ask(1), "`features` is 1"),
    wrong(ask(["load:mw", 1]), "`features` is 1"),
    wrong(join(how=1), "`how` is 1"),
    wrong(join(start=1j), "`start` is 1j (complex)"),
    wrong(join(start=True), "`start` is True"),
    wrong(join(end=[1]), "`end` is [1]"),
    wrong(join(end=1.5), "`end` is 1.5 (float)"),
    wrong(join(last="1"), "`last` is '1'"),
    wrong(join(last=1.0), "`last` is 1.0"),
    wrong(join(last=True), "`last` is True"),
    wrong(join(full_names=1), "`full_names` is 1"),
    wrong(join(timeout="1"), "`timeout` is '1'"),
    wrong(join(timeout=True), "`timeout` is True"),
    wrong(join(threads="2"), "`threads` is '2'"),
    wrong(join(threads=1.5), "`threads` is 1.5"),
    wrong(join(memory_limit=1.5), "`memory_limit` is 1.5"),
    wrong(join(memory_limit=True), "`memory_limit` is True"),
    wrong(join(io=1), "`io` is 1"),
    wrong(join(strategy=1), "`strategy` is 1"),
    wrong(join(progress=1), "`progress` is 1"),
    wrong(join(progress="yes"), "`progress` is 'yes'"),
    wrong(fill(1), "`spine` is 1"),
    wrong(fill("spine.parquet"), "`spine` is 'spine.parquet'"),
    wrong(fill([1, 2]), "`spine` is [1, 2]"),
    wrong(fill(np.array([1, 2])), "`spine` is array([1, 2])"),
    wrong(fill({1: hours(2)}), "`spine` is 1"),
    wrong(fill({"ts": 1}), "`spine['ts']` is 1"),
    wrong(fill({"ts": "2024"}), "`spine['ts']` is '2024'"),
    wrong(fill({"ts": START}), "`spine['ts']`"),
    wrong(fill(pd.DataFrame({1: hours(2)})), "`spine` is 1"),
    wrong(lambda _: hs.JoinSpec(tables=1), "`tables` is 1"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec(tables=TABLES, spine=1), "spine"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec(tables=TABLES, key=1), "`key` is 1"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec(tables=TABLES, last="1"), "`last` is '1'"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec(tables=TABLES, full_names=None), "`full_names` is None"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec.from_yaml(1), "`text` is 1"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec.from_dict([1]), "`spec` is [1]"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec.from_path(1), "`path` is 1"),  # type: ignore[arg-type]
    wrong(lambda _: hs.JoinSpec.from_features("a:b"), "`features` is 'a:b'"),
]

VALUES = [
    invalid(lambda s: s.join(), "there is nothing to join", hints="tables="),
    invalid(lambda s: s.join({"tables": []}, tables=TABLES), "a spec and tables= are given"),
    invalid(lambda s: s.join(tables=TABLES, features=FEATURES), "tables= and features= are given"),
    invalid(lambda s: s.join({"key": "ts", "tables": [], "rows": 1}), "line 1, column"),
    invalid(lambda s: s.join({"key": "ts", "tabels": []}), "tabels", hints="tables"),
    invalid(join(key=[]), "`key` is an empty list"),
    invalid(join(key=""), "key"),
    invalid(join(key=["ts", "ts"]), "ts"),
    invalid(join(key="nope"), "`nope`", column="nope", table="load", hints="ts"),
    invalid(join(tables={}), "table"),
    invalid(join(tables={"load": ["mx"]}), "`mx`", column="mx", table="load", hints="mw"),
    invalid(join(tables={"load": ["mw", "mw"]}), "mw"),
    invalid(join(tables={"load": ["ts"]}), "ts"),
    invalid(join(tables={"a b": ["mw"]}), "a b"),
    invalid(join(tables={"../load": ["mw"]}), "../load"),
    invalid(join(tables=[{"name": "load"}]), "`columns` is missing"),
    invalid(join(tables=[1]), "line 1, column"),
    invalid(join(how="outer"), '`how` is "outer"', hints='"inner", "left" or "spine"'),
    invalid(join(how="spine"), "spine"),
    invalid(join(start="yesterday"), "yesterday", hints="2024-12-25"),
    invalid(join(start=5), "5"),
    invalid(join(last=0), "`last` is 0"),
    invalid(join(last=-3), "`last` is -3"),
    invalid(join(last=2**70), "`last` is 1180591620717411303424"),
    invalid(join(threads=2**70), "`threads` is"),
    invalid(join(threads=100_000), "100000 threads"),
    invalid(join(timeout=10**400), "no length of time"),
    invalid(join(timeout=1e300), "`timeout` is 1e300"),
    invalid(join(timeout=float("inf")), "`timeout` is inf"),
    invalid(join(memory_limit=2**200), "memory_limit"),
    invalid(join(timeout=0), "`timeout` is 0"),
    invalid(join(timeout=-1), "`timeout` is -1"),
    invalid(join(timeout=float("nan")), "`timeout` is NaN"),
    invalid(join(timeout=timedelta(seconds=-1)), "`timeout` is -1"),
    invalid(join(threads=0), "`threads` is 0"),
    invalid(join(threads=-1), "`threads` is -1"),
    invalid(join(memory_limit=0), "memory_limit"),
    invalid(join(memory_limit=-1), "memory_limit"),
    invalid(join(memory_limit="plenty"), "plenty", hints="2GiB"),
    invalid(join(io="fast"), "`io` is 'fast'", hints='"mmap"'),
    invalid(join(strategy="guess"), '`strategy` is "guess"', hints='"merge"'),
    invalid(ask([]), "`features` is an empty list"),
    invalid(ask(["mw"]), "`mw` has no colon", hints="table:column"),
    invalid(ask(["load:mw:x"]), "`load:mw:x` has two colons"),
    invalid(ask([":mw"]), ":mw"),
    invalid(ask(["load:"]), "load:"),
    invalid(ask(["load:mw", "load:mw"]), "`load:mw` stands twice"),
    invalid(ask(["load:mx"]), "`mx`", column="mx", table="load", hints="did you mean `mw`"),
    Case(ask(["lod:mw"]), hs.NotFound, "lod", table="lod", hints="did you mean `load"),
]


class Stream:
    """What exports a stream, as it says."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self.capsule


class Array:
    """What exports an array, as it says."""

    def __init__(self, *capsules: Any) -> None:
        self.capsules = capsules

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self.capsules


def used(capsules: Any) -> Any:
    """Return capsules whose contents pyarrow has taken."""
    if isinstance(capsules, tuple):
        pa.record_batch(Array(*capsules))
    else:
        pa.table(Stream(capsules))
    return capsules


BATCH = pa.record_batch({"ts": pa.array(hours(2), pa.timestamp("us"))})


def fail_at(row: int) -> pa.RecordBatchReader:
    def batches() -> Any:
        for at in range(3):
            if at == row:
                raise LookupError("the source is exhausted")
            yield BATCH

    return pa.RecordBatchReader.from_batches(BATCH.schema, batches())


SPINES = [
    invalid(lambda s: fill(fail_at(1))(s), "the source is exhausted"),
    invalid(lambda s: fill(Stream(used(BATCH.__arrow_c_stream__())))(s), "released"),
    invalid(lambda s: fill(Array(*used(BATCH.__arrow_c_array__())))(s), "taken before"),
    invalid(fill({"when": hours(2)}), "`ts`", column="ts", table="spine", hints="`when`"),
    invalid(fill({}), "ts"),
    invalid(fill(pl.DataFrame()), "ts"),
    invalid(fill(pa.table([pa.array(hours(2))] * 2, ["ts", "ts"])), "ts", column="ts"),
    invalid(fill(pd.concat([pd.DataFrame(SPINE)] * 2, axis=1)), "ts"),
    invalid(fill({"ts": hours(2), "mw": [1, 2]}), "mw", hints="full"),
    invalid(fill({"ts": [1.5]}), "Float64", column="ts"),
    invalid(fill({"ts": np.array([1.5], dtype="f4")}), "Float32", column="ts"),
    invalid(fill(pl.DataFrame({"ts": [1.5]})), "Float64", column="ts"),
    invalid(fill(pd.DataFrame({"ts": [1.0, None]})), "Float64", column="ts"),
    invalid(fill({"ts": [1]}), "Int64", column="ts"),
    invalid(fill({"ts": ["2024-01-01"]}), "Utf8", column="ts"),
    invalid(fill({"ts": [START.date()]}), "Date32", column="ts"),
    invalid(fill({"ts": pd.Series(hours(2)).dt.tz_localize("UTC")}), "UTC", column="ts"),
    invalid(fill({"ts": [START, 1]}), "mixed types", column="ts"),
    invalid(fill({"ts": [START, "2024"]}), "row 1", column="ts"),
    invalid(fill({"ts": [START, START.astimezone()]}), "mixed types", column="ts"),
    invalid(fill(pd.DataFrame({"ts": [START, "2024"]})), "mixed types", column="ts"),
    invalid(fill(pd.DataFrame({"ts": hours(2), "v": [1, "a"]})), "mixed types", column="v"),
    invalid(fill(pd.DataFrame({"ts": hours(2), "v": [object(), None]})), "object", column="v"),
    invalid(fill({"ts": hours(2), "v": np.array([1, "a"], dtype=object)}), "mixed types", column="v"),
    invalid(fill({"ts": [object()]}), "object", column="ts"),
    invalid(fill({"ts": [1j]}), "complex", column="ts"),
    invalid(fill({"ts": [2**70]}), "64 bits", column="ts"),
    invalid(fill({"ts": [-1, 2**64 - 1]}), "64 bits", column="ts"),
    invalid(fill({"ts": [pd.Timestamp("2024-01-01 00:00:00.000000001")]}), "nanoseconds", column="ts"),
    invalid(fill({"ts": np.zeros((2, 2))}), "2 dimensions", column="ts"),
    invalid(fill({"ts": np.zeros(2, dtype="c16")}), "complex", column="ts"),
    invalid(fill({"ts": hours(2), "v": [1]}), "1 value", column="v"),
    invalid(fill(pa.array([1, 2])), "no table"),
    invalid(fill(pa.chunked_array([[1, 2]])), "Int64"),
    invalid(fill(pa.array([{"ts": START}, None])), "null"),
    invalid(fill(SPINE, how="inner"), "`how` is 'inner', and a spine is given"),
]


def id_of(case: Case) -> str:
    return case.says.replace("`", "")


@pytest.mark.parametrize("case", TYPES + VALUES + SPINES, ids=id_of)
def test_what_is_wrong_is_named(store: hs.Store, case: Case) -> None:
    with pytest.raises(case.raises) as raised:
        case.call(store)
    error = raised.value
    assert type(error) is case.raises
    assert case.says in str(error)
    assert "\n" not in str(error)
    for attribute in ("table", "column"):
        if getattr(case, attribute):
            assert getattr(error, attribute) == getattr(case, attribute)
    if case.hints:
        assert case.hints in str(error.hint)
    # Python's people have no flags.
    assert "--" not in str(error)
    assert "--" not in str(error.hint)
    assert not error.retryable


BUILT_IN = [
    (hs.InvalidRequest, ValueError),
    (hs.WrongType, TypeError),
    (hs.WrongType, hs.InvalidRequest),
    (hs.NotFound, FileNotFoundError),
    (hs.Unsupported, NotImplementedError),
    (hs.Unavailable, OSError),
    (hs.Changed, hs.Unavailable),
    (hs.Timeout, TimeoutError),
    (hs.LimitExceeded, MemoryError),
    (hs.InternalError, RuntimeError),
    (hs.NoMatchWarning, UserWarning),
]
ALL = [
    value for value in vars(hs).values() if isinstance(value, type) and issubclass(value, hs.HypostyleError)
]


@pytest.mark.parametrize(("error", "base"), BUILT_IN)
def test_errors_are_what_python_has_for_the_case(error: type[Exception], base: type[Exception]) -> None:
    assert issubclass(error, base)


@pytest.mark.parametrize("kind", ALL)
def test_errors_have_their_particulars_and_keep_them(kind: type[hs.HypostyleError]) -> None:
    assert issubclass(kind, hs.HypostyleError)
    plain = kind("what happened")
    assert str(plain) == "what happened"
    assert (plain.table, plain.path, plain.column, plain.hint, plain.retryable) == (
        None,
        None,
        None,
        None,
        False,
    )
    full = kind("m", table="t", path="p", column="c", hint="do that", retryable=True)
    shown = "".join(traceback.format_exception(full))
    assert shown.endswith("m\nhelp: do that\n")
    for again in (pickle.loads(pickle.dumps(full)), copy.copy(full), copy.deepcopy(full)):
        assert type(again) is kind
        assert str(again) == "m"
        assert (again.table, again.path, again.column, again.hint, again.retryable) == (
            "t",
            "p",
            "c",
            "do that",
            True,
        )
        assert "".join(traceback.format_exception(again)) == shown


def test_a_closed_store_says_so(root: Path) -> None:
    store = hs.open(root)
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.join(key="ts", tables=TABLES),
        lambda: store.explain(key="ts", tables=TABLES),
        lambda: store.get_historical_features(SPINE, FEATURES),
        lambda: store.describe("load"),
        lambda: pickle.dumps(store),
        store.tables,
        store.__enter__,
    ]
    for call in calls:
        with pytest.raises(hs.InvalidRequest, match="closed") as raised:
            call()
        assert str(root) in str(raised.value)
        assert "hypostyle.open" in str(raised.value.hint)


def test_what_is_not_there_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(hs.NotFound, match="nowhere") as raised:
        hs.open(tmp_path / "nowhere")
    assert raised.value.path == str(tmp_path / "nowhere")
    with pytest.raises(hs.HypostyleError, match=r"load\.parquet"):
        hs.open(root / "load.parquet").tables()
    store = hs.open(root)
    with pytest.raises(hs.NotFound, match="lood") as raised:
        store.join(key="ts", tables={"lood": ["mw"]})
    assert raised.value.table == "lood"
    assert str(raised.value.path).endswith("lood.parquet")
    assert "load" in str(raised.value.hint)
    with pytest.raises(hs.NotFound, match="lood"):
        store.describe("lood")
    with pytest.raises(hs.NotFound, match=r"no\.yaml"):
        store.join("no.yaml")
    with pytest.raises(hs.NotFound, match=r"none\.parquet"):
        store.join(hs.JoinSpec(key="ts", tables=TABLES, spine="none.parquet"))
    with pytest.raises(hs.NotFound, match="lood"):
        store.explain(key="ts", tables={"lood": ["mw"]})


def test_a_spec_that_cannot_be_read_says_where(tmp_path: Path, store: hs.Store) -> None:
    for text, says in [
        ("key: ts\ntabels: []\n", "line 2, column 1"),
        ("key: [\n", "line"),
        ("", "join.yaml"),
        ("key: ts\ntables:\n  - {name: load, columns: [mw], duplicates: often}\n", "line 3"),
    ]:
        (tmp_path / "join.yaml").write_text(text)
        with pytest.raises(hs.InvalidRequest) as raised:
            store.join(tmp_path / "join.yaml")
        assert says in str(raised.value)
        assert raised.value.path == str(tmp_path / "join.yaml")


def test_damaged_files_are_corrupt_and_named(tmp_path: Path) -> None:
    write_weather(tmp_path)
    sound = (tmp_path / "load.parquet").read_bytes()
    for damaged in (
        b"",
        b"PAR1",
        sound[:-30],
        sound[: len(sound) // 2],
        b"x" * 2000,
        sound[4:],
        sound + b"tail",
    ):
        (tmp_path / "load.parquet").write_bytes(damaged)
        with pytest.raises(hs.Corrupt, match="load") as raised:
            hs.open(tmp_path).join(key="ts", tables=TABLES)
        assert raised.value.table == "load"
        assert raised.value.path == str(tmp_path / "load.parquet")


def test_a_repeated_key_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    write_weather(tmp_path)
    pl.DataFrame({"ts": hours(2) * 2, "x": [1, 2, 3, 4]}).write_parquet(tmp_path / "twice.parquet")
    store = hs.open(tmp_path)
    with pytest.raises(hs.InvalidRequest, match="twice") as raised:
        store.join(key="ts", tables={"load": ["mw"], "twice": ["x"]})
    assert raised.value.table == "twice"
    assert "duplicates" in str(raised.value.hint)
    tables: Any = {"load": ["mw"], "twice": {"columns": ["x"], "duplicates": "last"}}
    assert store.join(key="ts", tables=tables)["x"].to_list() == [3, 4]


def test_limits_are_kept_and_named(store: hs.Store) -> None:
    with pytest.raises(hs.LimitExceeded, match="memory limit") as raised:
        store.join(key="ts", tables=TABLES, memory_limit=10)
    assert raised.value.table == "load"
    assert "memory_limit=" in str(raised.value.hint)
    with pytest.raises(hs.LimitExceeded):
        store.join(spine=SPINE, features=FEATURES, key="ts", memory_limit="10B")
    assert len(store.join(key="ts", tables=TABLES, memory_limit="1MB")) == 48


def test_a_deadline_is_kept_and_may_be_tried_again(store: hs.Store) -> None:
    for timeout in (1e-9, timedelta(microseconds=1)):
        with pytest.raises(hs.Timeout, match="deadline") as raised:
            store.join(key="ts", tables=TABLES, timeout=timeout)
        assert raised.value.retryable
    assert len(store.join(key="ts", tables=TABLES, timeout=60)) == 48


def test_what_exports_no_capsules_is_refused(store: hs.Store) -> None:
    schema, array = BATCH.__arrow_c_array__()
    for source in (Stream(1), Stream(None), Stream(array), Array(array, schema), Array(schema), Array(1, 2)):
        with pytest.raises((TypeError, ValueError)):
            fill(source)(store)
    fails: Any = type("Fails", (), {"__arrow_c_stream__": lambda self, schema=None: hours(0)[0]})()
    with pytest.raises(IndexError):
        fill(fails)(store)


def test_numpys_arguments_are_named(store: hs.Store) -> None:
    frame = store.join(key="ts", tables=TABLES)
    for arguments, kind, says in [
        ({"dtype": "int8"}, hs.InvalidRequest, "`dtype` is 'int8'"),
        ({"dtype": ">f8"}, hs.InvalidRequest, "`dtype` is '>f8'"),
        ({"dtype": "nonsense"}, hs.WrongType, "`dtype` is 'nonsense'"),
        ({"order": "K"}, hs.InvalidRequest, "`order` is 'K'"),
        ({"order": 1}, hs.WrongType, "`order` is 1"),
        ({"columns": "mw"}, hs.WrongType, "`columns` is 'mw'"),
        ({"columns": ["mx"]}, hs.InvalidRequest, "`mx`"),
    ]:
        wrong: Any = arguments
        with pytest.raises(kind, match=says):
            frame.to_numpy(**wrong)


def test_calls_that_python_refuses_are_its_own_errors(store: hs.Store) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        store.join(tabels=TABLES)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        store.join("a", "b")  # type: ignore[call-arg]
