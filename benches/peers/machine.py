"""On what, and with what, a run was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

from setting import ROOT

PEERS = ("polars", "duckdb", "datafusion", "pyarrow")


def machine() -> dict:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "huge_pages": first_of("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load": round(os.getloadavg()[0] / os.cpu_count(), 2),
        "date": date.today().isoformat(),
    }


def first_of(path: str) -> str | None:
    """The chosen one of a kernel setting such as `always [madvise] never`."""
    try:
        return Path(path).read_text(encoding="utf-8").split("[")[1].split("]")[0]
    except (OSError, IndexError):
        return None


def versions(program: Path) -> dict:
    def said(*command: object) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()

    return {
        "hypostyle": said(program.resolve(), "--version").removeprefix("hypostyle "),
        "commit": said("git", "describe", "--always", "--dirty", "--exclude", "*"),
        "rustc": said("rustc", "--version").split()[1],
        "python": platform.python_version(),
        **{name: version(name) for name in PEERS},
    }
