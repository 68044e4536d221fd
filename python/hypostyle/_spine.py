"""The rows to fill, from whatever holds them.

Whatever comes is copied: a source that is changed or deleted later changes no frame.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from hypostyle import _arguments, _native
from hypostyle._errors import InvalidRequest
from hypostyle._optional import has

Spine: TypeAlias = Any
"""Polars, pandas, pyarrow, DuckDB, nanoarrow: what has ``__arrow_c_stream__`` or ``__arrow_c_array__``; or a dict."""

# numpy's types whose bytes are Arrow's values.
_PLAIN = {"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "b1"}
_UNITS = ("s", "ms", "us", "ns")


def batch(source: object) -> _native.Batch:
    """Return the columns of a spine."""
    if isinstance(source, Mapping):
        return _native.Batch.from_columns([_column(name, values) for name, values in source.items()])
    if _is_pandas(source) and not has("pyarrow"):
        return _native.Batch.from_columns(list(_pandas_columns(source)))
    if hasattr(source, "__arrow_c_stream__"):
        return _native.Batch.from_stream(source.__arrow_c_stream__())
    if hasattr(source, "__arrow_c_array__"):
        return _native.Batch.from_array(*source.__arrow_c_array__())
    wanted = "a DataFrame, an Arrow table, or a dict of columns"
    raise _arguments.wrong_type("spine", source, wanted)


def _is_pandas(source: object) -> bool:
    # A frame of a module that nobody has imported is none.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


def _column(name: object, values: object) -> _native.Column:
    if not isinstance(name, str):
        raise _arguments.wrong_type("spine", name, "a dict whose keys are the columns' names")
    if hasattr(values, "__arrow_c_stream__"):
        return _native.Column.from_stream(name, values.__arrow_c_stream__())
    if hasattr(values, "__arrow_c_array__"):
        return _native.Column.from_array(name, *values.__arrow_c_array__())
    if hasattr(values, "dtype") and hasattr(values, "__array__"):
        return _array(name, values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise _arguments.wrong_type(f"spine[{name!r}]", values, "a sequence of values")
    return _native.Column.from_sequence(name, values, False)


def _array(name: str, values: Any, zone: str | None = None, *, pandas: bool = False) -> _native.Column:
    """Return a column of an array of numpy's, or of what turns into one."""
    import numpy

    array = numpy.asarray(values)
    if array.ndim != 1:
        message = f"its values have {array.ndim} dimensions, and a column has one"
        raise InvalidRequest(f"table `spine`, column `{name}`: {message}", table="spine", column=name)
    kind = array.dtype.str[1:3]
    valid = None
    unit = None
    if array.dtype.kind in "mM":
        unit, step = numpy.datetime_data(array.dtype)
        if unit not in _UNITS or step != 1:
            unit = "s" if array.dtype.kind == "M" and unit in ("Y", "M", "W", "D", "h", "m") else "ns"
            array = array.astype(f"{array.dtype.kind}8[{unit}]")
        valid = ~numpy.isnat(array)
    elif pandas and array.dtype.kind == "f":
        valid = ~numpy.isnan(array)
    elif kind not in _PLAIN:
        return _native.Column.from_sequence(name, array.tolist() if kind[0] in "US" else array, pandas)
    plain = numpy.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view("u1")
    all_valid = valid is None or bool(valid.all())
    return _native.Column.from_buffer(name, kind, unit, zone, plain, None if all_valid else valid.view("u1"))


def _pandas_columns(frame: Any) -> Iterable[_native.Column]:
    """Return the columns of a pandas frame through numpy, which is what there is without pyarrow."""
    import numpy

    for name, series in frame.items():
        if not isinstance(name, str):
            raise _arguments.wrong_type("spine", name, "a frame whose columns have names in text")
        dtype = series.dtype
        zone = getattr(dtype, "tz", None)
        if zone is not None:
            naive = series.dt.tz_convert("UTC").dt.tz_localize(None)
            yield _array(name, naive.to_numpy(), str(zone), pandas=True)
        elif isinstance(dtype, numpy.dtype):
            yield _array(name, series.to_numpy(), pandas=True)
        else:
            # Categories, nullable numbers, strings: value by value.
            yield _native.Column.from_sequence(name, series.tolist(), True)
