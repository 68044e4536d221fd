"""What lasts: thousands of joins, and Python's own checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import LONG, python

LOOP = """
import gc, sys
import psutil
import hypostyle as hs
from datetime import datetime

root, turns = sys.argv[1], int(sys.argv[2])
store = hs.open(root)
spine = {"ts": [datetime(2024, 1, 1, 5), None], "label": ["a", "b"]}

def turn():
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, last=24)
    frame["mw"].to_numpy(); frame.to_numpy(); frame.to_polars(); frame.to_arrow(); frame[3:5].copy()
    store.join(spine=spine, features=["load:mw"], key="ts").to_dicts()
    try:
        store.join(key="ts", tables={"load": ["nope"]})
    except hs.InvalidRequest:
        pass

def memory():
    gc.collect()
    return psutil.Process().memory_full_info().uss

for _ in range(max(turns // 4, 300)):
    turn()
warm = memory()
for _ in range(turns):
    turn()
print(warm, memory())
"""


@pytest.mark.timeout(600)
def test_memory_is_flat_over_thousands_of_joins(root: Path) -> None:
    turns = 10_000 if LONG else 3_400
    warm, after = map(int, python(LOOP, root, turns, timeout=590).split())
    print(f"{turns} turns of three joins: {warm / 1e6:.1f} MB before, {after / 1e6:.1f} MB after")
    assert after < warm * 1.05


OPENED = """
import gc, sys
import psutil
import hypostyle as hs
def turn():
    with hs.open(sys.argv[1]) as store:
        frame = store.join(key="ts", tables={"wind": ["speed_80m"]})
    store = hs.open(sys.argv[1])
    store.join(key="ts", tables={"wind": ["speed_80m"]})
process = psutil.Process()
for _ in range(100):
    turn()
gc.collect()
warm, files = process.memory_full_info().uss, process.num_fds()
for _ in range(int(sys.argv[2])):
    turn()
gc.collect()
print(warm, process.memory_full_info().uss, process.num_fds() - files)
"""


def test_stores_that_are_opened_and_dropped_leave_nothing(root: Path) -> None:
    warm, after, files = map(int, python(OPENED, root, 5_000 if LONG else 500).split())
    assert after < warm * 1.05
    assert files <= 0


REPRESENTATIVE = """
import pickle, sys, tempfile, threading
from datetime import datetime
import hypostyle as hs

with hs.open(sys.argv[1]) as store:
    tables = {"wind": ["speed_80m"], "load": {"mw": "power"}}
    frame = store.join(key="ts", tables=tables, last=24, progress=lambda done, planned: None)
    spine = {"ts": [datetime(2024, 1, 1, 5), None]}
    other = store.get_historical_features(spine, ["load:mw", "wind:speed_80m"])
    store.tables(), store.describe("wind"), str(store.explain(key="ts", tables={"load": "*"}))
    for wrong in (
        dict(key="ts", tables={"load": ["nope"]}),
        dict(key="ts", tables={"no": ["x"]}),
        dict(spine={"ts": [1.5]}, features=["load:mw"], key="ts"),
        dict(key=1, tables={}),
    ):
        try:
            store.join(**wrong)
        except hs.HypostyleError as error:
            pickle.loads(pickle.dumps(error))
    more = dict(key="ts", tables={"wind": "*"})
    threads = [threading.Thread(target=store.join, kwargs=more) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
repr(frame), frame._repr_html_(), frame.stats, frame.schema, frame.to_dicts(), list(frame.to_batches(5))
assert pickle.loads(pickle.dumps(frame)).shape == frame.shape
with tempfile.TemporaryDirectory() as folder:
    for suffix in ("arrow", "arrows", "parquet", "csv", "ndjson"):
        frame.write(f"{folder}/out.{suffix}")
if "own" not in sys.argv:
    frame.to_numpy("float32", "F"), frame["power"].to_numpy(), frame.to_polars(), frame.to_arrow()
    frame.to_pandas(), frame.to_pandas(arrow=True), other.to_df()
    import pandas as pd
    store = hs.open(sys.argv[1])
    store.join(spine=pd.DataFrame({"ts": [datetime(2024, 1, 1)]}), features=["load:mw"], key="ts")
    del store
column = frame["power"]
del frame, other
column.copy().to_list()
print("fine")
"""


def test_pythons_development_mode_finds_nothing(root: Path) -> None:
    assert python(REPRESENTATIVE, root, "own", options=["-X", "dev", "-W", "error"]) == "fine\n"
    # Other libraries may warn of each other.
    assert python(REPRESENTATIVE, root, options=["-X", "dev", "-W", "error:::hypostyle"]) == "fine\n"
    assert python(REPRESENTATIVE, root, options=["-W", "error"], env={"PYTHONMALLOC": "debug"}) == "fine\n"
