"""Stores that a real etcd coordinates: the wheel has what they need."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hypostyle as hs
from support import python

ETCD = shutil.which("etcd")
pytestmark = pytest.mark.skipif(ETCD is None, reason="etcd is missing (Debian: etcd-server)")


class Server:
    """An etcd on free ports of this machine."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            self.port, peers = one.getsockname()[1], two.getsockname()[1]
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peers}"
        urls = {
            "--listen-client-urls": client,
            "--advertise-client-urls": client,
            "--listen-peer-urls": peer,
            "--initial-advertise-peer-urls": peer,
            "--initial-cluster": f"default={peer}",
            "--data-dir": str(folder),
            "--log-level": "error",
        }
        words = [word for pair in urls.items() for word in pair]
        self.process = subprocess.Popen(
            [str(ETCD), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @property
    def url(self) -> str:
        return f"etcd://127.0.0.1:{self.port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "etcd")
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def store(tmp_path: Path, server: Server) -> Iterator[hs.Store]:
    root = tmp_path / "store"
    root.mkdir()
    until = time.monotonic() + 20
    while True:
        try:
            opened = hs.init(root, coordination=server.url)
            break
        except hs.Unavailable:
            assert time.monotonic() < until, "etcd does not start"
            time.sleep(0.1)
    with opened:
        yield opened


def values(store: hs.Store) -> dict[int, float]:
    frame = store.join(tables={"t": ["x"]})
    return dict(zip(frame["k"].to_list(), frame["x"].to_list(), strict=True))


def test_what_is_written_over_etcd_is_read_back_and_outlives_it(store: hs.Store, server: Server) -> None:
    store.write("t", {"k": [1, 2], "x": [0.5, 1.5]}, mode="upsert", key="k")
    with store.transaction(["t"], models=["node"]) as tx:
        tx.write("t", {"k": [2], "x": [2.5]}, mode="upsert")
        tx.models.put("node", b"blob")
    assert values(store) == {1: 0.5, 2: 2.5}
    assert bytes(store.models.get("node")) == b"blob"

    server.process.kill()
    server.process.wait()
    # Reads go on at the last snapshot that this machine knows; writers are told.
    assert values(store) == {1: 0.5, 2: 2.5}
    with pytest.raises(hs.Unavailable):
        store.write("t", {"k": [3], "x": [3.5]}, mode="upsert", timeout=1)


def test_a_forked_child_connects_anew_or_is_told_and_never_hangs(store: hs.Store) -> None:
    store.write("t", {"k": [1], "x": [0.5]}, mode="upsert", key="k")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(20)
            with contextlib.suppress(hs.Unavailable):
                store.write("t", {"k": [2], "x": [1.5]}, mode="upsert")
            with hs.open(store.root) as own:
                own.write("t", {"k": [3], "x": [2.5]}, mode="upsert")
                code = 0 if values(own)[3] == 2.5 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert values(store)[3] == 2.5


def test_ctrl_c_ends_a_wait_for_an_etcd_that_does_not_answer(store: hs.Store, server: Server) -> None:
    store.write("t", {"k": [1], "x": [0.5]}, mode="upsert", key="k")
    server.process.send_signal(signal.SIGSTOP)
    code = f"""
import os, signal, threading, time
import hypostyle as hs
threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
began = time.monotonic()
try:
    with hs.open({str(store.root)!r}) as store:
        store.write("t", {{"k": [2], "x": [1.5]}}, mode="upsert", timeout=30)
except KeyboardInterrupt:
    assert time.monotonic() - began < 5
    print("interrupted")
except hs.Unavailable as error:
    print("told:", error)
"""
    try:
        told = python(code)
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert told.startswith(("interrupted", "told:")), told
