"""The programs and packages that a measurement needs: pinned peers in an environment of their own, and this project."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

from setting import BENCHES, ROOT

HOME = ROOT / "target/tools/peers"
REQUIREMENTS = BENCHES / "peers/requirements.txt"
PROGRAM = ROOT / "target/release/hypostyle"


def call(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(done.returncode)


def environment() -> Path:
    """The Python of a virtual environment with the pinned peers in it; made once for each list of them."""
    python, made_from = HOME / "bin/python", HOME / "made-from"
    if not (made_from.exists() and filecmp.cmp(REQUIREMENTS, made_from, shallow=False)):
        shutil.rmtree(HOME, ignore_errors=True)
        call(sys.executable, "-m", "venv", HOME)
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        call(*pip, "--only-binary=:all:", "-r", REQUIREMENTS)
        shutil.copyfile(REQUIREMENTS, made_from)
    return python


def build_program() -> None:
    call("cargo", "build", "--release", "--locked", "--bin", "hypostyle")


def install_package(python: Path) -> None:
    """This project's Python package, as it is now, for that Python."""
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    call(*pip, "--force-reinstall", "--no-deps", ROOT / "python")
