"""Train a model on features from many tables, and predict from their newest rows.

Run it with ``python train_and_predict.py``; it needs scikit-learn, Polars and numpy, and makes its own
tables.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

import hypostyle as hs

HOURS = 8_760
HORIZON = 24
SITES = 18


def write_tables(folder: Path) -> None:
    """Write twenty tables of hourly rows: the load, the weather at some sites, and the prices of fuel."""
    random = np.random.default_rng(20)
    ts = pl.datetime_range(datetime(2024, 1, 1), interval="1h", end=datetime(2024, 12, 30, 23), eager=True)[
        :HOURS
    ]
    hour, season = np.arange(HOURS) % 24, 2 * np.pi * np.arange(HOURS) / HOURS
    wind = np.zeros(HOURS)
    warmth = np.zeros(HOURS)
    for site in range(SITES):
        speed = (
            8 + 3 * np.sin(season + site) + np.convolve(random.normal(0, 2, HOURS), np.ones(12) / 4, "same")
        )
        degrees = (
            10 - 9 * np.cos(season) + 4 * np.sin(2 * np.pi * (hour - 9) / 24) + random.normal(0, 1, HOURS)
        )
        weather = {"ts": ts, "speed_80m": speed, "t2m": degrees, "pressure": random.normal(1013, 8, HOURS)}
        pl.DataFrame(weather).write_parquet(folder / f"weather_{site:02}.parquet")
        wind += speed / SITES
        warmth += degrees / SITES
    demand = 50 + 12 * np.sin(2 * np.pi * (hour - 7) / 24) + 0.6 * np.abs(warmth - 17) - 0.8 * wind
    load = pl.DataFrame({"ts": ts, "mw": demand + random.normal(0, 0.8, HOURS)})
    load = load.with_columns(mw_lag24=pl.col("mw").shift(24), mw_lag168=pl.col("mw").shift(168), hour=hour)
    load.write_parquet(folder / "load.parquet")
    gas = pl.DataFrame({"ts": ts, "gas": 30 + np.cumsum(random.normal(0, 0.05, HOURS))})
    gas.write_parquet(folder / "fuel.parquet")


def predict(folder: Path) -> float:
    """Train on all rows but the newest, predict those, and return how far off the predictions are."""
    store = hs.open(folder)
    spec = hs.JoinSpec(
        key="ts",
        tables={
            "load": ["mw", "mw_lag24", "mw_lag168", "hour"],
            "fuel": ["gas"],
            **{f"weather_{site:02}": ["speed_80m", "t2m"] for site in range(SITES)},
        },
        full_names=True,
    )

    frame = store.join(spec)
    target = frame["load__mw"].to_numpy()
    inputs = [name for name in frame.features if name != "load__mw"]
    features, names = frame.to_numpy("float32", columns=inputs)
    train = len(frame) - HORIZON
    model = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(features[:train], target[:train])
    size = f"{train:,} rows of {len(names)} features from {len(store.tables())} tables"
    print(f"trained on {size}, joined in {frame.stats['total_ms']:.0f} ms")

    # What a service asks for, each time that it is asked: the same features of the newest rows.
    newest = store.join(spec, last=HORIZON)
    features, _ = newest.to_numpy("float32", columns=inputs)
    predicted = model.predict(features)
    actual = newest["load__mw"].to_numpy()
    print(f"predicted {len(newest)} rows, joined in {newest.stats['total_ms']:.1f} ms")
    summary = newest.select(["ts"]).to_polars().with_columns(actual=actual, predicted=predicted)
    print(summary.tail(5))
    return float(mean_absolute_error(actual, predicted))


def main() -> None:
    """Make the tables, train, predict and say how good it was."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        error = predict(Path(folder))
    print(f"mean absolute error: {error:.2f} MW")
    assert error < 3, "the model has learned nothing"


if __name__ == "__main__":
    main()
