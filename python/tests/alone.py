"""A join where no other library is installed: what a fresh environment with the wheel alone must do.

``python alone.py [FOLDER]`` takes the tables of a folder with ``load.parquet``, or those written below.
"""

import base64
import pathlib
import sys
import tempfile
import zlib
from datetime import datetime

import hypostyle as hs

# 48 hours of `ts` and `mw`, as Polars writes them.
LOAD = """
eNoLcAwyFGURbWAT7WPxEU0QZWBg0Niq/zehgeEtOwMLD4OCosB1XjYGhiNbnmV47L3Bc2fyzQ35WbdCmB1v/5gmfmeO1juHfUfu
Pgmcfa/jaeF9nUqPBxd45B+WLPgqYXLm0Z7jix4nRFc+YXnv/3RFk9ozH7G/H1Zefj7FdtULi4sNL++khL9q+KH7WqWH5c0J+ds5
mze+FXDveLflVtz7iDzTD38YeT4umPrIRXPnpxd7+j/3BKR9MXhi8/VKufC3Cu5XMvMPfD9gNP1HyrHcnxxRLr/WvJX6HdD48YvI
iT8zVsz7a2NT+g/obj2FB9cdm+4YJB3pEFS2naYTuSlFUNKxiYVT6QSvsluPhGHSkuOTVL2n6Sgpe0xQcGzakQhSeOTErSksogyi
EaJZOsAwERBlE2WTMWPQ4GCAGivBAQ8YSHgp6CQyMjABOQmMbLwOCjwuiTIei3R8HtsEqPiGpMZGLMuNeV6boNGXkjkvY9W6nNf7
RFkkTRnYBCQlmEqKRXnEEsROsIu9YFXbwqLGgdMmoIt62ESnMIHcxIBwEwg0hDtIQFhANiwO2xhYWRhYWCDOYnBgEJBQUNHQMTAy
MbOwsrFzcHRydnF1c/fw9PL28fXzD2hgCGxgCGpgCG5gCGlgCG1gCGtgCAcarA8MQ2Zjad3uxpm9044eOON2OikhzflT6jTV+Wc2
PTmt470PnToxPXJajfLmpRkb7/SIckmqMrAB/ZlbDvbnIzaxV0xqN9hscLldUpBJEuFrEBMaFKIMkmJwaahyGBNoBlRaRmwLi+ge
RiATxL7BJvqKCcQWZZK08WApys8vEWVhEGVRZQIFfE6PkIwOWL8oF0gkt5xBLEFSRlJHbQ6XDDkxJLaAW1RCbAmXqB2D2iFOGZL9
LrYDpP8RSL/YKj6xBDUOsUscIiCfSPA4BgX5h1sVJ2ek5iZK3GHUBwHTYkcgcAURFmVAfkUglA8W8nZ0LHZ0BtOBjtoBQPnycpC4
p6NjOlSdJ4gGCzqBCN8QoCKLZLihEHVOEBUgeR+QvDNcyt3Q2NHRpRjkFF+QGEQmEkwG5oMNdU0HGgWiAyGWuUCN0ga5t9zT0Snd
0R3kPrB5HkFVjo62tgwSfgH5OYlFxQoaBZUlGfl5mgplqUXFmfl5CkZ6hnoGChpJpZk5KQrmaZYGRkkpxmlpKUbmaWkWRimGJkbm
FokGlolGlqZpaUZp5ompKZZGmpI6MgwMQMTADswMAcAiDwC1Gm9x
"""


def main(folder: pathlib.Path) -> None:
    """Join, look at the answer, write it, and be refused."""
    if not (folder / "load.parquet").exists():
        (folder / "load.parquet").write_bytes(zlib.decompress(base64.b64decode(LOAD)))
    store = hs.open(folder)
    frame = store.join(key="ts", tables={"load": ["mw"]}, last=24)
    assert frame.shape == (24, 2)
    assert frame["mw"].to_list() == [2.0 * hour for hour in range(24, 48)]
    assert frame["ts"].to_list()[0] == datetime(2024, 1, 2)

    spine = {"ts": [datetime(2024, 1, 1, 5), None, datetime(2024, 1, 1, 4)], "label": ["a", "b", None]}
    filled = store.get_historical_features(spine, features=["load:mw"])
    assert filled.to_dicts()[0] == {"ts": datetime(2024, 1, 1, 5), "label": "a", "mw": 10.0}
    assert [row["mw"] for row in filled.to_dicts()] == [10.0, None, 8.0]

    assert "48" in repr(store.describe("load"))
    assert "<table>" in filled._repr_html_()
    with tempfile.TemporaryDirectory() as out:
        for suffix in ("arrow", "arrows", "parquet", "csv", "ndjson"):
            filled.write(pathlib.Path(out, f"out.{suffix}"))
    with tempfile.TemporaryDirectory() as root:
        written = hs.init(root)
        first = written.write("load", frame, key="ts")
        written.write("load", {"ts": [datetime(2024, 1, 2)], "mw": [0.0]}, mode="upsert")
        assert written.join(tables={"load": ["mw"]}, as_of=first)["mw"].to_list() == frame["mw"].to_list()
        assert written.join(tables={"load": ["mw"]})["mw"].to_list()[0] == 0.0

    refused = None
    try:
        store.join(key="ts", tables={"load": ["nope"]})
    except hs.InvalidRequest as error:
        refused = error.column
    assert refused == "nope"
    borrowed = {"numpy", "pandas", "polars", "pyarrow"} & set(sys.modules)
    assert not borrowed, borrowed
    print(repr(filled))
    print("fine")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(pathlib.Path(made))
