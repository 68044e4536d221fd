"""What several tests need: small tables, other processes, and one way to compare."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

import hypostyle as hs

LONG = bool(os.environ.get("HYPOSTYLE_LONG"))
"""Whether there is time for thousands of cases rather than dozens."""

START = datetime(2024, 1, 1)
NEVER = datetime(2030, 1, 1)
"""A time that no table has."""

PACKAGE = Path(hs.__file__).parent.parent


def hours(count: int, first: int = 0) -> list[datetime]:
    """Return whole hours from the first one of 2024 on."""
    return [START + timedelta(hours=first + i) for i in range(count)]


def write_weather(folder: Path) -> Path:
    """Write the two tables that most tests join: 48 hours of ``wind`` and ``load``."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [float(i) for i in range(48)]
    pl.DataFrame({"ts": hours(48), "speed_80m": numbers}).write_parquet(folder / "wind.parquet")
    lag: list[float | None] = [*[None] * 24, *numbers[:24]]
    load = pl.DataFrame({"ts": hours(48), "mw": [2 * v for v in numbers], "mw_lag24": lag})
    load.write_parquet(folder / "load.parquet")
    return folder


def python(
    code: str,
    *arguments: object,
    options: Sequence[str] = (),
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run Python code in a process of its own and return what it printed; a failure shows all its output."""
    done = subprocess.run(
        command(code, *arguments, options=options),
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**environment(), **(env or {})},
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def command(code: str, *arguments: object, options: Sequence[str] = ()) -> list[str]:
    """Return the command that runs Python code."""
    return [sys.executable, *options, "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return an environment in which the package is the one under test."""
    paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def assert_same(found: hs.Frame | pl.DataFrame, expected: pl.DataFrame) -> None:
    """Compare names, types, nulls and every value."""
    if isinstance(found, hs.Frame):
        found = found.to_polars()
    assert_frame_equal(found, expected, check_exact=True, check_dtypes=True)


WITHOUT = """
import sys

class Without:
    def __init__(self, names):
        self.names = names
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def without(*names):
    for name in list(sys.modules):
        if name.partition(".")[0] in names:
            del sys.modules[name]
    sys.meta_path.insert(0, Without(names))
"""
"""Code after which ``without("pyarrow")`` makes a library seem not installed."""
