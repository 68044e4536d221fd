"""The examples run, and the notebook keeps no output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from support import environment

EXAMPLES = Path(__file__).parents[1] / "examples"


def read_notebook() -> Any:
    reads: Any = nbformat.reads
    return reads((EXAMPLES / "train_and_predict.ipynb").read_text(), as_version=4)


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error:::hypostyle", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    notebook = read_notebook()
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = str([cell.get("outputs") for cell in notebook.cells])
    assert "mean absolute error" in shown
    assert "<table>" in shown


def test_the_notebook_keeps_no_output() -> None:
    notebook = read_notebook()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
