"""Times, and what is said of them."""

from __future__ import annotations

import math
import statistics


def of(ms: list[float]) -> dict:
    """Median, 99th percentile by nearest rank (the largest of fewer than 100), minimum, and all of them."""
    return {"median": statistics.median(ms), "p99": p99(ms), "min": min(ms), "ms": ms}


def p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def rounded(value):
    """Microseconds are as far as the clock can be trusted."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value
