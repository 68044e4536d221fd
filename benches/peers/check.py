#!/usr/bin/env python3
"""Checks that `hypostyle join` equals what Polars makes of the same files, to the bit.

20 tables of four columns each, all rows and the newest 24, on files that pyarrow and Polars wrote and on
the three profiles of `hypostyle fixture`; then, with the files of the two programs, tables that lack
different hours, and tables whose rows are in no order. Needs `pip install -r requirements.txt` and a
release build; `./test peers` does both. Ends with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pyarrow as pa

import answers
import compare
import program
from tables import PROGRAMS, WRITERS, Shape, make
from ways import LAST

ROOT = Path(__file__).resolve().parents[2]

#: The alignments that fit tables whose rows lie so; each must give the same answer.
STRATEGIES = {
    "same": ("auto", "identity", "merge", "hash"),
    "ragged": ("auto", "merge", "hash"),
    "shuffled": ("auto", "hash"),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypostyle", type=Path, default=ROOT / "target/release/hypostyle", help="the program")
    parser.add_argument("--dir", type=Path, default=ROOT / "target/peers", help="where the tables are made and kept")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--writers", nargs="+", choices=WRITERS, default=list(WRITERS))
    return parser.parse_args()


def main() -> int:
    args = arguments()
    compare.self_test()
    args.dir = args.dir.resolve()
    whole = Shape(args.tables, args.rows, args.columns, hostile=True)
    shapes = [(whole, args.writers)]
    for rows_are in ("ragged", "shuffled"):
        shapes.append((whole.narrow(rows_are), [w for w in args.writers if w in PROGRAMS]))
    checked = different = 0
    for shape, writers in shapes:
        for writer, paths in make(shape, args.dir, writers, args.hypostyle).items():
            for query, last in LAST.items():
                wanted = answers.expected(paths, shape.chosen(), query)
                for strategy in STRATEGIES[shape.rows_are]:
                    what = f"{writer}, {shape.rows_are}, {'all rows' if last is None else f'--last {last}'}, {strategy}"
                    fault = check(args, shape, paths, last, strategy, wanted)
                    print(f"{what}: {fault or f'{wanted.num_rows} x {wanted.num_columns} equal'}", flush=True)
                    checked += 1
                    different += fault is not None
    print(f"{checked} joins compared, {different} differ")
    return 1 if different else 0


def check(
    args: argparse.Namespace, shape: Shape, paths: list[Path], last: int | None, strategy: str, wanted: pa.Table
) -> str | None:
    out = args.dir / "joined.arrow"
    out.unlink(missing_ok=True)
    try:
        command = program.join_command(
            args.hypostyle, paths, shape.chosen(), out, last, ("--strategy", strategy)
        )
        program.run(command)
    except program.Failed as failure:
        return f"FAILED\n{failure}"
    with pa.memory_map(str(out)) as file:
        difference = compare.difference(pa.ipc.open_file(file).read_all(), wanted)
    return difference and f"DIFFERS: {difference}"


if __name__ == "__main__":
    sys.exit(main())
