"""A curve as SVG: a panel for each query, both axes logarithmic. Plain, without scripts or fonts of its own."""

from __future__ import annotations

import math

import slopes
from chart import text

COLOURS = {"hypostyle, warm": "warm", "hypostyle, first": "first", "Polars": "polars", "DuckDB": "duckdb"}
STYLE = """
.ground { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif } .head { font-weight: 600 }
.axis { stroke: #d0d7de } .tick { fill: #59636e; font-size: 11px } polyline { fill: none; stroke-width: 2 }
.guide { stroke: #8b949e; stroke-width: 1; stroke-dasharray: 4 4 } .warm { stroke: #1a7f37; fill: #1a7f37 }
.first { stroke: #57ab5a; fill: #57ab5a } .polars { stroke: #0969da; fill: #0969da } .duckdb { stroke: #bf8700; fill: #bf8700 }
polyline.warm, polyline.first, polyline.polars, polyline.duckdb { fill: none } polyline.first { stroke-dasharray: 6 3 }
text.warm, text.first, text.polars, text.duckdb { stroke: none }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } text { fill: #e6edf3 } .axis { stroke: #30363d } .tick { fill: #9198a1 }
.warm { stroke: #3fb950; fill: #3fb950 } .first { stroke: #2ea043; fill: #2ea043 } .polars { stroke: #4493f8; fill: #4493f8 }
.duckdb { stroke: #d29922; fill: #d29922 } }
"""
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 330, 46, 58, 14, 44


def svg(curve: dict) -> str:
    queries = list(dict.fromkeys(one["query"] for one in curve["series"]))
    medians = [point["median"] for one in curve["series"] for point in one["points"]]
    low, high = decades(medians)
    wide = WIDTH // len(queries)
    unit = "milliseconds a frame" if curve["name"] == "callers" else "milliseconds"
    body = [text(LEFT, 20, f"{unit.capitalize()}, by {curve['what']}; both logarithmic", "head"), *legend(curve)]
    for number, query in enumerate(queries):
        series = [one for one in curve["series"] if one["query"] == query]
        body += panel(curve, query, series, number * wide, wide, low, high)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
        f' aria-label="{unit} by {curve["what"]}">\n<style>{STYLE}</style>\n'
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def decades(values: list[float]) -> tuple[float, float]:
    """The exponents of ten that hold all values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def legend(curve: dict) -> list[str]:
    x, drawn = LEFT + 400, []
    for name in dict.fromkeys(one["name"] for one in curve["series"]):
        kind = COLOURS[name]
        drawn.append(f'<polyline class="{kind}" points="{x},16 {x + 18},16"/>')
        drawn.append(text(x + 23, 20, name, ""))
        x += 38 + 7 * len(name)
    return drawn


def panel(curve: dict, query: str, series: list[dict], left: float, wide: float, low: float, high: float) -> list[str]:
    values = curve["values"]
    x0, x1, y0, y1 = left + LEFT, left + wide - RIGHT, HEIGHT - BOTTOM, TOP
    span = math.log(max(values) / min(values)) or 1
    across = lambda at: x0 + (x1 - x0) * math.log(at / min(values)) / span
    up = lambda ms: y0 - (y0 - y1) * (math.log10(ms) - low) / (high - low)
    drawn = [text(x0, TOP - 14, query.capitalize(), "head")]
    for power in range(low, high + 1):
        y = up(10.0**power)
        drawn.append(f'<line class="axis" x1="{x0:.1f}" y1="{y:.1f}" x2="{x1:.1f}" y2="{y:.1f}"/>')
        drawn.append(text(x0 - 6, y + 4, f"{10.0**power:g}", "tick", "end"))
    for at in values:
        drawn.append(f'<line class="axis" x1="{across(at):.1f}" y1="{y0}" x2="{across(at):.1f}" y2="{y0 + 4}"/>')
        drawn.append(text(across(at), y0 + 17, short(at), "tick", "middle"))
    drawn.append(text((x0 + x1) / 2, y0 + 34, curve["what"], "tick", "middle"))
    drawn += guide(curve, series, across, up, low, high)
    for one in series:
        kind = COLOURS[one["name"]]
        dots = [(across(point["at"]), up(point["median"])) for point in one["points"]]
        drawn.append(f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in dots)}"/>')
        drawn += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in dots]
    return drawn


def guide(curve: dict, series: list[dict], across, up, low: float, high: float) -> list[str]:
    """How the work grows, through the last point of the first of the series: nothing should be steeper than that."""
    last, slope = series[0]["points"][-1], slopes.work(curve["name"])
    at = lambda x: last["median"] * (x / last["at"]) ** slope
    xs = [x for x in curve["values"] if low <= math.log10(at(x)) <= high]
    if len(xs) < 2:
        return []
    (xa, ya), (xb, yb) = ((across(x), up(at(x))) for x in (xs[0], xs[-1]))
    return [f'<line class="guide" x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}"/>']


def short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return str(number)
