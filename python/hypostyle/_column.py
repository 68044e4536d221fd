"""One column of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypostyle._optional import need

if TYPE_CHECKING:
    import numpy as np

    from hypostyle import _native


class Column:
    """One column of a frame: an Arrow array with a name.

    It is read by everything that knows Arrow's PyCapsule interface (``polars.Series(column)``,
    ``pyarrow.array(column)``). It shares the memory of its frame and keeps all of it; ``copy()`` does not.

    Examples
    --------
    >>> mw = store.join(key="ts", tables={"load": ["mw"]}, last=24)["mw"]
    >>> mw.name, mw.type, len(mw), mw.null_count
    ('mw', 'Float64', 24, 0)
    """

    __slots__ = ("__weakref__", "_native")

    def __init__(self, native: _native.Column) -> None:
        self._native = native

    @property
    def name(self) -> str:
        """Its name."""
        return self._native.name

    @property
    def type(self) -> str:
        """Its Arrow type."""
        return self._native.data_type

    @property
    def null_count(self) -> int:
        """How many values are null."""
        return self._native.null_count

    def __len__(self) -> int:
        return len(self._native)

    def copy(self) -> Column:
        """Return the column in memory of its own, which does not keep the frame alive."""
        return Column(self._native.copy())

    def to_list(self) -> list[Any]:
        """Return Python values: numbers, texts, bytes, dates, times, Decimals, lists, dicts; None for null.

        Raises
        ------
        Unsupported
            A value has no such form, such as a time between two microseconds.
        """
        return self._native.to_list()

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """Return the values as numpy has them.

        Returns
        -------
        numpy.ndarray
            Numbers and times without nulls share the frame's memory and are read-only. Otherwise it is a
            copy: nulls are NaN for numbers (integers become float64) and NaT for times, which are in UTC;
            booleans with nulls and all other types are objects.
        """
        numpy = need("numpy", "to_numpy()")
        parts = self._native.numpy()
        if parts is None:
            return _objects(numpy, self.to_list())
        dtype, values, valid = parts
        array: np.ndarray[Any, Any] = numpy.frombuffer(values, dtype=dtype)
        if valid is None:
            return array
        missing = ~numpy.frombuffer(valid, dtype="?")
        if array.dtype.kind == "b":
            return _objects(numpy, self.to_list())
        array = array.astype("float64" if array.dtype.kind in "iu" else array.dtype)
        array[missing] = numpy.nan if array.dtype.kind == "f" else numpy.array("NaT", array.dtype)
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Return ``to_numpy()``, for ``numpy.asarray(column)``."""
        array = self.to_numpy()
        if copy is False and (array.flags.owndata or (dtype is not None and array.dtype != dtype)):
            raise ValueError(f"column {self.name!r} of {self.type} has no such array without a copy")
        if dtype is not None:
            return array.astype(dtype, copy=bool(copy))
        return array.copy() if copy else array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Return type and array as PyCapsules. Other types than its own are not made."""
        return self._native.schema(), self._native.export()

    def __arrow_c_schema__(self) -> object:
        """Return the type as a PyCapsule."""
        return self._native.schema()

    def __repr__(self) -> str:
        return f"<hypostyle.Column {self.name!r}: {len(self)} values of {self.type}, {self.null_count} null>"


def _objects(numpy: Any, values: list[Any]) -> np.ndarray[Any, Any]:
    """Return an array of Python objects, one each, also where these are lists."""
    array: np.ndarray[Any, Any] = numpy.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        array[row] = value
    return array
