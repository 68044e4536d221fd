"""What a run is told: sizes, how often, and where its programs are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tables import Shape

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"


@dataclass(frozen=True)
class Setting:
    shape: Shape
    #: Of the measurements in one process, of whole processes, and of memory.
    rounds: int
    processes: int
    #: Tries of each way of a peer before the fastest is chosen.
    trials: int
    #: How long each number of callers asks, in seconds.
    seconds: float
    threads: int
    with_hypostyle: bool
    #: The program, the library of `benches/limit`, where the tables are, where joined files go for a moment.
    program: Path
    limit: Path
    tables: Path
    scratch: Path
