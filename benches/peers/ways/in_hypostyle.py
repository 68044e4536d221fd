"""This package, as its README asks: into Polars or Arrow, from a store just opened or one that has been asked before.

Not among the peers: they are what it is compared with.
"""

from __future__ import annotations

from pathlib import Path

import hypostyle as hs

from ways import KEY

INTO = {"Polars": "to_polars", "Arrow": "to_arrow"}


class Asked:
    """A store and where its frames go. `first` opens the store anew for each call, inside of the time taken."""

    def __init__(self, paths: list[Path], last: int | None, into: str, first: bool, threads: int | None = None) -> None:
        self.root, self.names = paths[0].parent, [path.stem for path in paths]
        self.last, self.into, self.threads = last, INTO[into], threads
        self.store = None if first else hs.open(self.root)
        #: The store of the latest first call: closing it is not a part of the call.
        self.held = None
        #: The frame of the latest call, to be asked for its statistics.
        self.frame: hs.Frame | None = None
        #: What the library says that the latest call took it, in milliseconds.
        self.library_ms: float | None = None

    def __call__(self, columns: list[str]):
        store = self.store
        if store is None:
            store = self.held = hs.open(self.root)
        tables = dict.fromkeys(self.names, columns)
        frame = store.join(
            key=KEY, tables=tables, how="inner", last=self.last, full_names=True, threads=self.threads
        )
        result = getattr(frame, self.into)()
        self.frame = frame
        return result

    def release(self) -> None:
        """What is no part of the call: asking for its statistics, and letting go of frame and store."""
        if self.frame is not None:
            self.library_ms = self.frame.stats["total_ms"]
        self.frame = self.held = None
