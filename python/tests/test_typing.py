"""The package is typed, and its stubs say what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hypostyle as hs
from support import environment

HERE = Path(__file__).parents[1]


def test_the_package_says_that_it_is_typed() -> None:
    package = Path(hs.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "_native.pyi").exists()


def test_stubs_and_module_agree(tmp_path: Path) -> None:
    # The stub is held against the module; the libraries that the rest of the package imports play no part.
    (tmp_path / "mypy.ini").write_text("[mypy]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy.stubtest", "--mypy-config-file", "mypy.ini", "hypostyle._native"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr


USE = """
import hypostyle as hs
import polars as pl
import numpy as np
from typing import Any, assert_type

store = hs.open("x")
frame = store.join(key="ts", tables={"a": ["b"], "c": "*", "d": {"e": "f"}}, how="left", last=3)
assert_type(frame, hs.Frame)
assert_type(frame["x"], hs.Column)
assert_type(frame[1:2], hs.Frame)
assert_type(frame[["x", "y"]], hs.Frame)
assert_type(frame.to_polars(), pl.DataFrame)
assert_type(frame.to_numpy("float32", "F"), tuple[np.ndarray[Any, Any], list[str]])
assert_type(store.tables(), list[str])
assert_type([piece for piece in frame.to_batches()], list[hs.Frame])
pl.DataFrame(frame)
np.asarray(frame["x"])
written = hs.init("x")
commit = written.write("a", frame, mode="upsert", key=["ts"], timeout=1.5)
assert_type(commit, hs.Commit)
assert_type(written.join("join.yaml", as_of=commit, staleness=0.5, verify=False).snapshot, int | None)
with hs.open(["x", "y"]).transaction(["a"], shared=["b"], base="release") as tx:
    assert_type(tx, hs.Transaction)
    tx.delete("a", start=1)
assert_type(tx.commit.tables, dict[str, int])
with hs.open("x") as other:
    assert_type(other, hs.Store)
"""
WRONG = [
    'hs.open("x").join(tables={}, how="outer")',
    "hs.open(1)",
    'frame.to_numpy("int8")',
    'frame.write("x", "xlsx")',
    'written.write("a", frame, mode="merge")',
]


def check(code: str, tmp_path: Path) -> tuple[int, str]:
    (tmp_path / "use.py").write_text(code)
    # pyarrow has no types, which is no matter of the user's.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = true\n[mypy-pyarrow.*]\nignore_missing_imports = true\n"
    )
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(HERE / ".mypy_cache"), "use.py"]
    env = environment() | {"MYPYPATH": str(HERE)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_users_get_their_types(tmp_path: Path) -> None:
    code, told = check(USE, tmp_path)
    assert code == 0, told
    code, told = check(USE + "\n".join(WRONG), tmp_path)
    assert code == 1
    first = len(USE.splitlines()) + 1
    for number in range(len(WRONG)):
        assert f"use.py:{first + number}: error" in told
