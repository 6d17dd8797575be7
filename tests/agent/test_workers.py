"""A worker: its answers, its errors, its death, and that it outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from skysteer.workers import LocalWorker, Worker, WorkerDiedError, WorkerError

TARGET = """
import os, subprocess, sys, time


class Target:
    def __init__(self, start=0):
        if start is None:
            raise ValueError("a start is needed")
        self.total = start

    def add(self, number):
        self.total += number
        return self.total

    def echo(self, what):
        return what

    def chatter(self):
        print("a stray line")
        print('{"result": "forged"}', flush=True)
        os.write(1, b"from below\\n")
        subprocess.run(["echo", "from a child"], check=True)
        return "the answer"

    def fail(self):
        raise KeyError("no such motor")

    def unspeakable(self):
        return object()

    def leave(self):
        sys.exit(3)

    def sleep(self, seconds):
        time.sleep(seconds)

    def threads(self):
        import numpy as np
        import torch
        from threadpoolctl import threadpool_info

        np.ones((2, 2)) @ np.ones((2, 2))
        return [torch.get_num_threads()] + [pool["num_threads"] for pool in threadpool_info()]
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Worker]]:
    """A factory of workers that hold a Target; all end with the test."""
    (tmp_path / "worker_target.py").write_text(TARGET)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = []

    def make(*args: Any) -> Worker:
        workers.append(Worker("worker_target:Target", *args))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def answer(worker: Worker, method: str, *args: Any) -> Any:
    return worker.call(method, *args).result(60)


def gone(pid: int, within: float = 60.0) -> bool:
    """Whether a process ends; a zombie that nobody has waited for has ended too."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_calls_are_answered_in_their_order_by_one_object(start: Callable[..., Worker]) -> None:
    worker = start(100)
    futures = [worker.call("add", k) for k in range(20)]
    expected = [100 + sum(range(k + 1)) for k in range(20)]
    assert [future.result(60) for future in futures] == expected


def test_the_object_lives_in_another_process(start: Callable[..., Worker]) -> None:
    worker = start()
    answer(worker, "echo", None)
    assert worker.pid != os.getpid()
    assert psutil.Process(worker.pid).ppid() == os.getpid()


@pytest.mark.parametrize("what", [None, "µm \n \u2028", [1, [2.5, "x"], {}], "a" * 2_000_000])
def test_whatever_json_holds_comes_back(start: Callable[..., Worker], what: Any) -> None:
    assert answer(start(), "echo", what) == what


def test_what_the_object_prints_is_not_taken_for_its_answer(start: Callable[..., Worker]) -> None:
    worker = start()
    assert answer(worker, "chatter") == "the answer"
    assert answer(worker, "echo", 1) == 1


def test_an_error_comes_with_its_message_and_its_traceback(start: Callable[..., Worker]) -> None:
    worker = start()
    with pytest.raises(WorkerError, match=r"KeyError: 'no such motor'") as error:
        answer(worker, "fail")
    assert "worker_target.py" in error.value.worker_traceback
    assert answer(worker, "add", 5) == 5


@pytest.mark.parametrize("method", ["unspeakable", "no_such_method"])
def test_a_call_that_cannot_be_answered_fails_alone(
    start: Callable[..., Worker], method: str
) -> None:
    worker = start()
    with pytest.raises(WorkerError):
        answer(worker, method)
    assert answer(worker, "add", 5) == 5


def test_an_object_that_cannot_be_made_fails_every_call_with_its_reason(
    start: Callable[..., Worker],
) -> None:
    worker = start(None)
    for _ in range(2):
        with pytest.raises(WorkerError, match="ValueError: a start is needed"):
            answer(worker, "add", 1)


def test_a_killed_worker_fails_the_call_under_way_and_those_after(
    start: Callable[..., Worker],
) -> None:
    worker = start()
    answer(worker, "echo", 1)
    under_way, waiting = worker.call("sleep", 600), worker.call("echo", 2)
    os.kill(worker.pid, signal.SIGKILL)
    for future in (under_way, waiting, worker.call("echo", 3)):
        with pytest.raises(WorkerDiedError, match="status -9"):
            future.result(60)


def test_an_object_that_exits_is_a_worker_that_died(start: Callable[..., Worker]) -> None:
    with pytest.raises(WorkerDiedError, match="status 3"):
        answer(start(), "leave")


def test_closing_ends_the_process_and_fails_the_call_under_way(
    start: Callable[..., Worker],
) -> None:
    worker = start()
    answer(worker, "echo", 1)
    under_way, threads = worker.call("sleep", 600), threading.active_count()
    worker.close()
    with pytest.raises(WorkerDiedError):
        under_way.result(0)
    assert not psutil.pid_exists(worker.pid)
    assert threading.active_count() < threads
    worker.close()


def test_a_worker_has_one_numerical_thread(start: Callable[..., Worker]) -> None:
    threads = answer(start(), "threads")
    assert len(threads) > 1
    assert set(threads) == {1}


def test_ctrl_c_at_the_terminal_is_not_for_the_worker(start: Callable[..., Worker]) -> None:
    worker = start()
    answer(worker, "echo", 1)
    assert os.getpgid(worker.pid) != os.getpgid(0)


def test_a_worker_goes_with_its_parent_even_after_kill_9(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    script = (
        "import time\n"
        "from skysteer.workers import Worker\n"
        "worker = Worker('worker_target:Target')\n"
        "worker.call('echo', 1).result(60)\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()  # pyright: ignore
    assert gone(pid)


def test_a_local_worker_calls_in_a_thread_and_fails_as_a_worker_does() -> None:
    class Target:
        def where(self) -> int:
            return threading.get_ident()

        def fail(self) -> None:
            raise KeyError("no such motor")

    worker = LocalWorker(Target)
    try:
        assert worker.call("where").result(60) != threading.get_ident()
        with pytest.raises(WorkerError, match="KeyError: 'no such motor'"):
            worker.call("fail").result(60)
    finally:
        worker.close()


def test_a_local_worker_is_made_in_its_thread_and_says_why_it_could_not_be() -> None:
    made_in: list[int] = []

    def make(name: str) -> str:
        made_in.append(threading.get_ident())
        return {"good": "an object"}[name]

    good, bad = LocalWorker(make, "good"), LocalWorker(make, "bad")
    try:
        assert good.call("upper").result(60) == "AN OBJECT"
        for _ in range(2):
            with pytest.raises(WorkerError, match="KeyError: 'bad'"):
                bad.call("upper").result(60)
        assert threading.get_ident() not in made_in and len(made_in) == 2
    finally:
        good.close()
        bad.close()


def test_a_worker_in_the_middle_of_a_call_ends_with_its_parent() -> None:
    code = (
        "import sys, time; from skysteer.workers import Worker; w = Worker('time:localtime');"
        "w2 = Worker('importlib:import_module', 'time'); w2.call('sleep', 60);"
        "time.sleep(1); print(w2.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    worker.wait(timeout=20)


def test_an_object_that_reads_its_input_eats_no_request() -> None:
    worker = Worker("importlib:import_module", "builtins")
    try:
        reading = worker.call("input")
        following = worker.call("len", [1, 2])
        assert "EOFError" in str(reading.exception(30))
        assert following.result(30) == 2
    finally:
        worker.close()
