"""A frame as people see it: its first and last rows, in text and in notebooks."""

from __future__ import annotations

import html
import shutil
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypostyle import _native

_EDGE = 5
_MOST_HTML_COLUMNS = 30
_MORE = "…"


def _rows(native: _native.Frame) -> tuple[list[int], bool]:
    """Return the rows that are shown, and whether some are left out in the middle."""
    rows = len(native)
    if rows <= 2 * _EDGE + 1:
        return list(range(rows)), False
    return [*range(_EDGE), *range(rows - _EDGE, rows)], True


def _title(native: _native.Frame) -> str:
    rows, columns = len(native), len(native.names)
    return f"{rows:,} row{'s' * (rows != 1)} × {columns:,} column{'s' * (columns != 1)}"


def _columns(native: _native.Frame, columns: list[int]) -> list[list[str]]:
    rows, cut = _rows(native)
    texts = native.cells(rows, columns)
    return [[*texts_of[:_EDGE], _MORE, *texts_of[_EDGE:]] for texts_of in texts] if cut else texts


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _is_number(data_type: str) -> bool:
    return data_type.startswith(("Int", "UInt", "Float", "Decimal"))


def as_text(native: _native.Frame) -> str:
    """Return a preview that fits the terminal's width."""
    names, types = native.names, native.types
    room = shutil.get_terminal_size((100, 24)).columns
    lines: list[str] = []
    used = 0
    shown = 0
    # More columns than a terminal has room for need not be made into text.
    many = list(range(min(len(names), max(room // 4, 1))))
    for index, values in zip(many, _columns(native, many), strict=True):
        cells = [_printable(names[index]), _printable(types[index]), *values]
        width = max(map(_width, cells)) + 2
        rest = 5 if index + 1 < len(names) else 0
        if shown and used + width + rest > room:
            break
        right = _is_number(types[index])
        padded = [_pad(cell, width - 2, right) for cell in cells]
        lines = [line + "  " + cell for line, cell in zip(lines or [""] * len(cells), padded, strict=True)]
        used += width
        shown += 1
    if shown < len(names):
        lines = [line + "  " + _MORE for line in lines]
    return "\n".join([f"hypostyle.Frame: {_title(native)}", *(line[2:].rstrip() for line in lines)])


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _escaped(text: str) -> str:
    return html.escape(_printable(text))


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def as_html(native: _native.Frame) -> str:
    """Return a table for notebooks. Every name and value is escaped."""
    names, types = native.names, native.types
    shown = list(range(min(len(names), _MOST_HTML_COLUMNS)))
    more = f"<th>{_MORE} {len(names) - len(shown)} more</th>" if len(shown) < len(names) else ""
    columns = _columns(native, shown)
    align = ["right" if _is_number(types[i]) else "left" for i in shown]
    head = "".join(
        f'<th style="text-align:{side}">{_escaped(names[i])}<br><small>{_escaped(types[i])}</small></th>'
        for i, side in zip(shown, align, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side}">{_escaped(value)}</td>'
            for value, side in zip(row, align, strict=True)
        )
        + (f"<td>{_MORE}</td>" if more else "")
        + "</tr>"
        for row in zip(*columns, strict=True)
    )
    return (
        f"<div><small>{html.escape(_title(native))}</small>"
        f"<table><thead><tr>{head}{more}</tr></thead><tbody>{body}</tbody></table></div>"
    )
