"""The golden joins, which Polars and DuckDB agree on, as the Python package answers them.

``fixtures/golden/README.md`` says what they are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

import hypostyle as hs

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"
CASES = GOLDEN / "cases"
NAMES = sorted(case.name for case in CASES.iterdir() if case.is_dir()) if CASES.exists() else []

pytestmark = [
    pytest.mark.skipif(not NAMES, reason="there are no golden files beside this copy of the tests"),
    pytest.mark.filterwarnings("ignore::hypostyle.NoMatchWarning"),
]


def spec_of(case: str) -> dict[str, Any]:
    """Return the spec of a case with paths below the root, out of which a store does not go."""
    spec = hs.JoinSpec.from_path(CASES / case / "spec.yaml").to_dict()
    for part in [*spec["tables"], *([spec["spine"]] if "spine" in spec else [])]:
        if "path" in part:
            part["path"] = os.path.normpath(os.path.join("cases", case, part["path"]))
    return spec


def expected_of(case: str) -> pa.Table:
    with pa.ipc.open_file(CASES / case / "expected.arrow") as file:
        table = file.read_all()
        assert isinstance(table, pa.Table)
        return table


def values(column: pa.ChunkedArray) -> object:
    """Return values that compare by their bits, also NaN and what Python's datetime has not."""
    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        width = pa.int32() if column.type.bit_width == 32 else pa.int64()
        return pc.cast(column, width).to_pylist()
    return repr(column.to_pylist())


def check(found: pa.Table, expected: pa.Table) -> None:
    assert found.column_names == expected.column_names
    assert found.num_rows == expected.num_rows
    for name in expected.column_names:
        assert found[name].type.equals(expected[name].type), name
        assert found[name].null_count == expected[name].null_count, name
        assert values(found[name]) == values(expected[name]), name


def test_there_are_many_cases() -> None:
    assert len(NAMES) > 80


@pytest.mark.parametrize("case", NAMES)
def test_a_golden_join_is_what_the_other_programs_make_of_it(case: str) -> None:
    expected = expected_of(case)
    with hs.open(GOLDEN) as store:
        frame = store.join(spec_of(case))
        check(frame.to_arrow(), expected)
        check(store.join(spec_of(case), strategy="hash", io="mmap", threads=1).to_arrow(), expected)
    check(frame.copy().to_arrow(), expected)
    pieces = [piece.to_arrow() for piece in frame.to_batches(7)]
    check(pa.concat_tables(pieces) if pieces else expected, expected)


@pytest.mark.parametrize("case", NAMES)
def test_a_golden_join_comes_to_polars_and_numpy_as_it_is(case: str) -> None:
    expected = expected_of(case)
    frame = hs.open(GOLDEN).join(spec_of(case))
    # Polars has no decimals of 256 bits, and no time zones that are mere offsets.
    names = [name for name in expected.column_names if is_common(expected[name].type)]
    polars = frame.select(names).to_polars()
    assert polars.columns == names
    for name in names:
        same = pl.Series(name, expected[name])
        assert polars[name].dtype == same.dtype
        assert polars[name].equals(same, null_equal=True), name
        if same.dtype.is_numeric() or same.dtype == pl.Boolean:
            numpy = frame[name].to_numpy().astype("float64")
            assert repr(numpy.tolist()) == repr(same.cast(pl.Float64).to_numpy().astype("float64").tolist())


@pytest.mark.parametrize(
    ("case", "what"),
    [("types-pyarrow-numbers", "more than 38 digits"), ("types-pyarrow-times", "offset from UTC")],
)
def test_what_polars_has_no_type_for_is_refused_by_name(case: str, what: str) -> None:
    # Polars panicked at such decimals, which no `except Exception` catches.
    frame = hs.open(GOLDEN).join(spec_of(case))
    with pytest.raises(hs.Unsupported, match=f"Polars has no .*{what}") as refused:
        frame.to_polars()
    assert refused.value.column in frame.columns


def is_common(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.tz is None or kind.tz[0] not in "+-"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(number or pa.types.is_string(kind) or pa.types.is_large_string(kind))


SPINES = [name for name in NAMES if "spine" in name and "bounds" not in name and "last" not in name]


@pytest.mark.parametrize("case", SPINES)
def test_a_spine_in_memory_is_as_good_as_one_in_a_file(case: str) -> None:
    spec = spec_of(case)
    spine = spec.pop("spine")
    if "key" in spine:
        pytest.skip("a spine in memory has the join's own key names")
    spec.pop("how", None)
    table = pa.parquet.read_table(GOLDEN / spine["path"])
    frame = hs.open(GOLDEN).join(spec, spine=table)
    check(frame.to_arrow(), expected_of(case))
