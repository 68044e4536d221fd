"""Joins many Parquet tables into one frame, fast, without a server.

A *store* is a folder of tables, each a Parquet file or a folder of them. A join takes a few columns of many
tables, aligned on a key, and gives a *frame*: Arrow memory that Polars, pandas, pyarrow, DuckDB and numpy
take over.

>>> import hypostyle as hs
>>> store = hs.open(root)
>>> frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw", "mw_lag24"]}, last=24)
>>> frame.shape
(24, 4)
>>> frame.columns
['ts', 'speed_80m', 'mw', 'mw_lag24']
>>> frame.to_polars().height
24

Nothing else needs to be installed for a join. ``to_polars()``, ``to_pandas()``, ``to_arrow()`` and
``to_numpy()`` each need the library that they are named after.
"""

from hypostyle._column import Column
from hypostyle._errors import (
    Cancelled,
    Changed,
    Conflict,
    Corrupt,
    HypostyleError,
    InternalError,
    InvalidRequest,
    LimitExceeded,
    NoMatchWarning,
    NotFound,
    Timeout,
    Unavailable,
    Unsupported,
    WrongType,
)
from hypostyle._frame import Frame
from hypostyle._managed import Commit, Transaction
from hypostyle._models import Blobs, Models
from hypostyle._native import version as _version
from hypostyle._schema import Schema
from hypostyle._spec import JoinSpec
from hypostyle._store import Explanation, Store, StoreAt, TableDescription, doctor, init, open

__version__ = _version()

__all__ = [
    "Blobs",
    "Cancelled",
    "Changed",
    "Column",
    "Commit",
    "Conflict",
    "Corrupt",
    "Explanation",
    "Frame",
    "HypostyleError",
    "InternalError",
    "InvalidRequest",
    "JoinSpec",
    "LimitExceeded",
    "Models",
    "NoMatchWarning",
    "NotFound",
    "Schema",
    "Store",
    "StoreAt",
    "TableDescription",
    "Timeout",
    "Transaction",
    "Unavailable",
    "Unsupported",
    "WrongType",
    "__version__",
    "doctor",
    "init",
    "open",
]
