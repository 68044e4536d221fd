"""Arguments as Python people give them, made what the native half takes, or named and refused."""

from __future__ import annotations

import datetime
import decimal
import json
import numbers
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hypostyle._errors import InvalidRequest, WrongType


def invalid(message: str, hint: str | None = None) -> InvalidRequest:
    """Return the error of a value that cannot be."""
    return InvalidRequest(message, hint=hint)


def wrong_type(name: str, value: object, wanted: str) -> WrongType:
    """Return the error of a value of a type that cannot be."""
    return WrongType(f"`{name}` is {_described(value)}, and must be {wanted}")


def _described(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        # Whatever it raises, the type can be told.
        text = "a value"
    return f"{text if len(text) <= 60 else text[:60] + '…'} ({type(value).__name__})"


def optional(name: str, value: Any, kind: type) -> Any:
    """Return ``value``, if it is None or of ``kind``."""
    # A bool is an int to Python, and a mistake to everybody else.
    if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
        return text(name, value) if isinstance(value, str) else value
    raise wrong_type(name, value, {str: "text", bool: "True or False", int: "a whole number"}[kind])


def text(name: str, value: str) -> str:
    """Return ``value``, if it is text that can be written: half of a surrogate pair is none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(
            f"`{name}` is {_described(value)}, which is not text that can be written as UTF-8"
        ) from None
    return value


def flag(name: str, value: object) -> bool:
    """Return ``value``, if it is a bool."""
    if isinstance(value, bool):
        return value
    raise wrong_type(name, value, "True or False")


def one_of(name: str, value: object, words: Sequence[str]) -> str:
    """Return ``value``, if it is one of ``words``."""
    if not isinstance(value, str):
        raise wrong_type(name, value, " or ".join(f'"{word}"' for word in words))
    if value not in words:
        raise invalid(f"`{name}` is {value!r}", "say " + " or ".join(f'"{word}"' for word in words))
    return value


def path(name: str, value: object) -> str:
    """Return a path as text."""
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if isinstance(text, str):
            return os.path.expanduser(text)
    raise wrong_type(name, value, "a path")


def paths(name: str, value: object) -> list[str]:
    """Return one path, or a list of them, as a list of text."""
    if isinstance(value, (str, bytes, os.PathLike)) or not isinstance(value, Sequence):
        return [path(name, value)]
    if not value:
        raise invalid(f"`{name}` is an empty list", "name at least one folder")
    return [path(name, item) for item in value]


def names(name: str, value: object) -> list[str]:
    """Return a list of names; a single one in text is not taken for a list of letters."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise wrong_type(name, value, "a list of names")
    listed = list(value)
    for item in listed:
        if not isinstance(item, str):
            raise wrong_type(name, item, "a list of names, which are text")
        text(name, item)
    return listed


def key(value: object) -> list[str] | None:
    """Return the names of a key: one in text, or a list."""
    if value is None or isinstance(value, str):
        return None if value is None else [text("key", value)]
    given = names("key", value)
    if not given:
        raise invalid("`key` is an empty list", "name a column, or leave it out")
    return given


def count(name: str, value: object, most: int = (1 << 63) - 1) -> int:
    """Return a whole number of at least 1, and at most ``most``."""
    number = whole(name, value)
    if number < 1:
        raise invalid(f"`{name}` is {number}", "ask for 1 or more")
    if number > most:
        hint = f"ask for {most} at most, or leave it out"
        raise invalid(f"`{name}` is {_described(number)}, which is too large", hint)
    return number


def whole(name: str, value: object) -> int:
    """Return a whole number, also one of numpy's."""
    index = getattr(type(value), "__index__", None)
    if index is None or isinstance(value, bool):
        raise wrong_type(name, value, "a whole number")
    try:
        return int(index(value))
    except TypeError:
        # An array has the method, and is a number only if it has one element.
        raise wrong_type(name, value, "a whole number") from None


def countdown(name: str, value: object) -> Callable[[], float | None]:
    """Return what tells how much is left of a length of time: a moment, when it is over."""
    length, begun = seconds(name, value), time.monotonic()
    return lambda: None if length is None else max(length - (time.monotonic() - begun), min(length, 1e-6))


def seconds(name: str, value: object) -> float | None:
    """Return a length of time in seconds."""
    if value is None:
        return None
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    # numpy's numbers are numbers too.
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise invalid(
                f"`{name}` is {_described(value)}, which is no length of time", "leave it out to wait"
            ) from None
    raise wrong_type(name, value, "seconds or a timedelta")


def size(name: str, value: object) -> str | None:
    """Return a number of bytes, which may be text such as ``"2GiB"``, in text."""
    if value is None or isinstance(value, str):
        return None if value is None else text(name, value)
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise wrong_type(name, value, 'a number of bytes, or text such as "2GiB"')
    return str(whole(name, value))


def snapshot(name: str, value: object) -> str | None:
    """Return in text which snapshot is meant: by a number, a time or a tag."""
    if value is None or isinstance(value, str):
        return None if value is None else text(name, value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            hint = "give it one, as datetime.now(timezone.utc) has"
            raise invalid(f"`{name}` is {_described(value)}, which has no time zone", hint)
        # Of other zones the engine need not know.
        return value.astimezone(datetime.UTC).isoformat()
    try:
        return str(whole(name, value))
    except WrongType:
        raise wrong_type(name, value, "a number, a datetime or a tag") from None


def bound(name: str, value: object) -> str | None:
    """Return a bound on the key in text: of text, a number, a date, a time."""
    if value is None or isinstance(value, str):
        return None if value is None else text(name, value)
    if not isinstance(value, bool):
        try:
            return _plain_scalar(value)
        except TypeError:
            pass
    raise wrong_type(name, value, "a value of the key: text, a number, a date or a time")


def _plain_scalar(value: object) -> str:
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if type(value).__module__ == "numpy" and type(value).__name__ == "datetime64":
        # Without a day, or with an hour alone, its text is no date and no time.
        unit = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"}.get(value.dtype.str[4:-1])  # type: ignore[attr-defined]
        return str(value.astype(f"M8[{unit}]") if unit else value)  # type: ignore[attr-defined]
    if isinstance(value, (int, decimal.Decimal)):
        return str(value)
    if hasattr(type(value), "__index__"):
        return str(whole("bound", value))
    raise TypeError


def _plain(value: object) -> object:
    """Make plain what JSON has no word for; for ``json.dumps``."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (set, frozenset, bytes)):
        raise TypeError
    if isinstance(value, Iterable) and not hasattr(value, "isoformat"):
        return list(value)
    return _plain_scalar(value)


def dump(name: str, value: object) -> str:
    """Return a spec's parts as JSON."""
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        wanted = "made of dicts, lists, text, numbers, dates and times"
        raise WrongType(f"`{name}` is not {wanted}: {_described(value)}") from error


def load(text: str) -> dict[str, Any]:
    """Return what the native half tells in JSON."""
    loaded: dict[str, Any] = json.loads(text)
    return loaded
