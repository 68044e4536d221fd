"""The join that is asked for, as an object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hypostyle import _arguments, _native
from hypostyle._native import Spec

TableForm: TypeAlias = "str | Sequence[str] | Mapping[str, Any]"
"""The columns of a table: names, ``"*"`` for all, names to new names; or a dict with ``columns`` and more."""

Tables: TypeAlias = "Mapping[str, TableForm] | Sequence[Mapping[str, Any]]"
"""Tables by name, or a list of dicts as in a YAML spec."""

# What makes a dict the whole description of a table, and not a map of columns to new names.
_TABLE_WORDS = {"path", "columns", "key", "duplicates", "missing", "name"}


class JoinSpec:
    """What to join: the key, the tables with their columns, and the rows wanted.

    Parameters
    ----------
    key : str or sequence of str, optional
        The key columns, by the names that the frame has. Left out, the store finds them.
    tables : mapping or sequence of mappings
        ``{"wind": ["speed_80m"], "sun": {"path": "sun/*.parquet", "columns": {"ghi": "sunshine"}}}``, or a
        list of such dicts as ``tables:`` of a YAML spec has.
    how : {"inner", "left", "spine"}, optional
        Keys that are in every table; all rows of the first table; the rows of a spine.
    spine : str or mapping, optional
        A file of rows to fill: its path, or ``{"path": …, "key": …}``. One in memory is given to
        :meth:`Store.join`.
    start, end : value of the key, optional
        The first key wanted, and the first that is no longer wanted.
    last : int, optional
        Only so many rows, those with the greatest keys.
    full_names : bool, default False
        Name columns ``table__column``.

    Raises
    ------
    InvalidRequest
        Something is wrong that can be seen without opening a table.

    Examples
    --------
    >>> spec = hs.JoinSpec(key="ts", tables={"wind": ["speed_80m"], "load": {"mw": "megawatts"}}, last=24)
    >>> store.join(spec).columns
    ['ts', 'speed_80m', 'megawatts']
    >>> hs.JoinSpec.from_dict(spec.to_dict()) == spec
    True
    """

    __slots__ = ("_native",)
    _native: Spec

    def __init__(
        self,
        *,
        key: str | Sequence[str] | None = None,
        tables: Tables,
        how: str | None = None,
        spine: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        start: object = None,
        end: object = None,
        last: int | None = None,
        full_names: bool = False,
    ) -> None:
        if isinstance(spine, (str, os.PathLike)):
            spine = {"path": _arguments.path("spine", spine)}
        elif spine is not None and not isinstance(spine, Mapping):
            raise _arguments.wrong_type("spine", spine, "a path or a dict")
        whole: dict[str, Any] = {
            "key": _arguments.key(key),
            "how": _arguments.optional("how", how, str),
            "tables": list_tables(tables),
            "full_names": _arguments.flag("full_names", full_names),
            "spine": spine,
            "rows": _without_none(
                {
                    "from": _arguments.bound("start", start),
                    "to": _arguments.bound("end", end),
                    "last": None if last is None else _arguments.count("last", last),
                }
            ),
        }
        self._native = _native.Spec.from_json(_arguments.dump("spec", _without_none(whole)))

    @classmethod
    def _of(cls, native: Spec) -> JoinSpec:
        spec = cls.__new__(cls)
        spec._native = native
        return spec

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> JoinSpec:
        """Read a spec from a dict of the shape that YAML specs have.

        Parameters
        ----------
        spec : mapping
            With ``key``, ``tables``, ``how``, ``spine``, ``rows`` and ``full_names``.

        Raises
        ------
        InvalidRequest
            A key is unknown or a value of the wrong kind; the message names it.
        """
        if not isinstance(spec, Mapping):
            raise _arguments.wrong_type("spec", spec, "a dict")
        return cls._of(_native.Spec.from_json(_arguments.dump("spec", spec)))

    @classmethod
    def from_yaml(cls, text: str) -> JoinSpec:
        """Read a spec from YAML, of which JSON is a part.

        Parameters
        ----------
        text : str
            The YAML.

        Raises
        ------
        InvalidRequest
            The text is no spec; the message names line and column.
        """
        if not isinstance(text, str):
            raise _arguments.wrong_type("text", text, "text")
        _arguments.text("text", text)
        return cls._of(_native.Spec.from_yaml(text))

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> JoinSpec:
        """Read a spec from a YAML or JSON file.

        Parameters
        ----------
        path : path-like
            The file.

        Raises
        ------
        NotFound
            There is no such file.
        InvalidRequest
            It is no spec; the message names the file, line and column.
        """
        return cls._of(_native.Spec.from_path(_arguments.path("path", path)))

    @classmethod
    def from_features(cls, features: Iterable[str], *, key: str | Sequence[str] | None = None) -> JoinSpec:
        """Make a spec of feature references ``table:column``.

        Parameters
        ----------
        features : iterable of str
            The references.
        key : str or sequence of str, optional
            The key columns. Left out, the store finds them.

        Raises
        ------
        InvalidRequest
            A reference has not exactly one colon, or comes twice.
        """
        references = _arguments.names("features", features)
        if not references:
            raise _arguments.invalid("`features` is an empty list", "name features, such as wind:speed_80m")
        native = _native.Spec.from_features(references)
        return cls._of(native.with_changes(key=_arguments.key(key)))

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as a dict of the shape that YAML specs have."""
        return _arguments.load(self._native.to_json())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JoinSpec) and self._native == other._native

    def __hash__(self) -> int:
        return hash(self._native.to_json())

    def __repr__(self) -> str:
        return f"JoinSpec.from_dict({self.to_dict()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return JoinSpec.from_dict, (self.to_dict(),)


def list_tables(tables: object) -> list[Any]:
    """Return tables as a YAML spec lists them."""
    if isinstance(tables, Mapping):
        return [_table(name, form) for name, form in tables.items()]
    if isinstance(tables, Sequence) and not isinstance(tables, (str, bytes)):
        return list(tables)
    raise _arguments.wrong_type("tables", tables, "a dict of tables and their columns")


def _table(name: object, form: object) -> dict[str, Any]:
    if not isinstance(name, str):
        raise _arguments.wrong_type("tables", name, "a dict whose keys are the tables' names")
    if isinstance(form, Mapping):
        if "columns" in form and _TABLE_WORDS.issuperset(form):
            return {"name": name, **form}
        return {"name": name, "columns": form}
    if isinstance(form, str) and form == "*":
        return {"name": name, "columns": "*"}
    return {"name": name, "columns": _arguments.names(f"tables[{name!r}]", form)}


def _without_none(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}
