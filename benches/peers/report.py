"""Puts the figures of a run into words: a line, a table, a JSON file, a part of benches/README.md."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

BEGIN, END = "<!-- whole_process.py writes from here -->", "<!-- to here -->"


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


def versions(hypostyle: Path, root: Path) -> dict:
    def said(*command: object) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.strip()

    return {
        "hypostyle": said(hypostyle.resolve(), "--version").removeprefix("hypostyle "),
        "commit": said("git", "describe", "--always", "--dirty", "--exclude", "*"),
        "rustc": said("rustc", "--version").split()[1],
        "python": platform.python_version(),
        **{name: version(name) for name in ("polars", "pyarrow", "duckdb")},
    }


def median(result: dict, contender: str) -> float:
    return result["figures"][contender]["median"]


def times_faster(result: dict, peer: str, of: str = "hypostyle process") -> str:
    return f"{median(result, peer) / median(result, of):.1f} x"


def line(result: dict) -> str:
    figures = ", ".join(f"{name} {ms['median']:.1f} ms" for name, ms in result["figures"].items())
    return f"{result['files']}, {result['query']}, {result['rows']} rows: {figures} ({', '.join(result['asked'].values())})"


def table(run: dict) -> str:
    contenders = list(run["results"][0]["figures"])
    head = ["files", "query", *contenders, "polars process : hypostyle process", "polars query : hypostyle process"]
    rows = [head, ["---"] * len(head)]
    for result in run["results"]:
        figures = [result["figures"][name] for name in contenders]
        cells = [f"{ms['median']:.1f} ({ms['min']:.1f})" for ms in figures]
        ratios = [times_faster(result, "polars process"), times_faster(result, "polars query")]
        rows.append([result["files"], result["query"], *cells, *ratios])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n\n" + "\n".join(verdicts(run))


def verdicts(run: dict) -> list[str]:
    """What the figures say to the two things that they were taken for."""
    found = []
    for files in dict.fromkeys(result["files"] for result in run["results"]):
        training, inference = (
            next(r for r in run["results"] if (r["files"], r["query"]) == (files, query))
            for query in ("training", "inference")
        )
        ours, theirs = median(training, "hypostyle process"), median(training, "polars query")
        newest = median(inference, "hypostyle process")
        found.append(
            f"- {files}: the training join is {'faster' if ours < theirs else 'NOT faster'} than Polars'"
            f" ({ours:.1f} ms as a whole process, {theirs:.1f} ms for Polars' query alone);"
            f" the inference join is {'not slower' if newest <= ours else 'SLOWER'} than the training join"
            f" ({newest:.1f} ms, {ours:.1f} ms)."
        )
    return found


def keep(run: dict, benches: Path) -> None:
    """Writes the run where a reader finds it. The page is made anew between its two marks."""
    path = benches / "results" / "whole-process.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(as_json(rounded(run)), encoding="utf-8")
    page = benches / "README.md"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{section(run)}\n{END}{after}", encoding="utf-8")


def as_json(run: dict) -> str:
    """A line for each part and each result, so that two runs can be compared line by line."""
    results = ",\n".join(json.dumps(result) for result in run["results"])
    parts = [f"{json.dumps(name)}: {json.dumps(part)}" for name, part in run.items() if name != "results"]
    return "{" + ",\n".join([*parts, f'"results": [\n{results}\n]']) + "}\n"


def section(run: dict) -> str:
    m, v = run["machine"], run["versions"]
    asked = {way for result in run["results"] for way in result["asked"].values()}
    return (
        f"{m['date']}: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['kernel']},"
        f" transparent huge pages at `{m['huge_pages']}`, load {m['load']} a core at the start."
        f" hypostyle {v['hypostyle']} ({v['commit']}, rustc {v['rustc']}), Polars {v['polars']},"
        f" DuckDB {v['duckdb']}, pyarrow {v['pyarrow']}, Python {v['python']}.\n\n"
        f"```\n{run['command']}\n```\n\n"
        f"Milliseconds: median (least).\n\n{table(run)}\n- the ways of the peers that were the fastest:"
        f" {', '.join(f'`{way}`' for way in sorted(asked))}.\n"
    )


def rounded(value):
    """Microseconds are as far as the clock can be trusted."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value
