"""Other libraries, which a join does not need and some ways out of a frame do."""

from __future__ import annotations

import importlib
from typing import Any


def need(module: str, what: str) -> Any:
    """Import ``module``, or say that ``what`` needs it and how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        message = f"{what} needs {module}, which is not installed: pip install {module}"
        raise ModuleNotFoundError(message, name=module) from None


def has(module: str) -> bool:
    """Whether ``module`` can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
