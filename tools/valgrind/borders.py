"""Every border of the Python package where memory is handed over by pointers (`python/src/ffi.rs`), crossed.

Run under valgrind by `./test memory`. It imports numpy and nanoarrow and no more: pytest, Polars and pyarrow take
minutes there. What the values must be is for `python/tests`; here they are read so that valgrind sees every byte.
"""

from __future__ import annotations

import base64
import gc
import sys
import tempfile
import zlib
from pathlib import Path

import nanoarrow as na
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python/tests"))

import hypostyle as hs
from alone import LOAD

FEATURES = ["load:mw"]


def out(store: hs.Store) -> None:
    """Frames, columns and types to other libraries, which keep them longer than we do."""
    frame = store.join(key="ts", tables={"load": ["mw"]})
    rows = na.Array(frame)
    column = na.Array(frame["mw"])
    view = frame["mw"].to_numpy()
    kinds = [na.c_schema(frame.schema), na.c_schema(frame["ts"])]
    filled = [frame.to_numpy(order=order, dtype=dtype)[0] for order in "CF" for dtype in ("float32", "float64")]
    unread = frame.__arrow_c_stream__()
    del frame
    gc.collect()
    assert len(rows.to_pylist()) == len(column.to_pylist()) == len(view) == 48
    assert view.sum() == sum(column.to_pylist()) == filled[0].sum() == filled[3].sum()
    assert all(repr(kind) for kind in kinds)
    del unread


def one_array(frame: hs.Frame) -> object:
    """The rows as one array of structs."""
    (rows,) = na.c_array_stream(frame)
    return rows


def into(store: hs.Store) -> None:
    """Spines of other libraries: whole ones as a stream and as an array, columns as arrays, streams and buffers."""
    source = store.join(key="ts", tables={"load": {"mw": "label"}}, last=24)
    times = np.array(source["ts"].to_numpy())
    labels = na.c_array([f"row {row}" if row % 3 else None for row in range(24)], na.string())
    for spine in (
        source,
        one_array(source),
        {"ts": source["ts"], "label": labels},
        {"ts": na.ArrayStream(source["ts"]), "label": labels},
        {"ts": times, "label": np.arange(24)},
        {"ts": times[::2], "label": np.arange(24.0)[::-2]},
    ):
        filled = store.join(spine=spine, features=FEATURES, key="ts")
        assert filled["mw"].to_numpy().sum() > 0 and len(filled.to_dicts()) == len(filled)


def refused(store: hs.Store) -> None:
    """Capsules that were taken before."""

    class Twice:
        def __init__(self) -> None:
            self.capsules = one_array(store.join(key="ts", tables={"load": ["mw"]})).__arrow_c_array__()

        def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
            return self.capsules

    spine, errors = Twice(), []
    for _ in range(2):
        try:
            store.join(spine=spine, features=FEATURES, key="ts", full_names=True)
        except hs.HypostyleError as error:
            errors.append(str(error))
    assert len(errors) == 1 and "taken before" in errors[0], errors


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name, "load.parquet").write_bytes(zlib.decompress(base64.b64decode(LOAD)))
        for _ in range(2):
            with hs.open(name) as store:
                for cross in (out, into, refused):
                    cross(store)
            gc.collect()
    print("every border was crossed twice")


if __name__ == "__main__":
    main()
