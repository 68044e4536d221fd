"""What a store can do that is managed: be written, and tell of its snapshots."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypostyle import _arguments, _models, _native, _spine
from hypostyle._errors import InvalidRequest

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, SupportsIndex

    AsOf: TypeAlias = SupportsIndex | datetime | str

Mode = Literal["append", "upsert", "replace"]


@dataclasses.dataclass(frozen=True, slots=True)
class Commit:
    """A commit that was made. It stands for its snapshot's number: ``as_of=commit``, ``int(commit)``.

    Attributes
    ----------
    snapshot : int
        The snapshot that it made; the newest that it saw, if there was nothing to change.
    id : str
        Its id, as ``store.log()`` has it; empty if there was nothing to change.
    time : datetime
        Its time in UTC, up to the next microsecond: ``as_of=commit.time`` finds it.
    tables : dict
        The tables that it changed, and the rows they have now.
    models : dict
        The models that it gave versions, and the newest of these.
    """

    snapshot: int
    id: str
    time: datetime
    tables: dict[str, int]
    models: dict[str, int] = dataclasses.field(default_factory=dict)

    def __index__(self) -> int:
        return self.snapshot

    def __int__(self) -> int:
        return self.snapshot

    @classmethod
    def _of(cls, text: str) -> Commit:
        told = _arguments.load(text)
        # Rounded down it would be before the commit.
        microseconds = -(-told["time_ns"] // 1000)
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
        return cls(told["snapshot"], told["commit"], time, told["tables"], told.get("models", {}))


class Transaction:
    """Changes of several tables that become visible together; ``store.transaction()`` makes one.

    It is used in a ``with`` block, holds the locks of its tables there, and commits at its end. An exception
    in the block, Ctrl-C included, drops everything.

    Examples
    --------
    >>> with written.transaction(["wind", "load"]) as tx:
    ...     tx.write("wind", {"ts": [1, 2], "speed": [0.5, 1.5]}, mode="upsert", key="ts")
    ...     tx.write("load", {"ts": [1, 2], "mw": [7.0, 8.0]}, mode="upsert", key="ts")
    >>> tx.commit.tables
    {'load': 2, 'wind': 2}

    Models that are stored in the block join its commit.

    >>> with written.transaction(["wind"], models=["node-17"]) as tx:
    ...     tx.write("wind", {"ts": [3], "speed": [2.5]})
    ...     version = tx.models.put("node-17", b"weights", features=["wind:speed"])
    >>> tx.commit.models
    {'node-17': 1}
    """

    __slots__ = ("__weakref__", "_arguments", "_commit", "_native", "_store", "_token")

    def __init__(self, store: ManagedStore, *arguments: Any) -> None:
        self._store = store
        self._arguments = arguments
        self._native: _native.Transaction | None = None
        self._commit: Commit | None = None
        self._token: Any = None

    @property
    def models(self) -> _models.TransactionModels:
        """Models, which are stored, named and removed by its commit."""
        return _models.TransactionModels(self)

    @property
    def snapshot(self) -> int:
        """The number of the snapshot that it is based on: read ``as_of`` it to see what will be changed."""
        return self._open().snapshot

    @property
    def commit(self) -> Commit:
        """What was committed, after the block."""
        if self._commit is None:
            raise InvalidRequest(
                "the transaction has committed nothing", hint="it does so at the block's end"
            )
        return self._commit

    def write(
        self,
        table: str,
        data: _spine.Spine,
        mode: Mode = "append",
        key: str | Sequence[str] | None = None,
        start: object = None,
        end: object = None,
    ) -> None:
        """Write rows to a table; what this transaction wrote before is seen.

        Parameters
        ----------
        table, data, mode, key, start, end : as for a store
            As :meth:`Store.write` takes them.

        Raises
        ------
        InvalidRequest
            The transaction was not begun for this table, or as :meth:`Store.write` says.
        """
        native = self._open()
        rows = _spine.batch(data, _native.Options(), "data")
        self._write(native, rows, *_written(table, mode, key, start, end))

    def delete(
        self,
        table: str,
        start: object = None,
        end: object = None,
        *,
        all: bool = False,
    ) -> None:
        """Delete the rows of a range of keys.

        Parameters
        ----------
        table, start, end, all : as for a store
            As :meth:`Store.delete` takes them.

        Raises
        ------
        NotFound
            There is no such table.
        """
        self._open().delete(*_deleted(table, start, end, all))

    def __enter__(self) -> Self:
        if self._native is not None or self._commit is not None:
            raise InvalidRequest("the transaction was begun before", hint="make another one")
        self._native = _native.Transaction(self._store._open(), *self._arguments)
        # From here on `store.models` joins this transaction, in this block.
        known = _models.open_transactions.get({})
        self._token = _models.open_transactions.set({**known, id(self._store): self})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        native, self._native = self._open(), None
        _models.open_transactions.reset(self._token)
        if kind is None:
            self._commit = Commit._of(native.commit())
        else:
            native.rollback()

    def __repr__(self) -> str:
        state = "open" if self._native is not None else "not open"
        if self._commit is not None:
            state = f"committed in snapshot {self._commit.snapshot}"
        names = [*self._arguments[0], *self._arguments[4]]
        return f"<hypostyle.Transaction of {', '.join(names)}, {state}>"

    def _open(self) -> _native.Transaction:
        if self._native is None:
            raise InvalidRequest(
                "the transaction is not open", hint="use it in a block: with store.transaction(…) as tx"
            )
        return self._native

    @staticmethod
    def _write(native: _native.Transaction, rows: _native.Batch, table: str, *rest: Any) -> None:
        native.write(table, rows, *rest)


class ManagedStore:
    """The part of a :class:`Store` that needs it to be managed."""

    __slots__ = ()

    def _open(self) -> _native.Store:
        raise NotImplementedError

    def _managed(self) -> _native.Managed:
        return _native.Managed(self._open())

    # Writing

    def write(
        self,
        table: str,
        data: _spine.Spine,
        mode: Mode = "append",
        key: str | Sequence[str] | None = None,
        start: object = None,
        end: object = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> Commit:
        """Write rows to a table, durably when this returns. A table is made by its first write.

        Parameters
        ----------
        table : str
            Its name.
        data : DataFrame, Arrow table or dict of sequences
            The rows, as :meth:`join` takes a spine. They need not be sorted. Columns may be new; rows that
            are there have nulls in them then.
        mode : {"append", "upsert", "replace"}
            What becomes of keys that are there: they are refused; their rows are replaced and the others
            added; all rows of the table are replaced, or those from ``start`` up to ``end``.
        key : str or sequence of str, optional
            The key columns, for the first write; a table keeps them.
        start, end : optional
            With ``"replace"``, the first key that is replaced, and the first that is no longer.
        timeout : float or timedelta, optional
            Seconds to wait for others who write the table; 60 when left out.

        Returns
        -------
        Commit
            The snapshot that was made, and more.

        Raises
        ------
        InvalidRequest
            The root is no managed store; keys are null, or repeat; the columns clash with the table's.
        Conflict
            Another writer was first: the message says who, and when.
        Timeout
            Others wrote the table all the time.
        Unavailable
            Storage failed. With ``outcome unknown``, ``log()`` tells whether the commit stands.

        Examples
        --------
        >>> commit = written.write("wind", {"ts": [2, 3], "speed": [2.5, 3.5]}, mode="upsert", key="ts")
        >>> commit.snapshot, commit.tables
        (2, {'wind': 3})
        """
        arguments = _written(table, mode, key, start, end)
        # Others are not kept waiting meanwhile.
        rows = _spine.batch(data, _native.Options(), "data")
        with self.transaction([table], timeout=timeout) as tx:
            tx._write(tx._open(), rows, *arguments)
        return tx.commit

    def delete(
        self,
        table: str,
        start: object = None,
        end: object = None,
        *,
        all: bool = False,
        timeout: float | timedelta | None = None,
    ) -> Commit:
        """Delete the rows of a range of keys.

        Parameters
        ----------
        table : str
            Its name.
        start, end : optional
            The first key that goes, and the first that stays, by the first key column.
        all : bool, default False
            Delete all rows, in place of a range.
        timeout : float or timedelta, optional
            Seconds to wait for others who write the table; 60 when left out.

        Returns
        -------
        Commit
            The snapshot that was made, and more.

        Raises
        ------
        NotFound
            There is no such table.
        InvalidRequest, Conflict, Timeout, Unavailable
            As :meth:`write` does.

        Examples
        --------
        >>> written.delete("wind", end=2).tables
        {'wind': 1}
        """
        arguments = _deleted(table, start, end, all)
        with self.transaction([table], timeout=timeout) as tx:
            tx._open().delete(*arguments)
        return tx.commit

    def transaction(
        self,
        tables: Sequence[str] = (),
        shared: Sequence[str] = (),
        *,
        models: Sequence[str] | Literal["all"] = (),
        base: AsOf | None = None,
        timeout: float | timedelta | None = None,
    ) -> Transaction:
        """Begin to change several tables and models together, in a ``with`` block.

        Parameters
        ----------
        tables : sequence of str, default ()
            The tables that may be written.
        shared : sequence of str, default ()
            Tables that are only read, and must not change until the commit.
        models : sequence of str or "all", default ()
            Models that are changed. Others may be changed as well: they are waited for when they are.
        base : int, datetime or str, optional
            The snapshot that it is based on; the newest when left out. If one of the tables changed since,
            the commit is a :class:`Conflict`.
        timeout : float or timedelta, optional
            Seconds to wait for others who write the tables; 60 when left out.

        Returns
        -------
        Transaction
            It waits for its tables when the block begins, and commits at its end.

        Raises
        ------
        InvalidRequest, Conflict, Timeout, Unavailable
            As :meth:`write` does.

        Examples
        --------
        >>> with written.transaction(["wind"], shared=["load"]) as tx:
        ...     frame = written.join(tables={"load": ["mw"]}, as_of=tx.snapshot)
        ...     tx.write("wind", {"ts": frame["ts"], "speed": frame["mw"]}, mode="upsert")
        """
        if isinstance(tables, str):
            raise _arguments.wrong_type("tables", tables, "a list of names")
        wait = _arguments.seconds("timeout", timeout)
        number = None if base is None else self.snapshot(base)
        names = _arguments.names("tables", tables), _arguments.names("shared", shared)
        every = models == "all"
        named = [] if every else _arguments.names("models", models)
        return Transaction(self, *names, number, wait, named, every)

    def compact(self, table: str, *, timeout: float | timedelta | None = None) -> Commit:
        """Join the small files of a table to large ones; its rows stay the same.

        Parameters
        ----------
        table : str
            Its name.
        timeout : float or timedelta, optional
            Seconds to wait for others who write the table; 60 when left out.

        Returns
        -------
        Commit
            The snapshot that was made, and more.

        Raises
        ------
        NotFound
            There is no such table.
        """
        self.files(table, as_of=self.snapshot())
        with self.transaction([table], timeout=timeout) as tx:
            tx._open().compact(table)
        return tx.commit

    # Snapshots

    def snapshot(self, as_of: AsOf | None = None) -> int:
        """Return the number of the newest snapshot.

        Parameters
        ----------
        as_of : int, datetime or str, optional
            Another one: a number, a time (the newest then) or a tag.

        Raises
        ------
        NotFound
            There is no such snapshot, or no longer.
        """
        return self._managed().snapshot(_arguments.snapshot("as_of", as_of))

    def files(self, table: str, as_of: AsOf | None = None) -> list[Path]:
        """Return the Parquet files of a table, for other tools.

        Parameters
        ----------
        table : str
            Its name.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.

        Raises
        ------
        NotFound
            There is no such table, or no such snapshot.

        Examples
        --------
        >>> [path.name for path in store.files("wind")]
        ['wind.parquet']
        """
        return self._managed().files(_name("table", table), _arguments.snapshot("as_of", as_of))

    def log(self, table: str | None = None, most: int = 20) -> list[dict[str, Any]]:
        """Return what was committed, the newest first.

        Parameters
        ----------
        table : str, optional
            Only commits that changed this table.
        most : int
            At most so many.

        Returns
        -------
        list of dict
            ``number``, ``time``, ``time_ns``, ``who``, ``what``, ``commit``, ``tables``, ``tags`` of each,
            and ``models`` of those that changed some.

        Examples
        --------
        >>> [entry["what"] for entry in written.log()]
        ['upsert wind, upsert load', 'init']
        """
        name = None if table is None else _name("table", table)
        return _listed(self._managed().log(name, _arguments.count("most", most)))

    def diff(self, before: AsOf, after: AsOf) -> dict[str, Any]:
        """Tell what differs between two snapshots.

        Parameters
        ----------
        before, after : int, datetime or str
            Each a number, a time or a tag.

        Returns
        -------
        dict
            ``from``, ``to``, and ``tables``: for each that differs ``rows_before``, ``rows_after``,
            ``files_added``, ``files_removed``, ``columns_added``. Where models differ, ``models`` too: for
            each ``versions_added``, ``versions_removed`` and ``aliases``.

        Examples
        --------
        >>> written.diff(0, 1)["tables"]["load"]["rows_after"]
        2
        """
        numbers = [_arguments.snapshot(name, value) for name, value in (("before", before), ("after", after))]
        if None in numbers:
            raise _arguments.wrong_type("before and after", None, "snapshots")
        return _arguments.load(self._managed().diff(str(numbers[0]), str(numbers[1])))

    def tag(self, tag: str, as_of: AsOf | None = None, *, replace: bool = False) -> int:
        """Name a snapshot, which ``gc()`` then keeps.

        Parameters
        ----------
        tag : str
            The name: letters, digits and ``_``.
        as_of : int, datetime or str, optional
            The snapshot; the newest when left out.
        replace : bool, default False
            Move a tag that names another one.

        Returns
        -------
        int
            The snapshot's number.

        Raises
        ------
        Conflict
            The tag names another snapshot.

        Examples
        --------
        >>> written.tag("release")
        1
        >>> written.join(tables={"load": ["mw"]}, as_of="release").snapshot
        1
        """
        number = _arguments.snapshot("as_of", as_of)
        return self._managed().tag(_name("tag", tag), number, _arguments.flag("replace", replace))

    def untag(self, tag: str) -> None:
        """Take a tag away.

        Parameters
        ----------
        tag : str
            The name.

        Raises
        ------
        NotFound
            There is no such tag.
        """
        self._managed().untag(_name("tag", tag))

    def tags(self) -> dict[str, int]:
        """Return the tags and the numbers of the snapshots that they name."""
        return _arguments.load(self._managed().tags())

    # Upkeep

    def gc(self, dry_run: bool = True, grace: float | timedelta | None = None) -> dict[str, Any]:
        """Remove the files that no snapshot needs any more, or tell which these are.

        Parameters
        ----------
        dry_run : bool, default True
            Only tell.
        grace : float or timedelta, optional
            How long, in seconds, what nobody needs stays: longer than the longest read and the longest
            write; a day when left out.

        Returns
        -------
        dict
            ``removed`` (whether they are gone), ``files``, their ``bytes``, and ``horizon``, the oldest
            snapshot that is kept but for those with tags.

        Examples
        --------
        >>> written.gc()["files"]
        []
        """
        remove = not _arguments.flag("dry_run", dry_run)
        return _arguments.load(self._managed().gc(remove, _arguments.seconds("grace", grace)))

    def locks(self) -> list[dict[str, Any]]:
        """Return who holds or waits for which tables, in the order in which they asked.

        Returns
        -------
        list of dict
            ``id``, ``owner``, ``tables`` (each ``"exclusive"`` or ``"shared"``), ``standing`` (``"held"``,
            ``"waiting"`` or ``"broken"``), ``fence``, ``seconds`` of each.

        Examples
        --------
        >>> with written.transaction(["wind"]):
        ...     [lock["tables"] for lock in written.locks()]
        [{'wind': 'exclusive'}]
        """
        return [{**lock, "tables": dict(lock["tables"])} for lock in _listed(self._managed().locks())]

    def break_lock(self, id: str) -> int:
        """Break a lock: its holder can commit nothing any more.

        Parameters
        ----------
        id : str
            Its ``id`` in :meth:`locks`.

        Returns
        -------
        int
            The number of the snapshot that says so.

        Raises
        ------
        NotFound
            Nobody holds or waits under that id.
        """
        return self._managed().break_lock(_name("id", id))

    def repair(self, apply: bool = False) -> dict[str, Any]:
        """Look for damage, and tell what can be done about it.

        Parameters
        ----------
        apply : bool, default False
            Do it.

        Returns
        -------
        dict
            ``findings`` (``table``, ``path`` and ``what`` of each), ``actions``, ``applied`` (whether these
            were done), and the ``newest`` snapshot.

        Examples
        --------
        >>> written.repair()["findings"]
        []
        """
        return _arguments.load(self._managed().repair(_arguments.flag("apply", apply)))


def make(root: str | os.PathLike[str], coordination: str) -> str:
    """Make a folder a managed store, and return its path."""
    path = _arguments.path("root", root)
    _arguments.optional("coordination", coordination, str)
    _native.init(path, coordination)
    return path


def _name(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _arguments.wrong_type(name, value, "text")
    return _arguments.text(name, value)


def _written(table: object, mode: object, key: object, start: object, end: object) -> tuple[Any, ...]:
    """Check what is to be written how."""
    return (
        _name("table", table),
        _arguments.one_of("mode", mode, ("append", "upsert", "replace")),
        _arguments.key(key) or [],
        _arguments.bound("start", start),
        _arguments.bound("end", end),
    )


def _deleted(table: object, start: object, end: object, all: object) -> tuple[str, str | None, str | None]:
    """Check which rows are to be deleted."""
    everything = _arguments.flag("all", all)
    if everything == (start is not None or end is not None):
        what = (
            "`all` is given beside a range" if everything else "it is not said which rows are to be deleted"
        )
        raise _arguments.invalid(what, "give start=, end= or both; or all=True")
    return _name("table", table), _arguments.bound("start", start), _arguments.bound("end", end)


def _listed(text: str) -> list[dict[str, Any]]:
    loaded: Any = _arguments.load(text)
    return list(loaded)
