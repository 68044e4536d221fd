"""The limit: zstd of just the pages that a query needs, and its output written into warm memory, on all threads.

The work is `benches/limit`, a C library; this prepares its lists of pages, outside of the time taken.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import numpy as np

import pages
from ways import KEY


class RawPage(ctypes.Structure):
    _fields_ = [("frame", ctypes.c_void_p), ("compressed", ctypes.c_size_t), ("uncompressed", ctypes.c_size_t)]


def load(library: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(library))
    loaded.hypostyle_limit_new.restype = ctypes.c_void_p
    loaded.hypostyle_limit_new.argtypes = [ctypes.c_size_t] * 3
    loaded.hypostyle_limit_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_bool]
    loaded.hypostyle_limit_free.argtypes = [ctypes.c_void_p]
    return loaded


class Limit:
    def __init__(self, library: Path, paths: list[Path], last: int | None, output: int, threads: int) -> None:
        self.library, self.last, self.output, self.threads = load(library), last, output, threads
        # Mapped whole and at once, so that no run pays for the first touch of a page of the cache.
        self.files = {path: mapped(path) for path in paths}
        self.lists: dict[tuple[str, ...], ctypes.Array] = {}
        self.largest, self.handle = 0, None

    def prepare(self, columns: list[str]) -> None:
        wanted = tuple(columns)
        if wanted in self.lists:
            return
        found = []
        for path, (file, address) in self.files.items():
            for page in pages.needed(path, file, [KEY, *columns], self.last):
                found.append(RawPage(address + page.offset, page.compressed, page.uncompressed))
        # The largest first, so that no thread is left with one while the others have nothing to do.
        found.sort(key=lambda page: page.uncompressed, reverse=True)
        self.lists[wanted] = (RawPage * len(found))(*found)
        if self.handle is None or (found and found[0].uncompressed > self.largest):
            self.close()
            self.largest = 2 * found[0].uncompressed if found else 0
            self.handle = self.library.hypostyle_limit_new(self.threads, self.largest, self.output)

    def run(self, columns: list[str], copy: bool) -> None:
        wanted = self.lists[tuple(columns)]
        if self.library.hypostyle_limit_run(self.handle, wanted, len(wanted), copy) != 0:
            raise SystemExit("error: a page is not what its header says")

    def described(self) -> dict:
        """Of the first columns: how much work that is."""
        found = next(iter(self.lists.values()))
        return {
            "threads": self.threads,
            "pages": len(found),
            "compressed_bytes": sum(page.compressed for page in found),
            "uncompressed_bytes": sum(page.uncompressed for page in found),
            "output_bytes": self.output,
        }

    def close(self) -> None:
        self.library.hypostyle_limit_free(self.handle)
        self.handle = None


def mapped(path: Path) -> tuple[mmap.mmap, int]:
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ)
    return mapping, np.frombuffer(mapping, np.uint8).ctypes.data
