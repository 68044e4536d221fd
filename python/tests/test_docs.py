"""What the documentation shows is true, and everything public is documented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import hypostyle as hs

MODULES = ["hypostyle"] + [f"hypostyle.{module.name}" for module in pkgutil.iter_modules(hs.__path__)]
README = Path(__file__).parents[1] / "README.md"
READMES = [path for path in (README, README.parents[1] / "README.md") if path.exists()]


def docstrings() -> Iterator[doctest.DocTest]:
    """Give the docstrings that have examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        module = importlib.import_module(name)
        for found in finder.find(module, name):
            if found.examples:
                yield found


EXAMPLES = list(docstrings())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_examples_of_a_docstring_are_true(
    example: doctest.DocTest, root: Path, store: hs.Store, written: hs.Store, tmp_path: Path
) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    example.globs = {"hs": hs, "root": root, "store": store, "datetime": datetime}
    example.globs |= {"written": written, "folder": folder}
    told = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed = runner.run(example, out=told.write).failed
    assert failed == 0, told.getvalue()


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give what the README speaks of: a store, which is the current folder too, and a spec in it."""
    ts = [datetime(2024, 12, 23) + timedelta(hours=i) for i in range(96)]
    numbers = [float(i) for i in range(96)]
    columns = {"wind": ["speed_80m"], "load": ["mw", "mw_lag24"], "sun": ["ghi"]}
    for table, names in columns.items():
        pl.DataFrame({"ts": ts, **dict.fromkeys(names, numbers)}).write_parquet(tmp_path / f"{table}.parquet")
    (tmp_path / "join.yaml").write_text("key: ts\ntables:\n  - {path: wind.parquet, columns: [speed_80m]}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_the_blocks_of_a_readme_run(
    readme: Path,
    features: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert len(blocks) >= (3 if readme == README else 1)
    real = hs.open
    monkeypatch.setattr(hs, "open", lambda root=".": real(features if root == "/mnt/features" else root))
    init = hs.init
    fresh = tmp_path_factory.mktemp("written")
    monkeypatch.setattr(hs, "init", lambda root: init(fresh if root == "/mnt/written" else root))
    names: dict[str, Any] = {
        "df": pl.DataFrame({"ts": [datetime(2024, 12, 25, 5), datetime(2024, 12, 25, 4)]})
    }
    for block in blocks:
        exec(compile(block, str(readme), "exec"), names)
    assert names["store"].tables() == ["load", "sun", "wind"]
    assert names["frame"].shape == (24, 4)
    if readme == README:
        assert (features / "features.arrow").exists()
        assert names["array"].shape == (24, 3)


def test_the_readme_names_every_error() -> None:
    text = README.read_text()
    internal = {"HypostyleError", "Cancelled", "InternalError"}
    for name in hs.__all__:
        value = getattr(hs, name)
        if isinstance(value, type) and issubclass(value, Exception) and name not in internal:
            assert f"`{name}`" in text, name


def public() -> Iterator[tuple[str, Any]]:
    """Give the public things and their public members, by their full names."""
    for name in hs.__all__:
        value = getattr(hs, name)
        if not callable(value):
            continue
        yield name, value
        if isinstance(value, type):
            own = [kind for kind in value.__mro__ if kind.__module__.startswith("hypostyle")]
            members = {member: inner for kind in reversed(own) for member, inner in vars(kind).items()}
            for member, inner in members.items():
                if not member.startswith("_"):
                    yield f"{name}.{member}", inner


def functions() -> Iterator[tuple[str, Any]]:
    for name, value in public():
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function):
            yield name, function


def documented(value: Any) -> bool:
    descriptor = inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod, type))
    return descriptor


PUBLIC = [(name, value) for name, value in public() if documented(value)]
FUNCTIONS = list(functions())


@pytest.mark.parametrize(("name", "value"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_everything_public_has_a_docstring(name: str, value: Any) -> None:
    text = inspect.getdoc(value)
    assert text, name
    first = text.splitlines()[0]
    assert first.endswith((".", ":")), f"{name}: {first}"
    for title, line in re.findall(r"^([A-Z][A-Za-z]+)\n(-{3,})$", text, re.MULTILINE):
        assert len(title) == len(line), f"{name}: the line below {title}"
        assert title in (
            "Attributes",
            "Parameters",
            "Returns",
            "Yields",
            "Raises",
            "Warns",
            "Examples",
            "Notes",
        )


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_every_parameter_is_documented(name: str, function: Any) -> None:
    parameters = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
    text = inspect.getdoc(function) or ""
    if not parameters:
        assert "Parameters\n" not in text
        return
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-{3,}$|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{name} has parameters and no section of them"
    told: list[str] = []
    for line in re.findall(r"^(\S.*?) : ", section.group(1), re.MULTILINE):
        told += [word.strip("* ") for word in line.split(",")]
    told += re.findall(r"^\*\*(\w+)$", section.group(1), re.MULTILINE)
    assert told == parameters
