"""A mount that is killed and comes back under a process that goes on joining."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import hypostyle as hs
from support import write_weather

TARGET = Path(__file__).resolve().parents[2] / "target"
JOINS = 1000
OUTAGES = 3
#: How long after the mount is back a join must have given a frame, in seconds.
RECOVERY = 1.0


class Mount:
    """A folder through the file system of ``fixtures/faultfs``, in a process of its own."""

    def __init__(self, program: Path, folder: Path, place: Path) -> None:
        self._command = [str(program), "--control", "--no-guard", str(folder), str(place)]
        self._place = place
        self.start()

    def start(self) -> None:
        """Mount; what is left of a mount that was killed is removed first."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ok":
            pytest.skip("nothing can be mounted here")

    def kill(self) -> None:
        """End it as an outage does: the mount stays, and answers nothing."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def stop(self) -> None:
        """Let it answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def unmount(self) -> None:
        """Remove what is left."""
        commands = (["umount", "-l"], ["fusermount3", "-u", "-z"])
        for command in commands:
            if subprocess.run([*command, str(self._place)], check=False, capture_output=True).returncode == 0:
                return


@pytest.fixture
def program() -> Path:
    """Give the file system's program, which ``./test faults`` has built."""
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no /dev/fuse")
    built = [TARGET / profile / "hypostyle-faultfs" for profile in ("debug", "release")]
    found = [path for path in built if path.exists()]
    if not found:
        pytest.skip("cargo build -p hypostyle-faultfs has not run")
    return found[0]


def test_what_is_told_of_models_ends_in_time_when_the_mount_hangs(program: Path, tmp_path: Path) -> None:
    """The frame of a model had its deadline from the moment at which the model was found: before, it hung."""
    folder, place = tmp_path / "tables", tmp_path / "mount"
    folder.mkdir()
    place.mkdir()
    with hs.init(folder) as store:
        store.write("wind", {"ts": [1, 2], "speed": [0.5, 1.5]}, key="ts")
        store.models.put_many({f"m{n}": bytes(1_000) for n in range(10)}, features=["wind:speed"])
    mount = Mount(program, folder, place)
    try:
        with hs.open(place) as store:
            now = store.at(timeout=20)
            assert now.frame_for("m1", timeout=20).shape == (2, 2)
            ended: list[str] = []
            mount.stop()
            calls: dict[str, Callable[[], object]] = {
                "at": lambda: store.at(timeout=0.3),
                "list": lambda: store.models.list(timeout=0.3),
                "info": lambda: store.models.info("m2", timeout=0.3),
                "versions": lambda: store.models.versions("m2", timeout=0.3),
                "get": lambda: store.models.get("m2", timeout=0.3),
                "get_many": lambda: list(store.models.get_many(["m2"], timeout=0.3)),
                "save": lambda: store.models.save("m2", tmp_path / "out", timeout=0.3),
                "frame_for": lambda: store.frame_for("m2", timeout=0.3),
                "frame_for of a snapshot": lambda: now.frame_for("m3", timeout=0.3),
            }
            for what, call in calls.items():
                begun = time.monotonic()
                # Of a snapshot that was looked up some may be known here, or to the kernel.
                try:
                    call()
                    ended.append(what)
                except hs.Timeout:
                    pass
                assert time.monotonic() - begun < 3, what
            assert not {*ended} - {"frame_for of a snapshot"}
            mount.go_on()
            assert store.frame_for("m2", timeout=20).shape == (2, 2)
    finally:
        mount.kill()
        mount.unmount()


def test_joins_outlive_their_mount_and_go_on_within_a_second(program: Path, tmp_path: Path) -> None:
    """A thousand joins in one process give the right frame or a typed error, whatever the mount does."""
    folder, place = tmp_path / "tables", tmp_path / "mount"
    folder.mkdir()
    place.mkdir()
    write_weather(folder)
    tables = {"wind": ["speed_80m"], "load": ["mw"]}
    with hs.open(folder) as store:
        expected = pl.DataFrame(store.join(key="ts", tables=tables))
    mount = Mount(program, folder, place)
    back: list[float] = []

    def outages() -> None:
        for _ in range(OUTAGES):
            time.sleep(RECOVERY)
            mount.kill()
            time.sleep(0.15)
            mount.unmount()
            mount.start()
            back.append(time.monotonic())
        time.sleep(RECOVERY)

    frames: list[float] = []
    errors: Counter[str] = Counter()
    killer = threading.Thread(target=outages)
    try:
        with hs.open(place) as store:
            killer.start()
            while killer.is_alive() or len(frames) < JOINS:
                try:
                    frame = store.join(key="ts", tables=tables, timeout=2)
                except (hs.Unavailable, hs.Timeout, hs.Changed, hs.NotFound) as error:
                    errors[type(error).__name__] += 1
                    time.sleep(0.002)
                else:
                    frames.append(time.monotonic())
                    assert len(frames) % 50 or pl.DataFrame(frame).equals(expected)
    finally:
        killer.join()
        mount.kill()
        mount.unmount()
    recoveries = [min((at for at in frames if at > since), default=since + 9) - since for since in back]
    print(
        f"{len(frames)} joins, {len(back)} outages, errors meanwhile {dict(errors)}, recoveries {recoveries}"
    )
    assert len(back) == OUTAGES
    assert max(recoveries) <= RECOVERY
