"""How fast a curve grows, and where two of them cross: straight lines between logarithms."""

from __future__ import annotations

import math

#: What a join's work grows with: as the thing itself, or not at all. Threads share the work; what a frame costs
#: should not depend on how many ask for frames.
WORK = {"threads": -1.0, "callers": 0.0}
#: Above this, an exponent is more than the noise of a run.
TOLERANCE = 0.1


def work(curve: str) -> float:
    return WORK.get(curve, 1.0)


def exponent(points: list[dict]) -> float | None:
    """The slope of the straight line through the points in logarithms, by least squares."""
    if len(points) < 2:
        return None
    xs, ys = ([math.log(point[of]) for point in points] for of in ("at", "median"))
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def last_exponent(points: list[dict]) -> float | None:
    """The same of the last three points: at first a cost that does not grow hides what will count in the end."""
    return exponent(points[-3:])


def too_fast(curve: str, points: list[dict]) -> bool:
    """Whether the cost grows faster than the work, all along or at the end."""
    steepest = max((e for e in (exponent(points), last_exponent(points)) if e is not None), default=None)
    return steepest is not None and steepest > work(curve) + TOLERANCE


def crossings(ours: list[dict], theirs: list[dict]) -> list[tuple[float, bool]]:
    """Where two curves cross, and whether the peer is the faster one from there on."""
    known = {point["at"]: point["median"] for point in theirs}
    ahead = [(p["at"], math.log(known[p["at"]] / p["median"])) for p in ours if p["at"] in known]
    found = []
    for (x0, y0), (x1, y1) in zip(ahead, ahead[1:]):
        if (y0 < 0) != (y1 < 0):
            part = y0 / (y0 - y1)
            found.append((math.exp(math.log(x0) + part * math.log(x1 / x0)), y1 < 0))
    return found


def ratios(ours: list[dict], theirs: list[dict]) -> list[float]:
    """The peer's time over ours at each point that both have."""
    known = {point["at"]: point["median"] for point in theirs}
    return [known[point["at"]] / point["median"] for point in ours if point["at"] in known]
