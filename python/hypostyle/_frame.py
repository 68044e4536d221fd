"""The answer of a join."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from hypostyle import _arguments, _native, _preview
from hypostyle._column import Column
from hypostyle._errors import Unsupported
from hypostyle._optional import need
from hypostyle._schema import Schema

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_OFFSET_ZONE = re.compile(r'Timestamp\(.*"[+-]\d\d:?\d\d"\)$')

Format = Literal["arrow", "stream", "parquet", "csv", "ndjson"]


class Frame:
    """Rows and columns in Arrow memory: the key, what a spine carries, then the features as asked for.

    A frame is read by everything that knows Arrow's PyCapsule interface (``polars.DataFrame(frame)``,
    ``pyarrow.table(frame)``, ``duckdb.sql("from frame")``), without a copy. It never changes.

    All columns of a frame share memory: a column, or a DataFrame made of the frame, keeps the memory of the
    whole frame while it lives. ``copy()`` of a column or of a selection is the way out.

    Examples
    --------
    >>> frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, last=24)
    >>> len(frame), frame.columns
    (24, ['ts', 'speed_80m', 'mw'])
    >>> frame["mw"].to_numpy().dtype
    dtype('float64')
    """

    __slots__ = ("__weakref__", "_native")

    def __init__(self, native: _native.Frame) -> None:
        self._native = native

    # What it is

    @property
    def columns(self) -> list[str]:
        """The names of the columns, keys first."""
        return self._native.names

    @property
    def features(self) -> list[str]:
        """The names of the columns that are neither the key nor carried by a spine."""
        return self._native.names[self._native.base_columns :]

    @property
    def schema(self) -> Schema:
        """Names and Arrow types of the columns."""
        return Schema(self._native.emptied())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._native), len(self._native.names)

    @property
    def snapshot(self) -> int | None:
        """The number of the snapshot that all tables were read from; None where the root is no managed store.

        The same join with ``as_of`` this number gives the same rows later.
        """
        return self._native.snapshot

    @property
    def stats(self) -> dict[str, Any]:
        """What the join did.

        ``total_ms`` (from the request to the frame, in milliseconds), ``stages``, ``bytes_read``, ``reads``,
        ``pages_decoded``, ``pages_skipped``, ``memory_peak`` (bytes), and for each of ``tables`` its rows,
        how many matched, and how and why it was aligned that way.
        """
        return _arguments.load(self._native.stats())

    def __len__(self) -> int:
        return len(self._native)

    def __contains__(self, name: object) -> bool:
        return name in self._native.names

    def __iter__(self) -> Iterator[str]:
        """Iterate over the column names, as a pandas frame does."""
        return iter(self._native.names)

    # Text is a sequence of texts, too; it is taken as one.
    @overload
    def __getitem__(self, item: str) -> Column: ...  # type: ignore[overload-overlap]

    @overload
    def __getitem__(self, item: slice | Sequence[str]) -> Frame: ...

    def __getitem__(self, item: str | slice | Sequence[str]) -> Column | Frame:
        """Return a column by its name, a frame of some columns, or a frame of a slice of the rows."""
        if isinstance(item, str):
            return Column(self._native.column_named(_arguments.text("name", item)))
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step != 1:
                raise _arguments.invalid("a frame is sliced with a step of 1")
            return Frame(self._native.slice(start, max(stop - start, 0)))
        return self.select(item)

    def select(self, names: Sequence[str]) -> Frame:
        """Return a frame of these columns, in this order, without a copy.

        Parameters
        ----------
        names : sequence of str
            Names of columns.

        Raises
        ------
        InvalidRequest
            A name is unknown, or stands twice: a frame has one column of a name.
        """
        wanted = _arguments.names("names", names)
        if len(set(wanted)) < len(wanted):
            twice = next(name for name in wanted if wanted.count(name) > 1)
            raise _arguments.invalid(f"the column {twice!r} is asked for twice", "name each column once")
        return Frame(self._native.select(wanted))

    def copy(self) -> Frame:
        """Return the same rows in memory of their own, which keeps nothing else alive."""
        return Frame(self._native.copy())

    # Ways out

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a stream of one batch in a PyCapsule. Other types than its own are not made."""
        return self._native.stream()

    def __arrow_c_schema__(self) -> object:
        """Return the schema in a PyCapsule."""
        return self._native.schema()

    def to_polars(self) -> pl.DataFrame:
        """Return a Polars DataFrame over the same memory.

        Raises
        ------
        ModuleNotFoundError
            Polars is not installed.

        Examples
        --------
        >>> store.join(key="ts", tables={"load": ["mw"]}, last=2).to_polars().columns
        ['ts', 'mw']
        """
        polars = need("polars", "to_polars()")
        try:
            frame: pl.DataFrame = polars.DataFrame(self)
        except BaseException:
            # Polars panics at some types, which no `except Exception` catches.
            _refuse_unknown_to_polars(self._native)
            raise
        return frame

    def to_arrow(self) -> pa.Table:
        """Return a ``pyarrow.Table`` over the same memory.

        Raises
        ------
        ModuleNotFoundError
            pyarrow is not installed.
        """
        return need("pyarrow", "to_arrow()").table(self)

    def to_pandas(self, *, arrow: bool = False) -> pd.DataFrame:
        """Return a pandas DataFrame, the key as a column.

        Parameters
        ----------
        arrow : bool, default False
            Give Arrow-backed columns (``pandas.ArrowDtype``), which share the frame's memory; pyarrow is
            needed. By default columns are backed by numpy: integers and booleans with nulls become what
            pandas makes of them (float64, object), nulls of floats NaN, of times NaT; strings are of pandas'
            own string dtype.

        Raises
        ------
        ModuleNotFoundError
            pandas, or with ``arrow=True`` pyarrow, is not installed.

        Examples
        --------
        >>> store.join(key="ts", tables={"load": ["mw"]}, last=2).to_pandas().dtypes["mw"]
        dtype('float64')
        """
        from hypostyle import _pandas

        return _pandas.arrow_backed(self) if arrow else _pandas.numpy_backed(self)

    def to_df(self) -> pd.DataFrame:
        """Return ``to_pandas()``, in Feast's word."""
        return self.to_pandas()

    def to_numpy(
        self,
        dtype: Literal["float64", "float32"] = "float64",
        order: Literal["C", "F"] = "C",
        columns: Sequence[str] | None = None,
    ) -> tuple[np.ndarray[Any, Any], list[str]]:
        """Return the features as one array of floats, which is what a model takes.

        Parameters
        ----------
        dtype : {"float64", "float32"}
            The type of all values.
        order : {"C", "F"}
            Row by row, or column by column.
        columns : sequence of str, optional
            The columns wanted; all features when left out.

        Returns
        -------
        array : numpy.ndarray, shape (rows, columns)
            Writable, in memory of its own. Nulls are NaN, booleans 0 and 1.
        names : list of str
            The names of its columns.

        Raises
        ------
        InvalidRequest
            A column is neither a number nor a boolean, such as a string or a time; the message names it.
        ModuleNotFoundError
            numpy is not installed.

        Examples
        --------
        >>> array, names = store.join(key="ts", tables={"load": ["mw", "mw_lag24"]}, last=24).to_numpy()
        >>> array.shape, names
        ((24, 2), ['mw', 'mw_lag24'])
        """
        numpy = need("numpy", "to_numpy()")
        try:
            word = str(numpy.dtype(dtype))
        except (TypeError, ValueError):
            raise _arguments.wrong_type("dtype", dtype, '"float64" or "float32"') from None
        _arguments.one_of("dtype", word, ("float64", "float32"))
        _arguments.one_of("order", order, ("C", "F"))
        names = self.features if columns is None else _arguments.names("columns", columns)
        array = numpy.empty((len(self), len(names)), dtype=dtype, order=order)
        # The transpose of an array in column order is one in row order, and shares its memory.
        target = array if order == "C" else array.T
        self._native.fill(names, str(array.dtype) == "float32", order == "C", target.reshape(-1))
        return array, names

    def to_batches(self, rows: int = 65_536) -> Iterator[Frame]:
        """Iterate over the frame in pieces, which share its memory.

        Parameters
        ----------
        rows : int
            Rows of each piece; the last one may have fewer.

        Yields
        ------
        Frame

        Examples
        --------
        >>> [len(piece) for piece in store.join(key="ts", tables={"load": ["mw"]}, last=24).to_batches(10)]
        [10, 10, 4]
        """
        rows = _arguments.count("rows", rows)
        return (self[start : start + rows] for start in range(0, len(self), rows))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dict of Python values for each row."""
        columns = [Column(self._native.column(i)).to_list() for i in range(len(self.columns))]
        names = self.columns
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def write(self, path: str | os.PathLike[str], format: Format | None = None) -> None:
        """Write the frame to a file, which appears whole or not at all.

        Parameters
        ----------
        path : path-like
            Its suffix tells the format: ``.arrow``, ``.arrows`` (a stream), ``.parquet``, ``.csv``,
            ``.ndjson``.
        format : {"arrow", "stream", "parquet", "csv", "ndjson"}, optional
            The format, whatever the suffix.

        Raises
        ------
        InvalidRequest
            The suffix tells no format, or the format cannot hold a column's type.
        Unavailable
            The file cannot be written.
        """
        _arguments.optional("format", format, str)
        self._native.write(_arguments.path("path", path), format)

    # How it looks

    def __repr__(self) -> str:
        return _preview.as_text(self._native)

    def _repr_html_(self) -> str:
        return _preview.as_html(self._native)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_ipc, (self._native.to_ipc(), self._native.base_columns, self._native.stats())


def _refuse_unknown_to_polars(native: _native.Frame) -> None:
    """Refuse, by name, columns of types that Polars has none for."""
    for name, kind in zip(native.names, native.types, strict=True):
        if kind.startswith("Decimal256"):
            what = "Polars has no decimals of more than 38 digits"
        elif _OFFSET_ZONE.match(kind):
            what = "Polars has no time zones that are an offset from UTC"
        else:
            continue
        message = f"column `{name}`: {what}, and this is {kind}"
        hint = "leave the column out, or take the frame through to_arrow()"
        raise Unsupported(message, column=name, hint=hint)


def _from_ipc(stream: bytes, base_columns: int, stats: str) -> Frame:
    """Make a pickled frame again."""
    return Frame(_native.Frame.from_ipc(stream, base_columns, stats))
