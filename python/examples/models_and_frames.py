"""Train 200 models side by side, store them in one commit, and predict for each from one snapshot.

Run it with ``python models_and_frames.py``; it needs scikit-learn, numpy and tqdm, and makes its own store.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

import hypostyle as hs

NODES = 200
HOURS = 2_000
SITES = 20
HORIZON = 24


def write_tables(store: hs.Store) -> None:
    """Write the weather of twenty sites, and the load of all nodes, in one commit."""
    random = np.random.default_rng(7)
    ts = np.datetime64("2024-01-01", "us") + np.arange(HOURS) * np.timedelta64(1, "h")
    hour = np.arange(HOURS) % 24
    weather: dict[str, dict[str, Any]] = {}
    for site in range(SITES):
        wind = np.convolve(random.normal(8, 3, HOURS), np.ones(6) / 6, "same")
        warmth = 12 + 6 * np.sin(2 * np.pi * (hour - 9 + site / 4) / 24) + random.normal(0, 1, HOURS)
        weather[f"site_{site:02}"] = {"ts": ts, "wind": wind, "warmth": warmth}
    load: dict[str, Any] = {"ts": ts}
    for node in range(NODES):
        near = weather[f"site_{node % SITES:02}"]
        load[f"node_{node}"] = 50 - 0.8 * near["wind"] + 0.5 * near["warmth"] + random.normal(0, 0.5, HOURS)
    with store.transaction([*weather, "load"]) as tx:
        for name, columns in weather.items():
            tx.write(name, columns, key="ts")
        tx.write("load", load, key="ts")


def train(now: Any, node: int) -> tuple[str, bytes, dict[str, Any]]:
    """Train the model of a node on the weather near it, without the newest rows."""
    sites = [(node + step) % SITES for step in range(3)]
    features = [f"site_{site:02}:{column}" for site in sites for column in ("wind", "warmth")]
    frame = now.join(features=[*features, f"load:node_{node}"], full_names=True)
    inputs, _ = frame.to_numpy(columns=frame.features[:-1])
    target = frame[f"load__node_{node}"].to_numpy()
    model = make_pipeline(StandardScaler(), Ridge()).fit(inputs[:-HORIZON], target[:-HORIZON])
    beside = {"features": features, "metadata": {"r2": round(model.score(inputs, target), 3)}}
    return f"node-{node}", pickle.dumps(model), {**beside, "snapshot": frame.snapshot}


def main() -> None:
    """Write, train, store, predict, and say how it went."""
    with tempfile.TemporaryDirectory() as folder, hs.init(folder) as store:
        write_tables(store)

        began = time.perf_counter()
        now = store.at()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            work = pool.map(lambda node: train(now, node), range(NODES))
            trained = list(tqdm(work, total=NODES, desc="train"))
        trained_in = time.perf_counter() - began

        began = time.perf_counter()
        versions = store.models.put_many(trained)
        stored_in = time.perf_counter() - began
        assert set(versions.values()) == {1}

        # What a service does in the morning: frames and models of one snapshot, models read ahead.
        began = time.perf_counter()
        today = store.at()
        actual = today.join(tables={"load": "*"}, last=HORIZON)
        errors = {}
        for name, blob in tqdm(today.models.get_many(versions), total=NODES, desc="predict"):
            # Only what you stored yourself: a pickle runs code when it is loaded.
            model = pickle.loads(blob)
            frame = today.frame_for(name, last=HORIZON, full_names=True)
            inputs, _ = frame.to_numpy(columns=frame.features)
            expected = actual[name.replace("-", "_")].to_numpy()
            errors[name] = float(np.abs(model.predict(inputs) - expected).mean())
        predicted_in = time.perf_counter() - began

        worst = max(errors, key=lambda name: errors[name])
        size = sum(model["bytes"] for model in store.models.list())
        print(f"{NODES} models of {size:,} bytes, of snapshot {today.snapshot}")
        print(
            f"trained in {trained_in:.1f} s, stored in {stored_in:.2f} s, predicted in {predicted_in:.1f} s"
        )
        mean = np.mean(list(errors.values()))
        print(f"mean absolute error {mean:.2f}; the worst is {worst}, {errors[worst]:.2f}")
        info = store.models.info(worst)
        print(f"{worst} was trained on snapshot {info['trained_on']}, with r2 {info['metadata']['r2']}")
        assert errors[worst] < 1, "the models have learned nothing"


if __name__ == "__main__":
    main()
