"""A frame as a pandas DataFrame."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hypostyle._column import Column
from hypostyle._optional import need

if TYPE_CHECKING:
    import pandas as pd

    from hypostyle._frame import Frame


def arrow_backed(frame: Frame) -> pd.DataFrame:
    """Return columns of ``pandas.ArrowDtype`` over the frame's memory."""
    pandas = need("pandas", "to_pandas()")
    need("pyarrow", "to_pandas(arrow=True)")
    made: pd.DataFrame = frame.to_arrow().to_pandas(types_mapper=pandas.ArrowDtype)
    return made


def numpy_backed(frame: Frame) -> pd.DataFrame:
    """Return columns of numpy's types.

    Columns of float64 are filled side by side into one block, as pandas keeps them; the others come one by
    one.
    """
    pandas = need("pandas", "to_pandas()")
    names = frame.columns
    types = (
        list(frame.schema.values())
        if len(set(names)) == len(names)
        else [frame._native.column(i).data_type for i in range(len(names))]
    )
    floats = [name for name, kind in zip(names, types, strict=True) if kind == "Float64"]
    parts: list[Any] = []
    if floats:
        # Column by column, and not copied again.
        block, _ = frame.to_numpy(columns=floats, order="F")
        parts.append(pandas.DataFrame(block, columns=floats, copy=False))
    others: dict[str, list[Any]] = defaultdict(list)
    for index, (name, kind) in enumerate(zip(names, types, strict=True)):
        if kind != "Float64":
            others[name] = _series(pandas, Column(frame._native.column(index)))
    if others or not parts:
        parts.append(pandas.DataFrame(dict(others), index=range(len(frame))))
    if len(parts) == 1:
        whole: pd.DataFrame = parts[0]
        return whole if list(whole.columns) == names else whole[names]
    whole = pandas.concat(parts, axis=1, copy=False) if _copies(pandas) else pandas.concat(parts, axis=1)
    return whole[names] if list(whole.columns) != names else whole


def _copies(pandas: Any) -> bool:
    """Whether ``concat`` copies unless told not to: before pandas 3."""
    return int(pandas.__version__.partition(".")[0]) < 3


def _series(pandas: Any, column: Column) -> Any:
    kind = column.type
    if kind in ("Utf8", "LargeUtf8", "Utf8View"):
        return pandas.Series(column.to_list(), dtype="str" if not _copies(pandas) else object)
    if kind.startswith(("Date", "Time32", "Time64")):
        # numpy has days, pandas has none: dates stay dates.
        return pandas.Series(column.to_list(), dtype=object)
    # A copy: pandas frames are written to.
    values = pandas.Series(column.to_numpy(), copy=True)
    if kind.startswith("Timestamp") and "," in kind:
        zone = kind.partition(",")[2].strip(' ")')
        return values.dt.tz_localize("UTC").dt.tz_convert(zone)
    return values
