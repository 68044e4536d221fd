"""Feast's habits: an entity frame, feature references, a training frame.

Run it with ``python from_feast.py``; it needs pandas, and Polars to write the tables.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl

import hypostyle as hs


def main() -> None:
    """Fill the rows of an entity frame with features of two tables."""
    hours = [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(48)]
    with tempfile.TemporaryDirectory() as folder:
        # A feature view is a Parquet file, or a folder of them; nothing is registered.
        wind = pl.DataFrame({"ts": hours, "speed_80m": [float(i) for i in range(48)]})
        wind.write_parquet(Path(folder, "wind.parquet"))
        load = pl.DataFrame({"ts": hours, "mw": [2.0 * i for i in range(48)]})
        load.write_parquet(Path(folder, "load.parquet"))

        store = hs.open(folder)
        entity_df = pd.DataFrame({"ts": [hours[5], hours[4], hours[5]], "label": [1, 0, 1]})
        training = store.get_historical_features(
            entity_df=entity_df,
            features=["load:mw", "wind:speed_80m"],
            full_feature_names=True,
        ).to_df()
        print(training)
        assert training["load__mw"].tolist() == [10.0, 8.0, 10.0]

        # Feast looks for the newest value before a time. Here keys match exactly: half past five has no row.
        late = pd.DataFrame({"ts": [hours[5] + timedelta(minutes=30), hours[4]]})
        print(store.get_historical_features(late, ["load:mw"]).to_df())

        # So round the times to the tables' grid first.
        late["ts"] = late["ts"].dt.floor("h")
        print(store.get_historical_features(late, ["load:mw"]).to_df())


if __name__ == "__main__":
    main()
