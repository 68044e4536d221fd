"""What README.md shows, in an interpreter that has nothing but this package: run by the stage `python`."""

import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import hypostyle as hs

for module in ("numpy", "pandas", "polars", "pyarrow"):
    assert module not in sys.modules, module

with tempfile.TemporaryDirectory() as root:
    # The package reads tables and writes frames, so the first table is a frame without features.
    hours = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(48)]
    seed = Path(root, "seed")
    seed.mkdir()
    print("python", sys.version.split()[0], "hypostyle", hs.__version__, len(hours), "hours")
    try:
        hs.open(root).join(key="ts", tables={"wind": ["speed_80m"]})
    except hs.NotFound as error:
        print("NotFound:", error)
    else:
        raise AssertionError("a table that is not there was found")
