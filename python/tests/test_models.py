"""Models: what is stored is read back as it was, as of any snapshot, with its frame, all or none."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypostyle as hs
from support import LONG, command, environment, python

BLOB = bytes(range(256)) * 200


def test_what_is_put_comes_back_in_each_form(managed: hs.Store, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(BLOB)
    forms: list[Any] = [BLOB, bytearray(BLOB), memoryview(BLOB), np.frombuffer(BLOB, dtype="u8"), path, b""]
    for number, data in enumerate(forms, 1):
        assert managed.models.put("m", data) == number
    for number in range(1, 6):
        assert managed.models.get("m", version=number) == BLOB, number
    assert managed.models.get("m").nbytes == 0
    blob = managed.models.get("m", version=1)
    assert isinstance(blob, memoryview)
    assert blob.readonly
    # Of the file itself: bytes are at the same place each time, and outlive the store.
    address = np.frombuffer(blob, dtype="u1").ctypes.data
    assert np.frombuffer(managed.models.get("m", version=1), dtype="u1").ctypes.data == address
    managed.close()
    assert blob == BLOB


def test_the_words_of_a_store_of_models(managed: hs.Store) -> None:
    managed.write("wind", {"ts": [1, 2, 3], "speed": [0.5, 1.5, 2.5]}, key="ts")
    model = {"weights": [1.0, 2.0]}
    # A number that is no binary fraction, and comes back as it was.
    v = managed.models.put(
        "node-17",
        pickle.dumps(model),
        metadata={"loss": 0.9885189195705479},
        features=["wind:speed"],
        snapshot=1,
    )
    assert v == 1
    assert managed.models.put_many([("node-17", b"2"), ("node-18", b"1", {"metadata": {"a": 1}})]) == {
        "node-17": 2,
        "node-18": 1,
    }
    managed.models.alias("node-17", "production", 1)
    assert pickle.loads(managed.models.get("node-17", version="production")) == model
    assert bytes(managed.models.get("node-17")) == b"2"
    found = {name: bytes(blob) for name, blob in managed.models.get_many(["node-17", "node-18"])}
    assert found == {"node-17": b"2", "node-18": b"1"}
    assert [(m["name"], m["versions"], m["aliases"]) for m in managed.models.list()] == [
        ("node-17", [1, 2], {"production": 1}),
        ("node-18", [1], {}),
    ]
    info = managed.models.info("node-17", "production")
    told = {key: info[key] for key in ("version", "metadata", "features", "trained_on", "kind", "aliases")}
    assert told == {
        "version": 1,
        "metadata": {"loss": 0.9885189195705479},
        "features": ["wind:speed"],
        "trained_on": 1,
        "kind": "bytes",
        "aliases": ["production"],
    }
    assert [info["version"] for info in managed.models.versions("node-17")] == [1, 2]
    assert managed.frame_for("node-17", "production", last=2)["speed"].to_list() == [1.5, 2.5]
    assert managed.models.remove("node-17", version=2) == [2]
    with pytest.raises(hs.Conflict, match="alias `production`"):
        managed.models.remove("node-17")
    managed.models.alias("node-17", "production", None)
    assert managed.models.remove("node-17") == [1]
    assert managed.models.put("node-17", b"3") == 3
    assert repr(managed.models).startswith("<hypostyle.Models of ")


def test_a_transaction_takes_models_into_its_commit(managed: hs.Store) -> None:
    rows = {"ts": [1], "x": [1.0]}
    with managed.transaction(["wind"], models=["a"]) as tx:
        tx.write("wind", rows, key="ts")
        assert tx.models.put("a", b"1", features=["wind:x"]) == 1
        tx.models.alias("a", "production", 1)
        # The store's own words join the commit in this block.
        assert managed.models.put("a", b"2") == 2
        assert managed.models.put("late", b"1") == 1
        assert managed.models.list() == []
    assert (tx.commit.snapshot, tx.commit.models) == (1, {"a": 2, "late": 1})
    assert bytes(managed.models.get("a", version="production")) == b"1"

    def fail() -> None:
        with managed.transaction(models="all") as tx:
            tx.models.put_many({f"m{n}": b"x" for n in range(1000)})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert managed.snapshot() == 1

    # Many of which some cannot be put are not put in part by whoever goes on.
    def goes_on(good: int) -> None:
        many: list[Any] = [*((f"m{n}", b"x") for n in range(good)), ("m", b"x", {"features": ["x"]})]
        with managed.transaction(models="all") as tx:
            tx.models.put("alone", b"x")
            with pytest.raises(hs.InvalidRequest, match="no colon"):
                tx.models.put_many(item for item in many)

    for good in (1, 600):
        with pytest.raises(hs.InvalidRequest):
            goes_on(good)
    assert managed.snapshot() == 1
    with managed.transaction(models="all") as tx:
        tx.models.put_many({f"m{n}": b"x" for n in range(1000)})
    assert len(managed.models.list()) == 1002
    # After the block each call is a commit again, also in another thread.
    assert managed.models.put("a", b"3") == 3
    with managed.transaction(["wind"], models=["a"]) as tx:
        tx.models.put("a", b"4")
        other = threading.Thread(target=lambda: managed.models.put("b", b"1"))
        other.start()
        other.join()
        assert bytes(managed.models.get("b")) == b"1"
    assert tx.commit.models == {"a": 4}


def test_frames_and_models_of_one_moment(managed: hs.Store) -> None:
    for factor in (1.0, 2.0):
        with managed.transaction(["wind"], models=["m"]) as tx:
            tx.write("wind", {"ts": [1, 2], "x": [factor, factor]}, mode="upsert", key="ts")
            tx.models.put("m", str(factor).encode(), features=["wind:x"])
    managed.tag("first", 1)
    for snapshot, factor in ((1, 1.0), ("first", 1.0), (2, 2.0), (None, 2.0)):
        now = managed.at(snapshot)
        managed.models.put("other", b"x")
        assert float(bytes(now.models.get("m"))) == factor
        frame = now.frame_for("m", last=1)
        assert (frame["x"].to_list(), frame.snapshot) == ([factor], now.snapshot)
        assert now.join(tables={"wind": ["x"]}).snapshot == now.snapshot
        assert [(name, float(bytes(b))) for name, b in now.models.get_many(["m"])] == [("m", factor)]
        assert int(now.snapshot) == now.__index__()
        with pytest.raises(hs.InvalidRequest):
            now.models.put("m", b"x")
        with pytest.raises(hs.InvalidRequest):
            now.join(tables={"wind": ["x"]}, as_of=1)
        with pytest.raises(hs.InvalidRequest):
            now.models.get("m", as_of=1)
    assert float(bytes(managed.models.get("m", as_of=1))) == 1.0
    with pytest.raises(hs.NotFound):
        managed.at(999)


def test_features_come_in_the_order_in_which_they_were_stored(written: hs.Store) -> None:
    written.models.put("m", b"", features=["load:mw", "wind:speed"])
    assert written.frame_for("m").columns == ["ts", "mw", "speed"]
    assert written.frame_for("m", full_names=True).columns == ["ts", "load__mw", "wind__speed"]
    assert written.frame_for("m", spine={"ts": [2]})["mw"].to_list() == [8.0]
    written.models.put("bare", b"")
    with pytest.raises(hs.InvalidRequest, match="without features"):
        written.frame_for("bare")


WRONG: dict[str, tuple[Callable[[hs.Store], Any], type[Exception], str]] = {
    "a name with a slash": (lambda s: s.models.put("a/b", b""), hs.InvalidRequest, "no model name"),
    "two dots": (lambda s: s.models.put("..", b""), hs.InvalidRequest, "no model name"),
    "NUL": (lambda s: s.models.put("a\0b", b""), hs.InvalidRequest, "no model name"),
    "no text": (lambda s: s.models.put(7, b""), hs.WrongType, "name"),  # type: ignore[arg-type]
    "text as data": (lambda s: s.models.put("m", "text"), hs.WrongType, "data"),  # type: ignore[arg-type]
    "an object as data": (lambda s: s.models.put("m", object()), hs.WrongType, "data"),  # type: ignore[arg-type]
    "no file": (lambda s: s.models.put("m", Path("/nowhere/at/all")), hs.NotFound, "nowhere"),
    "metadata that is no dict": (
        lambda s: s.models.put("m", b"", metadata=[1]),  # type: ignore[arg-type]
        hs.WrongType,
        "metadata",
    ),
    "metadata that JSON has no word for": (
        lambda s: s.models.put("m", b"", metadata={"loss": float("nan")}),
        hs.WrongType,
        "metadata",
    ),
    "metadata that is nested too deeply": (
        lambda s: s.models.put("m", b"", metadata=json.loads('{"a":' * 127 + "1" + "}" * 127)),
        hs.InvalidRequest,
        "metadata",
    ),
    "a snapshot before the first": (
        lambda s: s.models.put("m", b"", snapshot=-1),
        hs.InvalidRequest,
        "snapshot",
    ),
    "a feature that is none": (lambda s: s.models.put("m", b"", features=["x"]), hs.InvalidRequest, "x"),
    "an alias to nothing": (lambda s: s.models.alias("there", "prod", 9), hs.NotFound, "version 9"),
    "an alias of nothing": (lambda s: s.models.alias("none", "prod", 1), hs.NotFound, "none"),
    "an alias to an alias that is none": (
        lambda s: s.models.alias("there", "prod", "nothing"),
        hs.NotFound,
        "nothing",
    ),
    "an alias to itself": (lambda s: s.models.alias("there", "a", "a"), hs.InvalidRequest, "itself"),
    "no such model": (lambda s: s.models.get("ther"), hs.NotFound, "ther"),
    "no such version": (lambda s: s.models.get("there", version=2), hs.NotFound, "version 2"),
    "a version that is none": (lambda s: s.models.get("there", version="a b"), hs.InvalidRequest, "version"),
    "too large": (lambda s: s.models.get("there", memory_limit=10), hs.LimitExceeded, "memory limit"),
    "rm of nothing": (lambda s: s.models.remove("there", version=5), hs.NotFound, "version 5"),
    "many that are none": (lambda s: s.models.put_many(["ab"]), hs.WrongType, "models"),  # type: ignore[list-item]
    "many with odd words": (
        lambda s: s.models.put_many([("a", b"", {"meta": 1})]),
        hs.InvalidRequest,
        "metadata",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_and_nothing_changes(managed: hs.Store, what: str) -> None:
    managed.models.put("there", BLOB)
    call, kind, words = WRONG[what]
    with pytest.raises(kind, match=words):
        call(managed)
    assert managed.snapshot() == 1


def test_an_alias_cycle_is_refused(managed: hs.Store) -> None:
    managed.models.put("m", b"1")
    managed.models.alias("m", "a", 1)
    managed.models.alias("m", "b", "a")
    with pytest.raises(hs.InvalidRequest, match="itself"):
        managed.models.alias("m", "a", "b")
    with pytest.raises(hs.Conflict, match="`b`"):
        managed.models.alias("m", "a", None)
    assert bytes(managed.models.get("m", version="b")) == b"1"


def test_one_that_is_damaged_is_named_and_the_others_come(managed: hs.Store) -> None:
    for name in ("a", "b", "c"):
        managed.models.put(name, BLOB)
    packs = Path(managed.root, "_hypostyle/models").iterdir()
    bad = next(pack for pack in packs if b'"name":"b"' in pack.read_bytes())
    bent = bytearray(bad.read_bytes())
    bent[-100] ^= 1
    bad.write_bytes(bent)
    with hs.open(managed.root) as fresh:
        blobs = fresh.models.get_many(["a", "b", "c"])
        came, failed = [], []
        while True:
            try:
                came.append(next(blobs)[0])
            except StopIteration:
                break
            except hs.Corrupt as error:
                failed.append(str(error))
        assert sorted(came) == ["a", "c"]
        assert len(failed) == 1
        assert "model `b`, version 1" in failed[0]
        assert fresh.models.get("b", verify=False).nbytes == len(BLOB)


def test_a_folder_is_stored_and_saved(managed: hs.Store, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights/a.bin").write_bytes(BLOB)
    managed.models.put("m", folder)
    info = managed.models.save("m", tmp_path / "out")
    assert info["kind"] == "folder"
    assert (tmp_path / "out/weights/a.bin").read_bytes() == BLOB
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(hs.InvalidRequest, match="leads out"):
        managed.models.put("m", folder)
    managed.models.put("f", BLOB)
    managed.models.save("f", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BLOB


def test_a_version_that_gc_took_is_told_as_such(managed: hs.Store) -> None:
    managed.models.put("m", b"1")
    managed.models.put("m", b"2")
    old = managed.at(1)
    managed.models.remove("m", version=1)
    managed.gc(dry_run=False, grace=0)
    with pytest.raises(hs.NotFound, match="removed"):
        managed.models.get("m", version=1)
    with pytest.raises(hs.NotFound, match="gc"):
        old.models.get("m")
    with pytest.raises(hs.NotFound, match="gc"):
        managed.models.get("m", as_of=1)
    assert bytes(managed.models.get("m")) == b"2"


WRITER = """
import sys
import hypostyle as hs
store = hs.open(sys.argv[1])
print("go", flush=True)
store.models.put_many({f"m{n}": bytes(50_000) for n in range(4000)})
print("done", flush=True)
"""


def test_a_writer_that_is_killed_in_the_middle_puts_all_or_none(managed: hs.Store) -> None:
    managed.models.put("before", b"1")
    folder = Path(managed.root, "_hypostyle/models")

    def written() -> int:
        return sum(path.stat().st_size for path in folder.iterdir())

    torn = 0
    for step in range(8):
        before = len(managed.models.list())
        there = written()
        asked = command(WRITER, managed.root)
        with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "go\n"
            # When so much of its 200 MB is there.
            while written() < there + step * 28_000_000 and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            told = process.stdout.read()
        after = managed.models.list()
        assert len(after) in (before, 4001)
        assert len(after) == 4001 or not told, "what was told is there"
        latest = {model["latest"] for model in after if model["name"] != "before"}
        assert len(latest) <= 1, "all have the same versions"
        # Others read and write beside what it left behind.
        sizes = {blob.nbytes for _, blob in managed.models.get_many(model["name"] for model in after)}
        assert sizes <= {1, 50_000}
        torn += written() > sum(model["bytes"] for model in after) * 1.1 + 1_000_000
    assert torn, "it was killed in the middle"
    assert managed.repair()["findings"] == []
    managed.gc(dry_run=False, grace=0)
    # What was left behind is gone, and what is named is there.
    assert written() <= sum(model["bytes"] for model in managed.models.list()) * 1.1 + 1_000_000
    for _, blob in managed.models.get_many(model["name"] for model in managed.models.list()):
        assert bytes(blob) in (b"1", bytes(50_000))


def test_a_large_blob_is_streamed(managed: hs.Store, tmp_path: Path) -> None:
    path = tmp_path / "large"
    size = 5 << 30 if LONG else 300 << 20
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size - 1)
        file.write(b"x")
    grown = """
import resource, sys
import hypostyle as hs
store = hs.open(sys.argv[1])
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.models.put("large", Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    assert int(python(grown, managed.root, path, timeout=600)) < 60_000, "kilobytes that the process grew by"
    # A map of the whole file has no room there.
    narrow = """
import resource, sys
import hypostyle as hs
store = hs.open(sys.argv[1])
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
store.models.save("large", sys.argv[2])
print(0)
"""
    out = tmp_path / "out"
    assert python(narrow, managed.root, out, timeout=600) == "0\n"
    assert out.stat().st_size == size
    with out.open("rb") as file:
        file.seek(size - 1)
        assert file.read() == b"x"
    with pytest.raises(hs.LimitExceeded):
        managed.models.get("large", memory_limit="10MB")
    # What tests leave is kept for a while.
    path.unlink()
    out.unlink()
    managed.models.remove("large")
    managed.gc(dry_run=False, grace=0)
    assert not list(Path(managed.root, "_hypostyle/models").iterdir())


def test_many_threads_and_forks_read(managed: hs.Store) -> None:
    managed.models.put_many({f"m{n}": str(n).encode() * 100 for n in range(500)})
    failed = []

    def read() -> None:
        try:
            for name, blob in managed.models.get_many(f"m{n}" for n in range(500)):
                assert bytes(blob) == name[1:].encode() * 100
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    child = os.fork()
    if not child:
        try:
            read()
        finally:
            os._exit(1 if failed else 0)
    assert os.waitpid(child, 0)[1] == 0
    # A child has none of the threads that read for its parent, and waited for them for ever.
    blobs = managed.models.get_many(f"m{n}" for n in range(500))
    child = os.fork()
    if not child:
        signal.alarm(30)
        try:
            next(blobs)
        except hs.InvalidRequest as error:
            os._exit(0 if "forked" in str(error) and not list(blobs) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(blobs)) == 500
    # Whoever does not read to the end keeps nobody waiting.
    blobs = managed.models.get_many(f"m{n}" for n in range(500))
    next(blobs)
    del blobs
    read()
    assert not failed
