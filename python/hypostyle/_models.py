"""Models: named, versioned, immutable blobs, in the same snapshots as tables."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from hypostyle import _arguments, _native

if TYPE_CHECKING:
    from typing import SupportsIndex

    from typing_extensions import Buffer

    from hypostyle._managed import Transaction
    from hypostyle._store import Store

    AsOf: TypeAlias = SupportsIndex | datetime | str
    Data: TypeAlias = "Buffer | os.PathLike[str]"
    Version: TypeAlias = SupportsIndex | str
    Many: TypeAlias = "Mapping[str, Data] | Iterable[tuple[str, Data] | tuple[str, Data, Mapping[str, Any]]]"

# For the annotations of a class that has a method `list`.
Told: TypeAlias = dict[str, Any]
AllTold: TypeAlias = list[dict[str, Any]]
Numbers: TypeAlias = list[int]

_Given: TypeAlias = "tuple[str, bytes | str, str | None, list[str], int | None]"

# The open transaction whose block is being run, by its store.
open_transactions: contextvars.ContextVar[Mapping[int, Transaction]] = contextvars.ContextVar(
    "hypostyle_transactions"
)

# What is handed over at a time of many: a signal is seen in between.
_TOGETHER = 512
_BYTES_TOGETHER = 32 << 20

# More than these are locked as all models are.
_BY_NAME = 32


class ModelWriter:
    """What changes models: a store's, each call by its own commit, or a transaction's, all by its commit."""

    __slots__ = ()

    def _within(self, names: Sequence[str] | None, timeout: object) -> _Within:
        raise NotImplementedError

    def put(
        self,
        name: str,
        data: Data,
        metadata: Mapping[str, Any] | None = None,
        features: Sequence[str] = (),
        snapshot: SupportsIndex | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> int:
        """Store a version of a model, durably when this returns.

        In the block of a transaction of the same store it joins its commit.

        Parameters
        ----------
        name : str
            The model: letters, digits, ``_``, ``-`` and dots.
        data : bytes-like or path-like
            Its bytes, in any format; or a file, or a folder with all that is in it.
        metadata : dict, optional
            What JSON can hold, 16 MiB at most. Whole numbers of more than 64 bits come back as floats.
        features : sequence of str, default ()
            References ``table:column`` of what it was trained on: :meth:`Store.frame_for` joins these.
        snapshot : int, optional
            The snapshot that it was trained on, such as ``frame.snapshot``.
        timeout : float or timedelta, optional
            Seconds to wait for others who change the model; 60 when left out.

        Returns
        -------
        int
            The version: 1, 2, 3 and so on.

        Raises
        ------
        InvalidRequest
            The name can be no model's; a folder has links that lead out of it; the metadata is no JSON.
        Conflict
            Another writer was first: the message says who, and when.
        Timeout
            Others changed the model all the time.
        Unavailable
            Storage failed. With ``outcome unknown``, ``log()`` tells whether the commit stands.

        Examples
        --------
        >>> written.models.put("node-17", b"weights", metadata={"loss": 0.25}, features=["wind:speed"])
        1
        >>> written.models.put("node-17", b"better weights")
        2
        """
        given = _given(name, data, metadata, features, snapshot)
        with self._within([given[0]], timeout) as native:
            return native.put_models([given])[0]

    def put_many(
        self,
        models: Many,
        metadata: Mapping[str, Any] | None = None,
        features: Sequence[str] = (),
        snapshot: SupportsIndex | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> dict[str, int]:
        """Store versions of many models in one commit: all of them are seen at once, or none.

        Parameters
        ----------
        models : dict or iterable of tuples
            Data by name; or tuples ``(name, data)`` or ``(name, data, {"metadata": …, "features": …,
            "snapshot": …})``. An iterable is read as it is written, and need not fit memory.
        metadata, features, snapshot : optional
            As :meth:`put` takes them, for all that have none of their own.
        timeout : float or timedelta, optional
            Seconds to wait for others who change models; 60 when left out.

        Returns
        -------
        dict
            The new version of each.

        Raises
        ------
        InvalidRequest, Conflict, Timeout, Unavailable
            As :meth:`put` does; nothing is stored then. In the block of a transaction nothing of it is
            committed any more, if some were put.

        Examples
        --------
        >>> written.models.put_many({"node-17": b"a", "node-18": b"b"}, features=["wind:speed"])
        {'node-17': 1, 'node-18': 1}
        """
        shared = {"metadata": metadata, "features": features, "snapshot": snapshot}
        names: list[str] | None = None
        if isinstance(models, (Mapping, list, tuple)) and len(models) <= _BY_NAME:
            names = [_item(item)[0] for item in _items(models)]
        versions: dict[str, int] = {}
        if names == []:
            return versions
        with self._within(names, timeout) as native:
            try:
                for together in _together(_item(item, shared) for item in _items(models)):
                    numbers = native.put_models(together)
                    versions.update(zip((given[0] for given in together), numbers, strict=True))
            except BaseException:
                # Who goes on with the transaction is not to commit a part of them.
                if versions:
                    native.rollback()
                raise
        return versions

    def alias(
        self,
        name: str,
        alias: str,
        version: Version | None,
        *,
        timeout: float | timedelta | None = None,
    ) -> None:
        """Let an alias of a model lead to a version. It moves at once for all who read.

        Parameters
        ----------
        name : str
            The model.
        alias : str
            Such as ``"production"``: letters, digits and ``_``.
        version : int, str or None
            A number, ``"latest"`` (the version that it is now) or another alias, which is followed when it is
            read. ``None`` takes the alias away.
        timeout : float or timedelta, optional
            Seconds to wait for others who change the model; 60 when left out.

        Raises
        ------
        NotFound
            There is no such model, version or alias.
        InvalidRequest
            The alias would lead back to itself.

        Examples
        --------
        >>> written.models.put("node-17", b"weights")
        1
        >>> written.models.alias("node-17", "production", 1)
        >>> bytes(written.models.get("node-17", version="production"))
        b'weights'
        """
        name, to = _name("name", name), None if version is None else _version(version)
        with self._within([name], timeout) as native:
            native.alias_model(name, _name("alias", alias), to)

    def remove(
        self,
        name: str,
        version: SupportsIndex | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> Numbers:
        """Take a version of a model away, or all. Older snapshots have it until ``gc()`` removes them.

        Parameters
        ----------
        name : str
            The model.
        version : int, optional
            The version's number; all when left out.
        timeout : float or timedelta, optional
            Seconds to wait for others who change the model; 60 when left out.

        Returns
        -------
        list of int
            The versions that went. Their numbers are not given again.

        Raises
        ------
        NotFound
            There is no such model or version.
        Conflict
            An alias leads to the version, or a snapshot that has a tag has it.

        Examples
        --------
        >>> written.models.put("node-17", b"weights")
        1
        >>> written.models.remove("node-17", version=1)
        [1]
        """
        name = _name("name", name)
        number = None if version is None else _arguments.count("version", version)
        with self._within([name], timeout) as native:
            return native.remove_model(name, number)


class Models(ModelWriter):
    """The models of a store; ``store.models`` gives them.

    Examples
    --------
    >>> models = written.models
    >>> models.put_many({"node-17": b"first", "node-18": b"other"})
    {'node-17': 1, 'node-18': 1}
    >>> sorted((name, bytes(blob)) for name, blob in models.get_many(["node-17", "node-18"]))
    [('node-17', b'first'), ('node-18', b'other')]
    """

    __slots__ = ("_as_of", "_store")

    def __init__(self, store: Store, as_of: int | None = None) -> None:
        self._store = store
        self._as_of = as_of

    def get(
        self,
        name: str,
        version: Version = "latest",
        *,
        as_of: AsOf | None = None,
        timeout: float | timedelta | None = None,
        memory_limit: int | str | None = None,
        io: str | None = None,
        io_depth: int | None = None,
        hedge: bool = False,
        verify: bool = True,
        staleness: float | timedelta | None = None,
    ) -> memoryview:
        """Return the bytes of a version; of a folder, those of a tar archive.

        Parameters
        ----------
        name : str
            The model.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout, memory_limit, io, io_depth, hedge, verify, staleness : optional
            As :meth:`Store.join` takes them.

        Returns
        -------
        memoryview
            Of the file itself, without a copy, where the store is managed on a local disk.

        Raises
        ------
        NotFound
            There is no such model, version or alias, or no longer.
        Corrupt
            The bytes are not those that were stored.
        LimitExceeded
            They do not fit the memory limit; :meth:`save` takes them to a file.
        Timeout, Unavailable
            Storage did not answer.

        Examples
        --------
        >>> written.models.put("node-17", b"weights")
        1
        >>> written.models.get("node-17").tobytes()
        b'weights'
        >>> written.models.get("node-17", version=1).nbytes
        7
        """
        options = self._options(as_of, timeout, memory_limit, io, io_depth, hedge, verify, staleness)
        memory: Any = self._reader().get(_name("name", name), _version(version), options)
        return memoryview(memory)

    def get_many(
        self,
        names: Iterable[str],
        version: Version = "latest",
        *,
        as_of: AsOf | None = None,
        timeout: float | timedelta | None = None,
        memory_limit: int | str | None = None,
        io: str | None = None,
        io_depth: int | None = None,
        hedge: bool = False,
        verify: bool = True,
        staleness: float | timedelta | None = None,
        threads: int | None = None,
    ) -> Blobs:
        """Read many models of one snapshot side by side, and give them as they come.

        Parameters
        ----------
        names : iterable of str
            The models.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``, of all of them.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout, memory_limit, io, io_depth, hedge, verify, staleness, threads : optional
            As :meth:`Store.join` takes them. What is read ahead stays within the memory limit.

        Returns
        -------
        Blobs
            An iterator of names and ``memoryview``s, in no order. One that cannot be read raises when its
            turn comes, and names itself; ``next()`` goes on with the others.

        Raises
        ------
        NotFound
            There is no such snapshot.

        Examples
        --------
        >>> written.models.put_many({f"node-{n}": bytes([n]) for n in range(3)})
        {'node-0': 1, 'node-1': 1, 'node-2': 1}
        >>> sorted(name for name, blob in written.models.get_many(["node-0", "node-2"]))
        ['node-0', 'node-2']
        """
        options = self._options(as_of, timeout, memory_limit, io, io_depth, hedge, verify, staleness, threads)
        wanted = _arguments.names("names", names if isinstance(names, (str, bytes)) else list(names))
        return Blobs(self._reader().get_many(wanted, _version(version), options))

    def info(
        self,
        name: str,
        version: Version = "latest",
        *,
        as_of: AsOf | None = None,
        timeout: float | timedelta | None = None,
    ) -> Told:
        """Return what was stored with a version.

        Parameters
        ----------
        name : str
            The model.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout : float or timedelta, optional
            Seconds after which it ends with :class:`Timeout`.

        Returns
        -------
        dict
            ``name``, ``version``, ``aliases``, ``bytes``, ``checksum``, ``kind`` (``"bytes"`` or
            ``"folder"``), ``metadata``, ``features``, ``trained_on`` and ``since`` (snapshots), ``time``,
            ``who``.

        Raises
        ------
        NotFound
            There is no such model, version or alias, or no longer.

        Examples
        --------
        >>> written.models.put("node-17", b"weights", metadata={"loss": 0.25})
        1
        >>> written.models.info("node-17")["metadata"]
        {'loss': 0.25}
        """
        options = self._options(as_of, timeout)
        return _arguments.load(self._reader().info(_name("name", name), _version(version), options))

    def versions(
        self, name: str, *, as_of: AsOf | None = None, timeout: float | timedelta | None = None
    ) -> AllTold:
        """Return what was stored with each version of a model, the oldest first.

        Parameters
        ----------
        name : str
            The model.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout : float or timedelta, optional
            Seconds after which it ends with :class:`Timeout`.

        Returns
        -------
        list of dict
            As :meth:`info` gives each.

        Raises
        ------
        NotFound
            There is no such model.
        """
        options = self._options(as_of, timeout)
        loaded: Any = _arguments.load(self._reader().versions(_name("name", name), options))
        return [*loaded]

    def list(self, *, as_of: AsOf | None = None, timeout: float | timedelta | None = None) -> AllTold:
        """Return the models, by name.

        Parameters
        ----------
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout : float or timedelta, optional
            Seconds after which it ends with :class:`Timeout`.

        Returns
        -------
        list of dict
            ``name``, ``latest``, ``versions``, ``aliases`` and ``bytes`` of each.

        Examples
        --------
        >>> written.models.put("node-17", b"weights")
        1
        >>> [(model["name"], model["latest"]) for model in written.models.list()]
        [('node-17', 1)]
        """
        loaded: Any = _arguments.load(self._reader().list(self._options(as_of, timeout)))
        return [*loaded]

    def save(
        self,
        name: str,
        path: str | os.PathLike[str],
        version: Version = "latest",
        *,
        as_of: AsOf | None = None,
        timeout: float | timedelta | None = None,
    ) -> Told:
        """Put a version to a path, as the file or the folder that it was: whole, or not at all.

        It is read piece by piece, and need not fit memory.

        Parameters
        ----------
        name : str
            The model.
        path : path-like
            A file, which is replaced if it is there; or, for a folder, a path where nothing is.
        version : int or str, default "latest"
            A number, an alias, or ``"latest"``.
        as_of : int, datetime or str, optional
            The snapshot: a number, a time or a tag; the newest when left out.
        timeout : float or timedelta, optional
            Seconds after which it ends with :class:`Timeout`.

        Returns
        -------
        dict
            As :meth:`info` gives it.

        Raises
        ------
        NotFound, Corrupt, Timeout, Unavailable
            As :meth:`get` does.
        InvalidRequest
            Something is where the folder would come.
        """
        options = self._options(as_of, timeout)
        to = _arguments.path("path", path)
        return _arguments.load(self._reader().save(_name("name", name), _version(version), to, options))

    def __repr__(self) -> str:
        moment = "" if self._as_of is None else f" as of snapshot {self._as_of}"
        return f"<hypostyle.Models of {self._store!r}{moment}>"

    def _reader(self) -> _native.Models:
        return _native.Models(self._store._open())

    def _options(
        self,
        as_of: object = None,
        timeout: object = None,
        memory_limit: object = None,
        io: object = None,
        io_depth: object = None,
        hedge: object = False,
        verify: object = True,
        staleness: object = None,
        threads: object = None,
    ) -> _native.Options:
        from hypostyle._store import read_options

        if self._as_of is not None:
            if as_of is not None or staleness is not None:
                raise _arguments.invalid(
                    f"these are the models of snapshot {self._as_of}", "ask the store's own for another one"
                )
            as_of, staleness = self._as_of, FOREVER
        return read_options(
            as_of=as_of,
            timeout=timeout,
            memory_limit=memory_limit,
            io=io,
            io_depth=io_depth,
            hedge=hedge,
            verify=verify,
            staleness=staleness,
            threads=threads,
        )

    def _within(self, names: Sequence[str] | None, timeout: object) -> _Within:
        if self._as_of is not None:
            raise _arguments.invalid("a snapshot is not changed", "change the models of the store itself")
        if (joined := open_transactions.get({}).get(id(self._store))) is not None:
            return joined.models._within(names, timeout)
        wait = _arguments.seconds("timeout", timeout)
        store, named = self._store._open(), [] if names is None else [*names]
        return _Within(lambda: _native.Transaction(store, [], [], None, wait, named, names is None), True)


class TransactionModels(ModelWriter):
    """The models that a transaction changes; ``tx.models`` gives them."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def _within(self, names: Sequence[str] | None, timeout: object) -> _Within:
        if timeout is not None:
            raise _arguments.invalid("the transaction has its own timeout", "give it when it begins")
        return _Within(self._transaction._open, False)


class _Within:
    """A native transaction: of its own, which is committed at the end, or another one's."""

    def __init__(self, begin: Callable[[], _native.Transaction], is_ours: bool) -> None:
        self._begin = begin
        self._is_ours = is_ours

    def __enter__(self) -> _native.Transaction:
        self._native = self._begin()
        return self._native

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._is_ours and kind is None:
            self._native.commit()
        elif self._is_ours:
            self._native.rollback()


class Blobs:
    """Models as they come: an iterator of names and bytes; :meth:`Models.get_many` makes it."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Blobs) -> None:
        self._native = native

    @property
    def snapshot(self) -> int:
        """The number of the snapshot that they are of."""
        return self._native.snapshot

    def __iter__(self) -> Iterator[tuple[str, memoryview]]:
        return self

    def __next__(self) -> tuple[str, memoryview]:
        name, memory = next(self._native)
        shared: Any = memory
        return name, memoryview(shared)


FOREVER = 1e9
"""Seconds for which a snapshot that was looked up is taken for found."""


def _name(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _arguments.wrong_type(name, value, "text")
    return _arguments.text(name, value)


def _version(value: object) -> str:
    if isinstance(value, str):
        return _arguments.text("version", value)
    return str(_arguments.count("version", value))


def _data(value: object) -> tuple[bytes | str, int]:
    if type(value) is bytes:
        return value, len(value)
    if isinstance(value, os.PathLike):
        return _arguments.path("data", value), 0
    if not isinstance(value, str):
        try:
            given: Any = value
            view = memoryview(given)
        except TypeError:
            pass
        else:
            return view.tobytes(), view.nbytes
    raise _arguments.wrong_type("data", value, "bytes, or a pathlib.Path of a file or a folder")


def _given(name: object, data: object, metadata: object, features: object, snapshot: object) -> _Given:
    what = _name("name", name)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise _arguments.wrong_type("metadata", metadata, "a dict")
    text = None if metadata is None else _arguments.dump("metadata", dict(metadata))
    number = None if snapshot is None else _arguments.whole("snapshot", snapshot)
    if number is not None and not 0 <= number < 1 << 63:
        raise _arguments.invalid(
            f"`snapshot` is {number}", "give a snapshot's number, such as `frame.snapshot`"
        )
    return what, _data(data)[0], text, _arguments.names("features", features), number


def _items(models: Many) -> Iterable[Any]:
    if isinstance(models, Mapping):
        return models.items()
    if isinstance(models, (str, bytes)) or not isinstance(models, Iterable):
        raise _arguments.wrong_type("models", models, "a dict, or tuples of a name and data")
    return models


def _item(item: Any, shared: Mapping[str, Any] | None = None) -> _Given:
    if not isinstance(item, tuple) or len(item) not in (2, 3):
        raise _arguments.wrong_type("models", item, "a dict, or tuples of a name and data")
    own = item[2] if len(item) == 3 else {}
    if not isinstance(own, Mapping) or not own.keys() <= {"metadata", "features", "snapshot"}:
        raise _arguments.invalid(
            f"what stands beside model {item[0]!r} is no dict of metadata, features and snapshot"
        )
    if shared is None:
        return _name("name", item[0]), b"", None, [], None
    every = {**shared, **own}
    return _given(item[0], item[1], every["metadata"], every["features"], every["snapshot"])


def _together(given: Iterable[_Given]) -> Iterator[list[_Given]]:
    together: list[_Given] = []
    size = 0
    for one in given:
        together.append(one)
        size += len(one[1])
        if len(together) >= _TOGETHER or size >= _BYTES_TOGETHER:
            yield together
            together, size = [], 0
    if together:
        yield together
