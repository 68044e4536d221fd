"""Names and types of a frame's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypostyle import _native
    from hypostyle._frame import Frame


class Schema(Mapping[str, str]):
    """Column names to the names of their Arrow types, in order.

    It has ``__arrow_c_schema__``, so ``pyarrow.schema(frame.schema)`` gives the types as objects.

    Examples
    --------
    >>> store.join(key="ts", tables={"wind": ["speed_80m"]}).schema["speed_80m"]
    'Float64'
    """

    __slots__ = ("_native", "_types")

    def __init__(self, native: _native.Frame) -> None:
        self._native = native
        self._types = dict(zip(native.names, native.types, strict=True))

    def __getitem__(self, name: str) -> str:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __repr__(self) -> str:
        return f"Schema({self._types!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        from hypostyle._frame import Frame

        return _of_frame, (Frame(self._native),)

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a PyCapsule, for other Arrow libraries."""
        return self._native.schema()


def _of_frame(frame: Frame) -> Schema:
    """Make a pickled schema again, of the frame without rows that has it."""
    return frame.schema
