"""What is made of the JSON of a run: the drawings, and a part of `benches/README.md`. Needs nothing but Python."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import drawing
import wording
from setting import BENCHES, ROOT

RESULTS = BENCHES / "results"
JSON = RESULTS / "growth.json"
PAGE = BENCHES / "README.md"
BEGIN, END = "<!-- benches/growth/run writes from here -->", "<!-- growth to here -->"


def add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="two small points a curve: check the answers, write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing; write what is made of the JSON")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if that is not what is there")


def parts(run: dict | None) -> dict[Path, str]:
    """The whole text of each file that is made of a run."""
    found = {RESULTS / f"growth-{curve['name']}.svg": drawing.svg(curve) for curve in (run or {}).get("curves", [])}
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    found[PAGE] = f"{before}{BEGIN}\n{wording.long(run)}\n{END}{rest.split(END)[1]}"
    return found


def write(run: dict) -> None:
    RESULTS.mkdir(exist_ok=True)
    JSON.write_text(as_json(run), encoding="utf-8")
    render(json.loads(JSON.read_text(encoding="utf-8")))


def render(run: dict | None) -> None:
    for path, text in parts(run).items():
        path.write_text(text, encoding="utf-8")


def as_json(run: dict) -> str:
    """A line for each series, so that two runs can be compared line by line."""
    curves = []
    for curve in run["curves"]:
        head = json.dumps({name: value for name, value in curve.items() if name != "series"})[:-1]
        series = ",\n".join(json.dumps(one) for one in curve["series"])
        curves.append(f'{head}, "series": [\n{series}\n]}}')
    head = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in run.items() if name != "curves")
    return f'{{{head},\n"curves": [\n' + ",\n".join(curves) + "\n]}\n"


def main() -> int:
    parser = argparse.ArgumentParser()
    add_modes(parser)
    args = parser.parse_args()
    run = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else None
    if args.render:
        render(run)
        return 0
    stale = [path for path, text in parts(run).items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(ROOT)
        print(f"error: {name} is not what {JSON.relative_to(ROOT)} gives; benches/growth/run --render", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
