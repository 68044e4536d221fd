"""The package beside other threads, processes, signals and bars."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import hypostyle as hs
from support import assert_same, command, environment, hours, python, write_weather

Large = tuple[Path, dict[str, object]]
TABLES: Any = {"wind": ["speed_80m"], "load": ["mw"]}
EXPECTED = pl.DataFrame({"ts": hours(2, 46), "speed_80m": [46.0, 47.0], "mw": [92.0, 94.0]})


def test_python_goes_on_while_a_join_works(large: Large) -> None:
    folder, spec = large
    store = hs.open(folder)
    done = threading.Event()
    steps: list[float] = []

    def count() -> None:
        while not done.is_set():
            steps.append(time.perf_counter())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    began = time.perf_counter()
    try:
        with pytest.raises(hs.Timeout):
            store.join(spec, timeout=0.6)
    finally:
        ended = time.perf_counter()
        done.set()
        counter.join()
    during = [began, *(step for step in steps if began < step < ended), ended]
    longest = max(b - a for a, b in itertools.pairwise(during))
    print(f"{len(during)} steps in {ended - began:.3f} s, at most {longest:.3f} s apart")
    assert len(during) > 50
    assert longest < 0.3


def test_a_deadline_is_kept_within_a_fraction_of_a_second(large: Large) -> None:
    folder, spec = large
    store = hs.open(folder)
    for timeout in (0.05, 0.3):
        began = time.perf_counter()
        with pytest.raises(hs.Timeout):
            store.join(spec, timeout=timeout)
        late = time.perf_counter() - began - timeout
        print(f"timeout={timeout}: {late * 1000:.0f} ms late")
        assert late < 0.5


INTERRUPTED = """
import json, sys, time
import hypostyle as hs
store = hs.open(sys.argv[1])
spec = json.loads(sys.argv[2])
print("joining", flush=True)
try:
    store.join(spec)
except KeyboardInterrupt:
    print(time.time(), flush=True)
else:
    print("the join ended", flush=True)
# What was told to stop holds nobody up, and the store is as good as before.
store.join({"key": "id", "tables": [{"name": "a", "columns": ["x"]}], "rows": {"last": 3}})
print("again", flush=True)
"""


def test_ctrl_c_ends_a_long_join(large: Large) -> None:
    folder, spec = large
    for _ in range(3):
        asked = command(INTERRUPTED, folder, json.dumps(spec))
        with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env=environment()) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline() == "joining\n"
                time.sleep(0.3)
                sent = time.time()
                child.send_signal(signal.SIGINT)
                answer = child.stdout.readline()
                assert answer != "the join ended\n"
                took = float(answer) - sent
                print(f"KeyboardInterrupt {took * 1000:.0f} ms after the signal")
                assert took < 1
                assert child.stdout.readline() == "again\n"
                assert child.wait(30) == 0
            finally:
                child.kill()


def test_threads_get_equal_answers(root: Path) -> None:
    store = hs.open(root)
    start = threading.Barrier(16)

    def work(number: int) -> int:
        start.wait()
        for turn in range(40):
            if turn % 8 == number % 8:
                assert_same(hs.open(root).join(key="ts", tables=TABLES, last=2), EXPECTED)
            elif turn % 2:
                assert_same(store.join(key="ts", tables=TABLES, last=2, threads=1 + number % 3), EXPECTED)
            else:
                frame = store.join(
                    spine={"ts": hours(2, 46)}, features=["wind:speed_80m", "load:mw"], key="ts"
                )
                assert_same(frame, EXPECTED)
        return number

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(work, range(16))) == list(range(16))


def test_one_frame_serves_many_threads(store: hs.Store) -> None:
    frame = store.join(key="ts", tables=TABLES)

    def work(_: int) -> tuple[Any, ...]:
        array, _names = frame.to_numpy()
        return (
            array.sum(),
            frame.to_polars()["mw"].sum(),
            sum(frame["mw"].to_list()),
            repr(frame),
            len(frame.copy()),
        )

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(100)))) == 1


def test_a_store_that_is_closed_while_others_join_breaks_no_join(root: Path) -> None:
    store = hs.open(root)
    ended: list[str] = []

    def work() -> None:
        try:
            while True:
                assert_same(store.join(key="ts", tables=TABLES, last=2), EXPECTED)
        except hs.InvalidRequest as error:
            ended.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    store.close()
    for thread in threads:
        thread.join(30)
    assert len(ended) == 4


FORK = """
import os, signal, sys, threading, time
import hypostyle as hs

store = hs.open(sys.argv[1])
def join(store=store):
    frame = store.join(key="ts", tables={"wind": ["speed_80m"], "load": ["mw"]}, last=2, timeout=20)
    assert frame["mw"].to_list() == [92.0, 94.0]
    return frame

def wait_for(children):
    until = time.monotonic() + 60
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            children.remove(pid)
            assert status == 0, f"child {pid} ended with {status}"
        elif time.monotonic() > until:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            raise SystemExit(f"{len(children)} children hang")
        else:
            time.sleep(0.01)

def fork(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(50)
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(3)
        os._exit(0)
    return pid

def in_child():
    join()
    join(hs.open(sys.argv[1]))
    frame.to_numpy()
    assert frame["mw"].to_list() == [92.0, 94.0]
    # A child of a child, and threads in it.
    wait_for([fork(join)])
    threads = [threading.Thread(target=join) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]

frame = join()
"""


def test_forked_children_join(root: Path) -> None:
    code = FORK + "wait_for([fork(in_child) for _ in range(8)])\njoin()\nprint('fine')"
    assert python(code, root) == "fine\n"


def test_children_that_are_forked_while_other_threads_join_do_not_hang(root: Path) -> None:
    code = """
stop = threading.Event()
def busy():
    while not stop.is_set():
        join()
threads = [threading.Thread(target=busy) for _ in range(4)]
[t.start() for t in threads]
try:
    for _ in range(6):
        wait_for([fork(in_child) for _ in range(4)])
finally:
    stop.set()
    [t.join() for t in threads]
join()
print("fine")
"""
    assert python(FORK + code, root) == "fine\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_stores_and_frames_go_to_other_processes(root: Path, method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
import multiprocessing, sys
import hypostyle as hs

def work(store):
    return store.join(key="ts", tables={"load": ["mw"]}, last=2)

if __name__ == "__main__":
    store = hs.open(sys.argv[1])
    frame = work(store)
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        frames = pool.map_async(work, [store] * 6).get(60)
    assert [f["mw"].to_list() for f in frames] == [frame["mw"].to_list()] * 6
    print("fine")
""")
    done = subprocess.run(
        [sys.executable, str(script), str(root), method],
        capture_output=True,
        text=True,
        timeout=90,
        env=environment(),
    )
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


def test_progress_is_told_to_a_function(store: hs.Store) -> None:
    told: list[tuple[int, int]] = []
    store.join(key="ts", tables=TABLES, progress=lambda done, planned: told.append((done, planned)))
    assert told
    assert all(0 <= done <= planned for done, planned in told)
    assert told == sorted(told)
    done, planned = told[-1]
    assert done == planned > 0


def test_an_error_of_the_function_ends_the_join(store: hs.Store, large: Large) -> None:
    def fail(done: int, planned: int) -> None:
        raise LookupError("the bar is broken")

    with pytest.raises(LookupError, match="the bar is broken"):
        store.join(key="ts", tables=TABLES, progress=fail)
    folder, spec = large
    began = time.perf_counter()
    with pytest.raises(LookupError, match="the bar is broken"):
        hs.open(folder).join(spec, progress=fail)
    assert time.perf_counter() - began < 5


def test_progress_is_shown_as_a_bar(root: Path) -> None:
    code = """
import sys
import hypostyle as hs
store = hs.open(sys.argv[1])
store.join(key="ts", tables={"load": ["mw"]}, progress=True)
"""
    done = subprocess.run(command(code, root), capture_output=True, text=True, env=environment(), check=True)
    assert "joining" in done.stderr
    assert done.stdout == ""


def test_files_that_are_let_go_of_are_closed(tmp_path: Path) -> None:
    write_weather(tmp_path)
    # A file that was written just now may still be, and is not kept open.
    for path in tmp_path.iterdir():
        os.utime(path, (1e9, 1e9))

    def held() -> int:
        links = (os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
        return sum(link.startswith(str(tmp_path)) for link in links)

    store = hs.open(tmp_path)
    frame = store.join(key="ts", tables=TABLES)
    assert held() > 0
    store.close()
    assert held() == 0
    assert len(frame) == 48
