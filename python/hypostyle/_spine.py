"""The rows to fill or to write, from whatever holds them.

Whatever comes is copied: a source that is changed or deleted later changes no frame.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeAlias, TypeGuard

from hypostyle import _arguments, _native
from hypostyle._errors import InvalidRequest
from hypostyle._optional import has

Spine: TypeAlias = Any
"""A frame of pandas, what has ``__arrow_c_stream__`` or ``__arrow_c_array__``, or a dict of columns."""

# numpy's types whose bytes are Arrow's values.
_PLAIN = {"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "b1"}
_UNITS = ("s", "ms", "us", "ns")


def batch(source: object, options: _native.Options, what: str = "spine") -> _native.Batch:
    """Return the columns of a spine, or of ``what`` else the rows are called in errors."""
    if isinstance(source, Mapping):
        return _native.Batch.from_columns(
            what, [_column(what, name, values) for name, values in source.items()]
        )
    if _is_of("pandas", "DataFrame", source):
        return _pandas_batch(what, source, options)
    if _is_of("polars", "DataFrame", source) and any(_is_null(series) for series in source):  # type: ignore[attr-defined]
        return _native.Batch.from_columns(what, [_column(what, series.name, series) for series in source])  # type: ignore[attr-defined]
    if hasattr(source, "__arrow_c_stream__"):
        return _native.Batch.from_stream(what, source.__arrow_c_stream__(), options)
    if hasattr(source, "__arrow_c_array__"):
        schema, array = source.__arrow_c_array__()
        return _native.Batch.from_array(what, schema, array, options)
    wanted = "a DataFrame, an Arrow table, or a dict of columns"
    if _is_of("polars", "LazyFrame", source):
        wanted += ": collect() it"
    raise _arguments.wrong_type(what, source, wanted)


def _is_of(module: str, kind: str, source: object) -> TypeGuard[Any]:
    # What is of a module that nobody has imported does not exist.
    imported = sys.modules.get(module)
    return imported is not None and isinstance(source, getattr(imported, kind))


def _is_pandas_array(values: object) -> bool:
    """Whether these are what a series of pandas' own dtypes is made of: ``pandas.array([1, None])``."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(values, pandas.api.extensions.ExtensionArray)


def _is_null(series: Any) -> bool:
    """Whether Polars knows no type for a column; arrow-rs refuses the form in which it gives those."""
    return str(series.dtype) == "Null"


def _column(what: str, name: object, values: Any) -> _native.Column:
    if not isinstance(name, str):
        raise _arguments.wrong_type(what, name, "a dict whose keys are the columns' names")
    _arguments.text(what, name)
    if _is_of("pandas", "Index", values) or _is_pandas_array(values):
        values = sys.modules["pandas"].Series(values)
    if _is_of("pandas", "Series", values):
        return _pandas_column(what, name, values)
    if _is_of("polars", "Series", values) and _is_null(values):
        return _native.Column.from_sequence(name, [None] * len(values), False)
    if hasattr(values, "__arrow_c_stream__"):
        return _native.Column.from_stream(name, values.__arrow_c_stream__())
    if hasattr(values, "__arrow_c_array__"):
        return _native.Column.from_array(name, *values.__arrow_c_array__())
    if hasattr(values, "dtype") and hasattr(values, "__array__"):
        return _array(what, name, values)
    # A set has no order, and of a dict it is not clear what is meant.
    if isinstance(values, (str, bytes, Set, Mapping)) or not isinstance(values, Iterable):
        raise _arguments.wrong_type(f"{what}[{name!r}]", values, "a sequence of values")
    return _sequence(what, name, list(values))


def _sequence(what: str, name: str, items: list[Any], *, pandas: bool = False) -> _native.Column:
    """Return a column of Python values, among which numpy's times are no datetimes."""
    first: Any = next((item for item in items if item is not None), None)
    if _is_numpy_time(first) and all(item is None or type(item) is type(first) for item in items):
        import numpy

        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return _array(what, name, numpy.array(items, dtype=first.dtype.kind + "8"))
    try:
        return _native.Column.from_sequence(name, items, pandas)
    except (OverflowError, UnicodeError) as error:
        # A time with a zone that is none in UTC; half of a surrogate pair.
        raise _refused(what, name, f"a value cannot be taken: {error}") from None


def _is_numpy_time(item: object) -> bool:
    return type(item).__module__ == "numpy" and type(item).__name__ in ("datetime64", "timedelta64")


def _refused(what: str, name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"table `{what}`, column `{name}`: {message}", table=what, column=name)


def _array(
    what: str, name: str, values: Any, zone: str | None = None, *, pandas: bool = False
) -> _native.Column:
    """Return a column of an array of numpy's, or of what turns into one."""
    import numpy

    array = numpy.asarray(values)
    valid: Any = None
    if array.ndim != 1:
        raise _refused(what, name, f"its values have {array.ndim} dimensions, and a column has one")
    if isinstance(values, numpy.ma.MaskedArray) and numpy.ma.is_masked(values):
        if _kind_of(array) not in _PLAIN and array.dtype.kind not in "mM":
            return _sequence(what, name, values.tolist())
        masked = numpy.ma.getmaskarray(values)
    else:
        masked = None
    kind = _kind_of(array)
    unit = None
    if array.dtype.kind in "mM":
        unit, step = numpy.datetime_data(array.dtype)
        if (array.dtype.kind, unit, step) == ("M", "D", 1) and (days := _days(array, masked)) is not None:
            # Days are dates, as to_numpy() gives them.
            return _native.Column.from_sequence(name, days, False)
        if unit not in _UNITS or step != 1:
            array, unit = _in_known_unit(what, name, array)
        valid = ~numpy.isnat(array)
    elif pandas and array.dtype.kind == "f":
        valid = ~numpy.isnan(array)
    elif kind not in _PLAIN:
        return _sequence(what, name, array.tolist() if kind[0] in "US" else list(array), pandas=pandas)
    if masked is not None:
        valid = ~masked if valid is None else valid & ~masked
    plain = numpy.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view("u1")
    present = None if valid is None or bool(valid.all()) else valid.view("u1")
    return _native.Column.from_buffer(name, kind, unit, zone, plain, present)


def _kind_of(array: Any) -> str:
    """Return numpy's letter and width of a type, such as ``i8``."""
    return str(array.dtype.str[1:3])


def _days(array: Any, masked: Any) -> list[Any] | None:
    """Return days as dates, if each is one that Python has."""
    days = array.tolist()
    if masked is not None:
        days = [None if hidden else day for day, hidden in zip(days, masked.tolist(), strict=True)]
    return None if any(isinstance(day, int) for day in days) else days


def _in_known_unit(what: str, name: str, array: Any) -> tuple[Any, str]:
    """Return times in a unit that Arrow has, the same times."""
    import numpy

    unit = numpy.datetime_data(array.dtype)[0]
    coarse = array.dtype.kind == "M" and unit in ("Y", "M", "W", "D", "h", "m", "s")
    for unit in ("s", "ms", "us", "ns") if coarse else ("ns", "us", "ms", "s"):
        with contextlib.suppress(OverflowError, TypeError):
            made = array.astype(f"{array.dtype.kind}8[{unit}]")
            # numpy wraps what does not fit and cuts off what is too fine, without a word.
            same = (made.astype(array.dtype) == array) | numpy.isnat(array)
            if bool(same.all()) and bool((numpy.isnat(made) == numpy.isnat(array)).all()):
                return made, unit
    raise _refused(
        what, name, f"its values, of numpy's type {array.dtype}, do not fit seconds to nanoseconds"
    )


def _pandas_batch(what: str, frame: Any, options: _native.Options) -> _native.Batch:
    """Return the columns of a pandas frame, and the levels of its index that have a name."""
    levels = [level for level in frame.index.names if level is not None and level not in frame.columns]
    if levels:
        frame = frame.reset_index(levels)
    frame = frame.reset_index(drop=True)
    for name in frame.columns:
        if not isinstance(name, str):
            raise _arguments.wrong_type(what, name, "a frame whose columns have names in text")
    if has("pyarrow"):
        # What pyarrow refuses, such as values of mixed types, is refused below in words that name the column.
        with contextlib.suppress(TypeError, ValueError, NotImplementedError, OverflowError):
            return _native.Batch.from_stream(what, frame.__arrow_c_stream__(), options)
    return _native.Batch.from_columns(
        what, [_pandas_column(what, name, series) for name, series in frame.items()]
    )


def _pandas_column(what: str, name: str, series: Any) -> _native.Column:
    """Return a column of a pandas series, through numpy where that is exact or all there is."""
    import numpy

    dtype = series.dtype
    zone = getattr(dtype, "tz", None)
    if zone is not None and hasattr(series, "dt") and hasattr(dtype, "unit"):
        naive = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _array(what, name, naive.to_numpy(), str(zone), pandas=True)
    if isinstance(dtype, numpy.dtype):
        return _array(what, name, series.to_numpy(), pandas=True)
    if has("pyarrow") and hasattr(series, "__arrow_c_stream__"):
        with contextlib.suppress(TypeError, ValueError, NotImplementedError, OverflowError):
            return _native.Column.from_stream(name, series.__arrow_c_stream__())
    # Categories, nullable numbers, strings: value by value.
    return _sequence(what, name, series.tolist(), pandas=True)
