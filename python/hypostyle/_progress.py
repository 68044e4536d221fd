"""A bar for a join that lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from hypostyle import _arguments
from hypostyle._optional import need

Progress: TypeAlias = "bool | Callable[[int, int], object]"
"""True for a bar, or what is called with the units of work done and planned."""


@contextlib.contextmanager
def teller(progress: Progress) -> Iterator[Callable[[int, int], object] | None]:
    """Give what is to be called with the work done and planned, if anything is."""
    if progress is False:
        yield None
    elif callable(progress):
        yield progress
    elif progress is True:
        tqdm = need("tqdm.auto", "progress=True").tqdm
        with tqdm(desc="joining", unit=" chunks", leave=False, total=0) as bar:

            def tell(done: int, planned: int) -> None:
                bar.total = planned
                bar.n = done
                bar.refresh()

            yield tell
    else:
        raise _arguments.wrong_type(
            "progress", progress, "True, False or a function of work done and planned"
        )
