"""Questions to the JSON of a run. A part of a run may be missing, and then the answer is None."""

from __future__ import annotations

import statistics

OURS = "hypostyle, warm, Polars"


def cell(run: dict, part: str, files: str, query: str) -> dict | None:
    return next((c for c in run.get(part, []) if (c["files"], c["query"]) == (files, query)), None)


def contender(cell: dict | None, name: str) -> dict | None:
    return next((c for c in cell["contenders"] if c["name"] == name), None) if cell else None


def median(cell: dict | None, name: str) -> float | None:
    found = contender(cell, name)
    return found["median"] if found else None


def peers(cell: dict) -> list[dict]:
    """The peers that read the files as the package does."""
    others = [c for c in cell["contenders"] if c["who"] not in ("hypostyle", "limit")]
    return [c for c in others if c.get("state", "files") == "files"]


def best_peer(cell: dict | None) -> dict | None:
    return min(peers(cell), key=lambda c: c["median"]) if cell else None


def ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def overhead(contender: dict) -> float:
    """The median of what each call took beyond what the library says it took, in milliseconds."""
    return statistics.median(ms - inner for ms, inner in zip(contender["ms"], contender["library"]["ms"]))
