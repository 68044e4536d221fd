"""Peak growth of anonymous memory over the idle process, from a process of its own for each.

The process imports its libraries and waits; its `RssAnon` then is the idle one. While it joins, this
process, not a thread of that one, which a held lock could stop, reads `RssAnon` about every quarter of a
millisecond; the largest value less the idle one is the growth. The frame is alive at the end, and whatever
pools, threads and caches the first query makes are in it. Pages of mapped files are not.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import ways
from setting import Setting

CHILD = Path(__file__).with_name("one_query.py")
PAUSE = 0.000_25


def measure(setting: Setting, query: str, paths: list[Path], fastest: dict[str, str]) -> list[dict]:
    """`fastest` is the way of each peer that stands for it."""
    asked = [{"who": peer, "way": way} for peer, way in fastest.items()]
    if setting.with_hypostyle:
        asked = [{"who": "hypostyle", "into": "Polars"}, *asked]
    common = {
        "query": query,
        "last": ways.LAST[query],
        "columns": setting.shape.chosen(),
        "paths": [str(path) for path in paths],
    }
    found = []
    for who in asked:
        bytes_ = [growth({**common, **who}) for _ in range(setting.processes)]
        found.append({"name": who["who"], **who, "median": statistics.median(bytes_), "max": max(bytes_), "bytes": bytes_})
    return found


def growth(asked: dict) -> int:
    command = [sys.executable, str(CHILD), json.dumps(asked)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        expect(child, "idle")
        idle = anonymous(child.pid)
        done = threading.Event()
        answer = threading.Thread(target=lambda: (expect(child, "done"), done.set()))
        child.stdin.write("\n")
        child.stdin.flush()
        answer.start()
        peak = idle
        while not done.is_set() and answer.is_alive():
            peak = max(peak, anonymous(child.pid))
            time.sleep(PAUSE)
        peak = max(peak, anonymous(child.pid))
        answer.join()
        child.stdin.close()
    if not done.is_set() or child.returncode != 0:
        raise SystemExit(f"error: the process of {asked['who']} ended with {child.returncode}")
    return peak - idle


def expect(child: subprocess.Popen, word: str) -> None:
    if child.stdout.readline().strip() != word:
        raise SystemExit(f"error: no {word!r} from {' '.join(child.args)}")


def anonymous(pid: int) -> int:
    """Bytes, 0 of a process that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
