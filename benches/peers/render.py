"""What is made of the JSON of a run: the chart, and a part of each of the two READMEs. Needs nothing but Python."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import chart
import report
from setting import BENCHES, ROOT

JSON = BENCHES / "results/peers.json"
SVG = BENCHES / "results/peers.svg"
PAGES = {ROOT / "README.md": report.short, BENCHES / "README.md": report.long}
BEGIN, END = "<!-- benches/peers/run writes from here -->", "<!-- to here -->"


def add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="small tables, few rounds: check the answers, write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing; write what is made of the JSON")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if that is not what is there")
    parser.add_argument("--without-hypostyle", action="store_true", help="the peers and the limit alone")


def parts(run: dict | None) -> dict[Path, str]:
    """The whole text of each file that is made of a run; what to say when there is none."""
    found = {SVG: chart.svg(run)} if run else {}
    for page, section in PAGES.items():
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        found[page] = f"{before}{BEGIN}\n{section(run)}\n{END}{rest.split(END)[1]}"
    return found


def write(run: dict) -> None:
    for path, text in parts(run).items():
        path.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser()
    add_modes(parser)
    args = parser.parse_args()
    run = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else None
    if args.render:
        write(run)
        return 0
    stale = [path for path, text in parts(run).items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(ROOT)
        print(f"error: {name} is not what {JSON.relative_to(ROOT)} gives; benches/peers/run --render", file=sys.stderr)
    return 1 if stale else 0
