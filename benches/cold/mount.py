"""A folder through faultfs, mounted anew, so that nothing of it is in the page cache."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType


class Mount:
    """`with Mount(program, folder, ms) as path:`; afterwards `requests` are those that it was sent."""

    def __init__(self, program: Path, folder: Path, latency_ms: float, scratch: Path) -> None:
        self._program, self._folder, self._ms = program, folder, latency_ms
        self._home = Path(tempfile.mkdtemp(prefix="mount-", dir=scratch))
        self.requests: list[dict] = []

    def __enter__(self) -> Path:
        place, rules = self._home / "mount", self._home / "rules.yaml"
        place.mkdir()
        rules.write_text(f"rules: [{{fault: {{latency_ms: {self._ms}}}}}]\n" if self._ms else "rules: []\n", encoding="utf-8")
        # Names and attributes are believed for a second, as libfuse's defaults have it.
        options = ["--max-background", "64", "--entry-ttl-ms", "1000", "--attr-ttl-ms", "1000"]
        command = [self._program, "--control", "--rules", rules, "--log", self._home / "log", *options, self._folder, place]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([str(part) for part in command], stdin=pipe, stdout=pipe, text=True)
        if self._process.stdout.readline().strip() != "ok":
            raise SystemExit("error: faultfs could not mount; what it said stands above")
        return place

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        lines = (self._home / "log").read_text(encoding="utf-8").splitlines()
        self.requests = [request for line in lines if (request := json.loads(line))["kind"] != "release"]


def read(requests: list[dict]) -> int:
    """Bytes that reads were answered with."""
    return sum(request["outcome"].get("done", 0) for request in requests if request["kind"] == "read")
