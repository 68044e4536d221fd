"""The right answer, and whether a peer gave it: nothing is timed whose answer is another one."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

import compare
from ways import KEY, LAST, in_polars


def expected(paths: list[Path], columns: list[str], query: str) -> pa.Table:
    """Keys that are in every table, in the row order of the first, as Polars' in-memory engine gives them."""
    joined = in_polars.in_order("in-memory", in_polars.files(paths), columns)
    if (last := LAST[query]) is not None:
        joined = joined.filter(pl.col(KEY).rank("ordinal", descending=True) <= last)
    wanted = joined.to_arrow()
    if wanted.num_rows == 0:
        raise SystemExit("error: the expected frame is empty: there is nothing to compare")
    return wanted


def must_be(wanted: pa.Table, frame: pl.DataFrame | pa.Table, who: str, ordered: bool = False) -> bool:
    """Ends the run if the frame differs. True if its rows were in order, which must be so if `ordered`."""
    answer = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame
    # A peer may call UTC by another name.
    answer = answer if ordered else answer.cast(wanted.schema)
    fault = compare.difference(answer, wanted)
    if fault and not ordered:
        # Nobody has promised an order that was not asked for.
        if compare.difference(answer.sort_by(KEY), wanted) is None:
            return False
    if fault:
        raise SystemExit(f"error: the answer of {who} is another one: {fault}")
    return True
