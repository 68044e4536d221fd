"""The run as bars: a panel for each query and writer, one logarithmic scale of milliseconds for all.

Plain SVG without scripts or fonts of its own. Its colours follow the reader's light or dark setting.
"""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from cells import OURS, cell, median
from report import files_of, times

#: What each bar is called, the contender it shows, the one its mark shows, and its colour.
BARS = [
    ("hypostyle", OURS, "hypostyle, first, Polars", "ours"),
    *((peer, peer, f"{peer}, decoded in RAM beforehand", "peer") for peer in (
        "Polars, in memory", "Polars, streaming", "DuckDB", "DataFusion", "pyarrow",
    )),
    ("limit", "limit", None, "limit"),
]
STYLE = """
.ground { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif } .head { font-weight: 600 }
.axis { stroke: #d0d7de } .tick, .note { fill: #59636e; font-size: 11px } .mark { stroke: #1f2328; stroke-width: 2 }
.ours { fill: #1a7f37 } .peer { fill: #8b949e } .limit { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } text { fill: #e6edf3 } .axis { stroke: #30363d } .tick, .note { fill: #9198a1 }
.mark { stroke: #e6edf3 } .ours { fill: #3fb950 } .peer { fill: #6e7681 } .limit { fill: #d29922 } }
"""
WIDTH, LABELS, BAR, STEP, PANEL_HEAD, MARGIN = 860, 130, 13, 19, 34, 16


def svg(run: dict) -> str:
    cells = run["in_process"]
    writers = list(dict.fromkeys(one["files"] for one in cells))
    bars = [bar for bar in BARS if any(median(one, bar[1]) is not None for one in cells)]
    panel_width, panel_height = (WIDTH - 3 * MARGIN) // 2, PANEL_HEAD + len(bars) * STEP + 26
    height = 44 + len(writers) * panel_height + 30
    seen = [value for one in cells for bar in bars for name in bar[1:3] if name and (value := median(one, name))]
    scale = Scale(min(seen, default=1), max(seen, default=10), panel_width - LABELS - 96)
    body = [text(MARGIN, 26, "Milliseconds from the call to the frame, median; logarithmic, shorter is better", "head")]
    for row, files in enumerate(writers):
        for column, query in enumerate(("training", "inference")):
            if (one := cell(run, "in_process", files, query)) is not None:
                left, top = MARGIN + column * (panel_width + MARGIN), 44 + row * panel_height
                body += panel(one, bars, left, top, scale)
    note = "Line across: hypostyle from a store just opened; a peer with all columns decoded in memory beforehand."
    body.append(text(MARGIN, height - 12, note, "note"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        f' aria-label="Times of hypostyle and its peers">\n<style>{STYLE}</style>\n'
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


class Scale:
    """From milliseconds to pixels; begins at a power of ten."""

    def __init__(self, least: float, most: float, pixels: float) -> None:
        self.low, self.high = math.floor(math.log10(least)), math.log10(most)
        self.pixels = pixels

    def at(self, ms: float) -> float:
        return self.pixels * max(0.0, math.log10(ms) - self.low) / max(0.1, self.high - self.low)

    def ticks(self) -> list[int]:
        return list(range(self.low, math.floor(self.high) + 1))


def panel(one: dict, bars: list, left: float, top: float, scale: Scale) -> list[str]:
    zero, first = left + LABELS, top + PANEL_HEAD
    bottom = first + len(bars) * STEP
    drawn = [text(left, top + 20, f"{one['query'].capitalize()}, {files_of(one)}", "head")]
    for power in scale.ticks():
        x = zero + scale.at(10**power)
        drawn.append(f'<line class="axis" x1="{x:.1f}" y1="{first - 4}" x2="{x:.1f}" y2="{bottom}"/>')
        drawn.append(text(x, bottom + 13, f"{10**power:g}", "tick", "middle"))
    for number, (label, name, mark, kind) in enumerate(bars):
        y = first + number * STEP
        drawn.append(text(zero - 8, y + 11, label, "", "end"))
        if (ms := median(one, name)) is None:
            continue
        drawn.append(f'<rect class="{kind}" x="{zero}" y="{y}" width="{max(1, scale.at(ms)):.1f}" height="{BAR}" rx="2"/>')
        beyond = ms
        if mark and (marked := median(one, mark)) is not None:
            x = zero + scale.at(marked)
            drawn.append(f'<line class="mark" x1="{x:.1f}" y1="{y - 2}" x2="{x:.1f}" y2="{y + BAR + 2}"/>')
            beyond = max(ms, marked)
        drawn.append(text(zero + scale.at(beyond) + 6, y + 11, beside(ms, median(one, OURS), name), "figure"))
    return drawn


def beside(ms: float, ours: float | None, name: str) -> str:
    figure = f"{ms:.1f}" if ms >= 1 else f"{ms:.2f}"
    if ours is None or name == OURS:
        return figure
    return f"{figure} ({times(ms / ours)})"


def text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
