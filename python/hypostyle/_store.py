"""A folder of tables, and the joins over them."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypostyle import _arguments, _native, _spine
from hypostyle._errors import InvalidRequest, NoMatchWarning
from hypostyle._frame import Frame
from hypostyle._managed import ManagedStore, make
from hypostyle._models import FOREVER, Models
from hypostyle._progress import Progress, teller
from hypostyle._spec import JoinSpec, Tables, list_tables

if TYPE_CHECKING:
    from types import TracebackType

    from hypostyle._managed import AsOf
    from hypostyle._models import Version

How = Literal["inner", "left", "spine"]
Io = Literal["auto", "mmap", "pread"]
Strategy = Literal["auto", "identity", "merge", "hash"]

# What the native half has numbers for; it has its own, lower, limits.
_MOST_ROWS = 2**64 - 1
_MOST_THREADS = 2**32 - 1
_HOW = {
    "timeout",
    "threads",
    "memory_limit",
    "io",
    "strategy",
    "io_depth",
    "hedge",
    "retries",
    "verify",
    "as_of",
    "staleness",
    "progress",
}
# As the command has it.
_MOST_DEPTH = 1024
_MOST_RETRIES = 2**32 - 1


Root: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def open(root: Root = ".") -> Store:
    """Open a folder of tables.

    Parameters
    ----------
    root : path-like or sequence of path-like, default "."
        The folder. A table's name means ``<root>/<name>.parquet`` or the folder ``<root>/<name>/``. A file
        ``hypostyle.yaml`` in it may name the key: ``key: ts``. In a managed store (:func:`init`) a table's
        name means what was written under it. Several folders hold the same tables: what the first cannot
        give, because it does not answer, is read from the next.

    Returns
    -------
    Store
        Keep it: files stay open and their footers known from one join to the next.

    Raises
    ------
    NotFound
        There is no such folder.

    Examples
    --------
    >>> hs.open(root).tables()
    ['load', 'wind']
    """
    return Store(root)


def init(root: str | os.PathLike[str], coordination: str = "local") -> Store:
    """Make a folder a managed store, and open it: many write its tables, and every join reads one snapshot.

    Parameters
    ----------
    root : path-like
        The folder, which must exist. Files that are there stay where they are, and belong to no table.
    coordination : str, default "local"
        Who decides which commit is next: ``"local"`` for the processes of one machine,
        ``"etcd://host:port,host:port"`` for those of many that see the same folder.

    Returns
    -------
    Store
        The store.

    Raises
    ------
    InvalidRequest
        It is a managed store already, or lies inside another or around one.
    Unsupported
        The file system is none on which local coordination holds.
    Unavailable
        Etcd does not answer.

    Examples
    --------
    >>> fresh = hs.init(folder)
    >>> fresh.write("wind", {"ts": [1, 2], "speed": [0.5, 1.5]}, key="ts").snapshot
    1
    """
    return Store(make(root, coordination))


def doctor(path: str | os.PathLike[str], *, timeout: float | timedelta = 60.0) -> dict[str, Any]:
    """Probe the mount that a folder lies on, by doing all that a store does there, and tell what is safe.

    It leaves nothing behind. Where nothing may be written, it reads what is there, and tells what it could
    not probe.

    Parameters
    ----------
    path : path-like
        The folder.
    timeout : float or timedelta, default 60.0
        How long, in seconds, it may take; a mount that hangs is left with a thread in it.

    Returns
    -------
    dict
        ``file_system``, ``is_remote`` (others answer for it, so it can hang), ``read_only``, ``max_read``
        and ``max_background``; ``probes``, each with its ``name``, ``what``, ``answer`` (``"yes"``, ``"no"``
        or ``"unknown"``), ``detail`` and ``ms``; ``reading``, with the times of reads one by one and 32 at
        once; ``safe_reading``, ``safe_publishing`` and ``why_not``; and the ``settings`` to use: ``io``,
        ``io_depth``, ``timeout`` and ``coordination``.

    Raises
    ------
    NotFound
        There is no such folder.
    Timeout
        The mount does not answer; what it was asked last is named.

    Examples
    --------
    >>> hs.doctor(folder)["settings"]
    {'io': 'auto', 'io_depth': None, 'timeout': False, 'coordination': 'local'}
    """
    limit = _arguments.seconds("timeout", timeout)
    if limit is None:
        raise _arguments.wrong_type("timeout", timeout, "seconds or a timedelta")
    return _arguments.load(_native.doctor(_arguments.path("path", path), limit))


class Store(ManagedStore):
    """Tables under one folder; :func:`hypostyle.open` makes one.

    It is safe to use from many threads at once, and in a forked child. It holds open files, and ``close()``,
    or a ``with`` block, lets go of them.
    """

    __slots__ = ("__weakref__", "_native", "_places", "_roots")

    def __init__(self, root: Root = ".") -> None:
        self._roots = _arguments.paths("root", root)
        # The folders that they are now, whatever folder the process works in later.
        self._places = [_anchored(place) for place in self._roots]
        self._native: _native.Store | None = _native.Store(self._places)

    # Joining

    def join(
        self,
        spec: str | os.PathLike[str] | Mapping[str, Any] | JoinSpec | None = None,
        /,
        *,
        key: str | Sequence[str] | None = None,
        tables: Tables | None = None,
        features: Sequence[str] | None = None,
        spine: _spine.Spine | None = None,
        how: How | None = None,
        start: object = None,
        end: object = None,
        last: int | None = None,
        full_names: bool | None = None,
        timeout: float | timedelta | None = None,
        threads: int | None = None,
        memory_limit: int | str | None = None,
        io: Io | None = None,
        strategy: Strategy | None = None,
        io_depth: int | None = None,
        hedge: bool = False,
        retries: int | None = None,
        verify: bool = True,
        as_of: AsOf | None = None,
        staleness: float | timedelta | None = None,
        progress: Progress = False,
    ) -> Frame:
        """Join columns of many tables into one frame.

        Parameters
        ----------
        spec : path-like, mapping or JoinSpec, optional
            The join: a YAML or JSON file, a dict of the same shape, or an object. What is given beside it
            takes the place of what it says.
        key : str or sequence of str, optional
            The key columns. Left out: those of the spec; else those that ``hypostyle.yaml`` in the root
            names; else the one column that all tables, and the spine, have.
        tables : mapping, optional
            Columns by table: ``{"wind": ["speed_80m"], "load": {"mw": "megawatts"}, "sun": "*"}``; see
            :class:`JoinSpec`.
        features : sequence of str, optional
            Instead of ``tables``: references ``table:column``. The frame has them in this order.
        spine : DataFrame, Arrow table or dict of sequences, optional
            The rows to fill: the frame has exactly these, in their order and number, repeated and null keys
            included, and carries their other columns. Anything with ``__arrow_c_stream__`` or
            ``__arrow_c_array__``, or a pandas frame, whose index counts as a column if it has a name. It is
            copied.
        how : {"inner", "left", "spine"}, optional
            Keys that are in every table, in the row order of the first (the default); all rows of the first
            table; exactly the spine's rows (the default with a spine).
        start, end : optional
            The first key that is wanted, and the first that is no longer wanted: text, numbers, dates, times.
            They hold for the first key column.
        last : int, optional
            Only so many rows, those with the greatest keys.
        full_names : bool, optional
            Name columns ``table__column``.
        timeout : float or timedelta, optional
            Seconds after which the call ends with :class:`Timeout`.
        threads : int, optional
            Threads to work with; all cores when left out.
        memory_limit : int or str, optional
            Bytes of decoded data that the join may hold, also as ``"2GiB"``; half of the memory when left
            out.
        io : {"auto", "mmap", "pread"}, optional
            How files are read. Mapping a file that somebody truncates meanwhile kills the process.
        strategy : {"auto", "identity", "merge", "hash"}, optional
            How tables are aligned; each gives the same answer.
        io_depth : int, optional
            Requests in flight at once on a FUSE or network mount; 32 when left out.
        hedge : bool, default False
            Ask the next of several roots too, as soon as one is slower than it usually is.
        retries : int, optional
            How often the join is begun again whose files changed under it; 3 times when left out.
        verify : bool, default True
            Compare pages with their checksums, where they have any.
        as_of : int, datetime or str, optional
            The snapshot to read, in a managed store: a number, a time (the newest then) or a tag; the newest
            when left out.
        staleness : float or timedelta, optional
            How many seconds ago the newest snapshot may have been looked for; it is looked for when left out.
        progress : bool or callable, default False
            True shows a bar (tqdm, also in notebooks); a function is called with the work done and planned.

        Returns
        -------
        Frame
            Its key columns, then what the spine carries, then the features.

        Raises
        ------
        InvalidRequest
            Something about the request is wrong, such as a column that is missing.
        NotFound
            A table or file does not exist.
        Corrupt, Unsupported
            A file is damaged, or of a kind that is not read.
        Unavailable, Changed, Timeout
            Storage did not answer, or not in time, or a file changed meanwhile: the same call may succeed
            later.
        LimitExceeded
            The memory limit would be passed.

        Warns
        -----
        NoMatchWarning
            A table has no row for any row of a spine or of the first table.

        Examples
        --------
        >>> store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, last=24).shape
        (24, 3)
        >>> spine = {"ts": [datetime(2024, 1, 1, 5), datetime(2024, 1, 1, 4)], "label": ["a", "b"]}
        >>> store.join(spine=spine, features=["wind:speed_80m", "load:mw"]).columns
        ['ts', 'label', 'speed_80m', 'mw']
        """
        # Read once: what can be iterated over only once is a list of names as well.
        features = None if features is None else _arguments.names("features", features)
        native = self._spec(spec, tables, features, key, how, spine, start, end, last, full_names)
        options = read_options(
            timeout=timeout,
            threads=threads,
            memory_limit=memory_limit,
            io=io,
            strategy=strategy,
            io_depth=io_depth,
            hedge=hedge,
            retries=retries,
            verify=verify,
            as_of=as_of,
            staleness=staleness,
        )
        store = self._open()
        rows = None if spine is None else _spine.batch(spine, options)
        with teller(progress) as tell:
            frame = Frame(store.join(native, options, rows, tell))
        _warn_of_unmatched(frame)
        return frame if features is None else _in_order(frame, features, bool(full_names))

    def get_historical_features(
        self,
        entity_df: _spine.Spine,
        features: Sequence[str],
        full_feature_names: bool = False,
        key: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Frame:
        """Fill the rows of ``entity_df`` with features; **keys match exactly**, where Feast's are as-of.

        In this version a row gets the feature values that stand under its very key, and nulls where there are
        none. There is no search for the newest value before a time.

        Parameters
        ----------
        entity_df : DataFrame, Arrow table or dict of sequences
            The rows to fill, with the key.
        features : sequence of str
            References ``table:column``.
        full_feature_names : bool, default False
            Name columns ``table__column``.
        key : str or sequence of str, optional
            The key columns, found as in :meth:`join` when left out.
        **options
            ``timeout``, ``threads``, ``memory_limit``, ``io``, ``strategy``, ``io_depth``, ``hedge``,
            ``retries``, ``verify``, ``as_of``, ``staleness``, ``progress`` of :meth:`join`.

        Returns
        -------
        Frame
            The rows of ``entity_df`` in their order, with ``.to_df()`` and ``.to_arrow()``.

        Raises
        ------
        InvalidRequest, NotFound, …
            As :meth:`join` does.

        Warns
        -----
        NoMatchWarning
            A table has no row for any row of ``entity_df``.

        Examples
        --------
        >>> entity_df = {"ts": [datetime(2024, 1, 1, 5), datetime(2024, 1, 1, 4)]}
        >>> store.get_historical_features(entity_df, features=["load:mw"], full_feature_names=True).columns
        ['ts', 'load__mw']
        """
        if unknown := set(options) - _HOW:
            raise TypeError(f"get_historical_features() got an unexpected keyword argument {min(unknown)!r}")
        if entity_df is None:
            raise _arguments.wrong_type(
                "entity_df", None, "a DataFrame, an Arrow table, or a dict of columns"
            )
        return self.join(
            spine=entity_df, features=features, full_names=full_feature_names, key=key, **options
        )

    def explain(
        self,
        spec: str | os.PathLike[str] | Mapping[str, Any] | JoinSpec | None = None,
        /,
        *,
        key: str | Sequence[str] | None = None,
        tables: Tables | None = None,
        features: Sequence[str] | None = None,
        spine: _spine.Spine | None = None,
        how: How | None = None,
        start: object = None,
        end: object = None,
        last: int | None = None,
        full_names: bool | None = None,
        timeout: float | timedelta | None = None,
        threads: int | None = None,
        memory_limit: int | str | None = None,
        io: Io | None = None,
        strategy: Strategy | None = None,
        io_depth: int | None = None,
        hedge: bool = False,
        retries: int | None = None,
        verify: bool = True,
        as_of: AsOf | None = None,
        staleness: float | timedelta | None = None,
    ) -> Explanation:
        """Tell what :meth:`join` with the same arguments would read, skip and align, and why.

        Key columns are read for it, features are not.

        Parameters
        ----------
        spec, key, tables, features, spine, how, start, end, last, full_names : optional
            The join, as :meth:`join` takes it.
        timeout, threads, memory_limit, io, strategy, io_depth, hedge, retries, verify : optional
            How it is done, as :meth:`join` takes it.
        as_of, staleness : optional
            Which snapshot is read, as :meth:`join` takes it.

        Returns
        -------
        Explanation
            A dict, which prints as text.

        Raises
        ------
        InvalidRequest, NotFound, …
            As :meth:`join` does.

        Examples
        --------
        >>> print(store.explain(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, last=24))
        24 rows × 3 columns; ... bytes read to plan it
        ...
        """
        native = self._spec(spec, tables, features, key, how, spine, start, end, last, full_names)
        options = read_options(
            timeout=timeout,
            threads=threads,
            memory_limit=memory_limit,
            io=io,
            strategy=strategy,
            io_depth=io_depth,
            hedge=hedge,
            retries=retries,
            verify=verify,
            as_of=as_of,
            staleness=staleness,
        )
        rows = None if spine is None else _spine.batch(spine, options)
        return Explanation(*self._open().explain(native, options, rows))

    # Models, and one moment

    @property
    def models(self) -> Models:
        """Its models: named, versioned, immutable blobs, in the same snapshots as its tables."""
        return Models(self)

    def at(self, snapshot: AsOf | None = None, *, timeout: float | timedelta | None = None) -> StoreAt:
        """Return the store as of one snapshot: all its frames and models are of one moment.

        Parameters
        ----------
        snapshot : int, datetime or str, optional
            A number, a time or a tag; the newest when left out. It is looked up once.
        timeout : float or timedelta, optional
            Seconds after which it ends with :class:`Timeout`.

        Returns
        -------
        StoreAt
            With :meth:`join`, :meth:`get_historical_features`, :meth:`explain`, :attr:`models` and
            :meth:`frame_for` of that snapshot.

        Raises
        ------
        NotFound
            There is no such snapshot, or no longer.

        Examples
        --------
        >>> written.models.put("node-17", b"weights", features=["wind:speed"])
        1
        >>> now = written.at()
        >>> written.models.put("node-17", b"newer weights")
        2
        >>> bytes(now.models.get("node-17")), now.frame_for("node-17", last=1).shape
        (b'weights', (1, 2))
        """
        options = read_options(as_of=snapshot, timeout=timeout)
        return StoreAt(self, _native.Models(self._open()).snapshot(options))

    def frame_for(
        self,
        name: str,
        version: Version = "latest",
        *,
        start: object = None,
        end: object = None,
        last: int | None = None,
        spine: _spine.Spine | None = None,
        full_names: bool | None = None,
        as_of: AsOf | None = None,
        **options: Any,
    ) -> Frame:
        """Join the features that a model was stored with, of the snapshot that the model is read from.

        Parameters
        ----------
        name : str
            The model.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``.
        start, end, last, spine, full_names : optional
            Which rows and names, as :meth:`join` takes them.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        **options
            ``timeout``, ``threads``, ``memory_limit``, ``io``, ``strategy``, ``io_depth``, ``hedge``,
            ``retries``, ``verify``, ``progress`` of :meth:`join`.

        Returns
        -------
        Frame
            The key, and the features in the order in which they were stored.

        Raises
        ------
        InvalidRequest
            The model was stored without features.
        NotFound, …
            As :meth:`Models.info` and :meth:`join` do.

        Examples
        --------
        >>> written.models.put("node-17", b"weights", features=["load:mw", "wind:speed"])
        1
        >>> written.frame_for("node-17", last=1).columns
        ['ts', 'mw', 'speed']
        """
        rows = {"start": start, "end": end, "last": last, "spine": spine, "full_names": full_names}
        left = _arguments.countdown("timeout", options.pop("timeout", None))
        now = self.at(as_of, timeout=left())
        return now.frame_for(name, version, timeout=left(), **rows, **options)

    # What is there

    @property
    def root(self) -> str:
        """The folder; the first of several."""
        return self._roots[0]

    @property
    def roots(self) -> list[str]:
        """The folders that hold the same tables."""
        return list(self._roots)

    def tables(self) -> list[str]:
        """Return the names of the tables under the root, sorted."""
        return self._open().tables(_native.Options())

    def describe(
        self,
        table: str,
        key: str | Sequence[str] | None = None,
        *,
        as_of: AsOf | None = None,
    ) -> TableDescription:
        """Tell what a table is made of: files, rows, columns with their types, and what its key is like.

        Parameters
        ----------
        table : str
            Its name.
        key : str or sequence of str, optional
            Its key columns, found as in :meth:`join` or the first that could be, when left out.
        as_of : int, datetime or str, optional
            The snapshot, in a managed store: a number, a time or a tag; the newest when left out.

        Returns
        -------
        TableDescription
            A dict, which prints as text.

        Raises
        ------
        NotFound
            There is no such table.

        Examples
        --------
        >>> wind = store.describe("wind")
        >>> wind["rows"], wind["key"]["columns"]
        (48, ['ts'])
        """
        if not isinstance(table, str):
            raise _arguments.wrong_type("table", table, "a table's name")
        _arguments.text("table", table)
        options = read_options(as_of=as_of)
        return TableDescription(*self._open().describe(table, _arguments.key(key) or [], options))

    # Its life

    def close(self) -> None:
        """Let go of the open files. Frames that were made stay as they are."""
        self._native = None

    def __enter__(self) -> Store:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"hypostyle.open({self._shown()})" + (" (closed)" if self._native is None else "")

    def __reduce__(self) -> tuple[Any, ...]:
        self._open()
        return Store, (self._places,)

    def _shown(self) -> str:
        return repr(self._roots if len(self._roots) > 1 else self._roots[0])

    def _open(self) -> _native.Store:
        if self._native is None:
            raise InvalidRequest(
                f"the store {self._shown()} is closed", hint="open it again with hypostyle.open()"
            )
        return self._native

    def _spec(
        self,
        spec: object,
        tables: Tables | None,
        features: Sequence[str] | None,
        key: object,
        how: object,
        spine: object,
        start: object,
        end: object,
        last: object,
        full_names: object,
    ) -> _native.Spec:
        """Make the spec of a call: what to join, and what is given beside it."""
        return _joined(spec, tables, features)._native.with_changes(
            key=_arguments.key(key),
            how=_how(how, spine),
            start=_arguments.bound("start", start),
            end=_arguments.bound("end", end),
            last=None if last is None else _arguments.count("last", last, most=_MOST_ROWS),
            full_names=None if full_names is None else _arguments.flag("full_names", full_names),
        )


class StoreAt:
    """A store as of one snapshot; :meth:`Store.at` makes it.

    Attributes
    ----------
    snapshot : int
        The snapshot's number.
    """

    __slots__ = ("_store", "snapshot")

    def __init__(self, store: Store, snapshot: int) -> None:
        self._store = store
        self.snapshot = snapshot

    @property
    def models(self) -> Models:
        """The models as of the snapshot."""
        return Models(self._store, self.snapshot)

    def join(self, *arguments: Any, **options: Any) -> Frame:
        """Join as :meth:`Store.join` does, of this snapshot.

        Parameters
        ----------
        *arguments, **options : as for a store
            As it takes them, but for ``as_of`` and ``staleness``.

        Returns
        -------
        Frame
            The rows and columns that were asked for.

        Raises
        ------
        InvalidRequest, NotFound, …
            As it does.
        """
        return self._store.join(*arguments, **self._here(options))

    def get_historical_features(self, *arguments: Any, **options: Any) -> Frame:
        """Fill rows as :meth:`Store.get_historical_features` does, of this snapshot.

        Parameters
        ----------
        *arguments, **options : as for a store
            As it takes them, but for ``as_of`` and ``staleness``.

        Returns
        -------
        Frame
            The rows that were given, filled.

        Raises
        ------
        InvalidRequest, NotFound, …
            As it does.
        """
        return self._store.get_historical_features(*arguments, **self._here(options))

    def explain(self, *arguments: Any, **options: Any) -> Explanation:
        """Tell what a join would do, as :meth:`Store.explain` does, of this snapshot.

        Parameters
        ----------
        *arguments, **options : as for a store
            As it takes them, but for ``as_of`` and ``staleness``.

        Returns
        -------
        Explanation
            A dict, which prints as text.

        Raises
        ------
        InvalidRequest, NotFound, …
            As it does.
        """
        return self._store.explain(*arguments, **self._here(options))

    def frame_for(self, name: str, version: Version = "latest", **options: Any) -> Frame:
        """Join the features that a model was stored with, as :meth:`Store.frame_for` does.

        Parameters
        ----------
        name : str
            The model.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``.
        **options
            Which rows, and how, as :meth:`join` takes them.

        Returns
        -------
        Frame
            The key, and the features in the order in which they were stored.

        Raises
        ------
        InvalidRequest, NotFound, …
            As :meth:`Store.frame_for` does.
        """
        # One deadline for all that it takes.
        left = _arguments.countdown("timeout", options.pop("timeout", None))
        info = self.models.info(name, version, timeout=left())
        if not info["features"]:
            raise _arguments.invalid(
                f"model `{name}`, version {info['version']}, was stored without features",
                "store it with features=[…], or join them by name",
            )
        return self.join(features=info["features"], timeout=left(), **options)

    def __index__(self) -> int:
        return self.snapshot

    def __repr__(self) -> str:
        return f"{self._store!r}.at({self.snapshot})"

    def _here(self, options: dict[str, Any]) -> dict[str, Any]:
        if wrong := {"as_of", "staleness"} & options.keys():
            raise _arguments.invalid(
                f"`{min(wrong)}` is given, and this is the store as of snapshot {self.snapshot}",
                "leave it out, or ask the store itself",
            )
        return {**options, "as_of": self.snapshot, "staleness": FOREVER}


def _joined(spec: object, tables: Tables | None, features: Sequence[str] | None) -> JoinSpec:
    """Make one spec of the ways to say what to join, of which exactly one must be used."""
    given = [
        name
        for name, value in (("a spec", spec), ("tables=", tables), ("features=", features))
        if value is not None
    ]
    if len(given) != 1:
        what = " and ".join(given) + " are given" if given else "there is nothing to join"
        raise _arguments.invalid(what, "give one of: a spec, tables=, features=")
    if features is not None:
        return JoinSpec.from_features(features)
    if tables is not None:
        if (native := _native.Spec.from_columns(tables)) is not None:
            return JoinSpec._of(native)
        text = _arguments.dump("tables", {"tables": list_tables(tables)})
        return JoinSpec._of(_native.Spec.from_json(text))
    if isinstance(spec, JoinSpec):
        return spec
    if isinstance(spec, Mapping):
        return JoinSpec.from_dict(spec)
    if isinstance(spec, (str, os.PathLike)):
        return JoinSpec.from_path(spec)
    raise _arguments.wrong_type("spec", spec, "a path, a dict or a JoinSpec")


def _anchored(root: str) -> str:
    """Return a folder's whole path. Where ``..`` leads is left to the file system, which knows of links."""
    if not os.path.isdir(root):
        return root
    return os.path.join(os.getcwd(), root) if ".." in root.split(os.sep) else os.path.abspath(root)


def _how(how: object, spine: object) -> str | None:
    word: str | None = _arguments.optional("how", how, str)
    if spine is not None and word not in (None, "spine"):
        hint = 'leave out one of them, or say how="spine"'
        raise _arguments.invalid(f"`how` is {word!r}, and a spine is given", hint)
    return word


class _Told(dict[str, Any]):
    """What the engine tells: a dict, which prints as people read it."""

    def __init__(self, text: str, data: str) -> None:
        super().__init__(_arguments.load(data))
        self._text = text.rstrip("\n")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._again, (self._text, dict(self))

    @classmethod
    def _again(cls, text: str, data: dict[str, Any]) -> _Told:
        told = cls(text, "{}")
        told.update(data)
        return told


class Explanation(_Told):
    """What a join would do: a dict of ``rows``, ``bytes_read``, ``tables`` and more, which prints as text."""


class TableDescription(_Told):
    """What a table is made of: a dict of ``rows``, ``columns``, ``files``, ``key``, which prints as text."""


def read_options(
    *,
    timeout: object = None,
    threads: object = None,
    memory_limit: object = None,
    io: object = None,
    strategy: object = None,
    io_depth: object = None,
    hedge: object = False,
    retries: object = None,
    verify: object = True,
    as_of: object = None,
    staleness: object = None,
) -> _native.Options:
    return _native.Options(
        timeout=_arguments.seconds("timeout", timeout),
        threads=None if threads is None else _arguments.count("threads", threads, most=_MOST_THREADS),
        memory_limit=_arguments.size("memory_limit", memory_limit),
        io=None if io is None else _arguments.one_of("io", io, ("auto", "mmap", "pread")),
        strategy=_arguments.optional("strategy", strategy, str),
        io_depth=None if io_depth is None else _arguments.count("io_depth", io_depth, most=_MOST_DEPTH),
        hedge=_arguments.flag("hedge", hedge),
        retries=None if retries is None else _retries(retries),
        verify=_arguments.flag("verify", verify),
        as_of=_arguments.snapshot("as_of", as_of),
        staleness=_arguments.seconds("staleness", staleness),
    )


def _retries(given: object) -> int:
    # Not to be begun again is a wish, too.
    return (
        0
        if _arguments.whole("retries", given) == 0
        else _arguments.count("retries", given, most=_MOST_RETRIES)
    )


def _warn_of_unmatched(frame: Frame) -> None:
    if not len(frame):
        return
    for table in frame._native.unmatched():
        message = (
            f"table {table!r} has no row for any of the frame's {len(frame)} keys: its columns are all null"
        )
        warnings.warn(message, NoMatchWarning, stacklevel=_levels_to_caller())


def _levels_to_caller() -> int:
    """Return the ``stacklevel`` at which the code stands that called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("hypostyle."):
        level, frame = level + 1, frame.f_back
    return level


def _in_order(frame: Frame, features: Sequence[str], full_names: bool) -> Frame:
    """Bring the features, which came table by table, into the order asked for."""
    wanted = [
        reference.replace(":", "__") if full_names else reference.partition(":")[2] for reference in features
    ]
    base = frame.columns[: frame._native.base_columns]
    return frame if frame.columns == base + wanted else frame.select(base + wanted)
