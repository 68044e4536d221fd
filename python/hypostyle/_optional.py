"""Other libraries, which a join does not need and some ways out of a frame do."""

from __future__ import annotations

import importlib
from typing import Any


def need(module: str, what: str) -> Any:
    """Import ``module``, or say that ``what`` needs it and how to get it."""
    # A part of a package, such as `tqdm.auto`, is installed under the package's name; the part
    # may be called like another package.
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f"{what} needs {package}, which is not installed: pip install {package}"
        raise ModuleNotFoundError(message, name=package) from None


def has(module: str) -> bool:
    """Whether ``module`` can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
