"""The words that Feast's users know."""

from __future__ import annotations

import warnings

import pandas as pd
import polars as pl
import pytest

import hypostyle as hs
from support import NEVER, hours

ENTITIES = pd.DataFrame({"ts": [*hours(1, 5), *hours(1, 4)], "label": [1, 2]})


def test_the_entity_frame_is_filled_in_its_order(store: hs.Store) -> None:
    answer = store.get_historical_features(
        entity_df=ENTITIES, features=["load:mw", "wind:speed_80m"], key="ts"
    )
    frame = answer.to_df()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["ts", "label", "mw", "speed_80m"]
    assert answer.to_arrow().column("mw").to_pylist() == [10.0, 8.0]
    assert answer.to_arrow().column("speed_80m").to_pylist() == [5.0, 4.0]


def test_features_come_in_the_order_of_their_references(store: hs.Store) -> None:
    references = ["load:mw_lag24", "wind:speed_80m", "load:mw"]
    plain = store.get_historical_features(ENTITIES, references)
    assert plain.features == ["mw_lag24", "speed_80m", "mw"]
    full = store.get_historical_features(ENTITIES, references, full_feature_names=True)
    assert full.features == ["load__mw_lag24", "wind__speed_80m", "load__mw"]
    assert full["load__mw"].to_list() == plain["mw"].to_list()


def test_one_name_in_two_tables_needs_full_names(store: hs.Store, tmp_path: object) -> None:
    import pathlib

    folder = pathlib.Path(str(tmp_path))
    for name in ("a", "b"):
        pl.DataFrame({"ts": hours(3), "x": [1.0, 2.0, 3.0]}).write_parquet(folder / f"{name}.parquet")
    both = hs.open(folder)
    entities = {"ts": hours(2)}
    with pytest.raises(hs.InvalidRequest, match="x"):
        both.get_historical_features(entities, ["a:x", "b:x"])
    assert both.get_historical_features(entities, ["b:x", "a:x"], True).features == ["b__x", "a__x"]


def test_a_key_is_matched_exactly_and_its_docstring_says_so_first(store: hs.Store) -> None:
    near = {"ts": [hours(1, 5)[0].replace(minute=1), *hours(1, 5)]}
    answer = store.get_historical_features(near, ["load:mw"])
    assert answer["mw"].to_list() == [None, 10.0]
    first = (hs.Store.get_historical_features.__doc__ or "").splitlines()[0]
    assert "match exactly" in first


def test_a_table_without_a_match_is_warned_of_where_it_is_asked_for(store: hs.Store) -> None:
    with pytest.warns(hs.NoMatchWarning, match="'load'") as caught:
        store.get_historical_features({"ts": [NEVER]}, ["load:mw"])
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(hs.NoMatchWarning, match="'load'") as caught:
        store.join(spine={"ts": [NEVER]}, features=["load:mw"])
    assert [warning.filename for warning in caught] == [__file__]


def test_nothing_is_warned_of_where_something_matched_or_nothing_was_asked(store: hs.Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.get_historical_features({"ts": [NEVER, *hours(1)]}, ["load:mw"])
        store.get_historical_features({"ts": hours(0)}, ["load:mw"], key="ts")


def test_the_options_of_a_join_are_taken(store: hs.Store) -> None:
    entities = {"ts": hours(2)}
    assert len(store.get_historical_features(entities, ["load:mw"], threads=1, timeout=60, io="pread")) == 2
    with pytest.raises(TypeError, match="unexpected keyword argument 'how'"):
        store.get_historical_features(entities, ["load:mw"], how="inner")
    with pytest.raises(hs.WrongType, match="entity_df"):
        store.get_historical_features(None, ["load:mw"])
