"""What can go wrong, sorted by what the caller can do about it."""

from __future__ import annotations

import re

# The engine's hints name the command's flags, of which Python has arguments.
_IN_PYTHON = {
    "--memory-limit": "memory_limit=",
    "--from and --to": "start= and end=",
    "--from/--to/--last": "start=, end= or last=",
    "--table PATH:COLUMN,…": "tables=",
    "--spine PATH": "spine=",
    "--format": "format=",
    "key=…, --key,": "key=…,",
    "--key": "key=",
    "--coordination local": 'coordination="local"',
    "--force": "replace=True",
    "append, upsert or replace": '"append", "upsert" or "replace"',
    "`hypostyle init`": "`hypostyle.init(root)`",
    "`hypostyle lock ls`": "`store.locks()`",
    "`hypostyle lock break`": "`store.break_lock(id)`",
    "`hypostyle tag NAME`": "`store.tag(name)`",
    "`hypostyle gc`": "`store.gc()`",
    "`hypostyle log`": "`store.log()`",
    "`hypostyle repair`": "`store.repair()`",
    "`hypostyle write`": "`store.write()`",
}

_TABLE = re.compile(r"--table (\w+):COLUMN,…")


class HypostyleError(Exception):
    """Any error of this package; the message is one line that names table, file, column and value.

    Attributes
    ----------
    table : str or None
        The table.
    path : str or None
        The file.
    column : str or None
        The column.
    hint : str or None
        How to mend it. It stands as a note below the message in a traceback.
    retryable : bool
        Whether the same call may succeed when it is made again.
    """

    table: str | None
    path: str | None
    column: str | None
    hint: str | None
    retryable: bool

    def __init__(
        self,
        message: str = "",
        *,
        table: str | None = None,
        path: str | None = None,
        column: str | None = None,
        hint: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        if hint is not None:
            for flag, argument in _IN_PYTHON.items():
                hint = hint.replace(flag, argument)
            hint = _TABLE.sub(r'tables={"\1": […]}', hint)
        self.table = table
        self.path = path
        self.column = column
        self.hint = hint
        self.retryable = retryable
        if hint is not None:
            self.add_note(f"help: {hint}")


class InvalidRequest(HypostyleError, ValueError):
    """The request is wrong: mend the spec or the argument. A missing column is one of these."""


class WrongType(InvalidRequest, TypeError):
    """An argument has a type that it cannot have."""


class NotFound(HypostyleError, FileNotFoundError):
    """A table or file that was asked for does not exist."""


class Corrupt(HypostyleError):
    """The bytes of a file contradict themselves: it must be written again."""


class Unsupported(HypostyleError, NotImplementedError):
    """The file is sound, but uses something that is not read here; or a type has no form in Python."""


class Unavailable(HypostyleError, OSError):
    """Storage did not answer: the same call may succeed later."""


class Changed(Unavailable):
    """A file changed while it was read: the same call will see the new one."""


class Timeout(HypostyleError, TimeoutError):
    """The deadline (``timeout=``) passed."""


class LimitExceeded(HypostyleError, MemoryError):
    """A limit, such as ``memory_limit=``, would be passed: raise it, or ask for less."""


class Conflict(HypostyleError):
    """Another writer was first: the message says who, and when. Read again, then write what has changed."""


class Cancelled(HypostyleError):
    """The work was told to stop."""


class InternalError(HypostyleError, RuntimeError):
    """A bug in this package: please report it."""


class NoMatchWarning(UserWarning):
    """A table has no row for any row of the frame, so that all its columns are null."""
