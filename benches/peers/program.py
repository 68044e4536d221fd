"""The `hypostyle` program, called as a person would call it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ways import KEY


class Failed(Exception):
    """The program ended with another code than 0; the text is its command and what it said."""


def join_command(
    program: Path, paths: list[Path], columns: list[str], out: Path, last: int | None = None, more: tuple[str, ...] = ()
) -> list[str]:
    command = [str(program), "join", "--key", KEY, "--full-names", "--no-progress"]
    for path in paths:
        command += ["--table", f"{path}:{','.join(columns)}"]
    if last is not None:
        command += ["--last", str(last)]
    return [*command, "--format", "arrow", "-o", str(out), *more]


def run(command: list[str]) -> str:
    """What the command printed on stdout."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {done.stderr.strip()}\n{' '.join(command)}")
    return done.stdout


def stats(printed: str) -> dict:
    """The stats that `join --json` prints."""
    return json.loads(printed)
