"""A worker: one object in a process of its own, with one numerical thread, called from here.

The process is a fresh interpreter (`python -m skysteer.workers`), never a fork: a process that is
forked after Channel Access or torch have started hangs. Requests and answers are lines of JSON on
its standard input and output; nothing is pickled, and when the parent is gone (even by kill -9) the
input ends and the worker with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from functools import partial
from operator import methodcaller
from queue import SimpleQueue
from typing import Any, BinaryIO, Protocol

import orjson

ONE_THREAD: dict[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class WorkerDiedError(RuntimeError):
    """The worker's process is gone."""


class WorkerError(RuntimeError):
    """The object in the worker raised; the message is its own, the traceback an attribute."""

    def __init__(self, message: str, worker_traceback: str = "") -> None:
        super().__init__(message)
        self.worker_traceback = worker_traceback


class Caller(Protocol):
    """What `Worker` and `LocalWorker` have in common."""

    def call(self, method: str, *args: Any) -> Future[Any]:
        """Call a method of the object; its result comes by the future."""
        ...

    def close(self) -> None:
        """End it; calls under way fail."""
        ...


class Worker:
    """An object in a process of its own.

    Parameters
    ----------
    factory : str
        ``module:callable`` that makes the object.
    *args
        JSON-able arguments of the factory.

    Notes
    -----
    Calls are answered in their order.  The object is made in the background: the first call waits
    for it, the constructor does not.
    """

    def __init__(self, factory: str, *args: Any) -> None:
        order = orjson.dumps({"make": factory, "args": args}, option=_JSON)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skysteer.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,  # Ctrl-C at the terminal is for the RunEngine alone
        )
        self._thread.submit(self._exchange, order)

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    def call(self, method: str, *args: Any) -> Future[Any]:
        """Call a method of the object with JSON-able arguments; its result comes by the future."""
        request = orjson.dumps({"call": method, "args": args}, option=_JSON)
        return self._thread.submit(self._exchange, request)

    def close(self) -> None:
        """End the process; calls under way fail with WorkerDiedError."""
        self._process.kill()
        self._process.wait()
        self._thread.shutdown(wait=True)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # pyright: ignore[reportOptionalMemberAccess]

    def _exchange(self, request: bytes) -> Any:
        assert self._process.stdin and self._process.stdout  # noqa: S101  (both are pipes)
        try:
            self._process.stdin.write(request + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except (OSError, ValueError):
            answer = b""
        if not answer.endswith(b"\n"):
            status = self._process.wait()
            raise WorkerDiedError(f"the worker's process ended (status {status})")
        reply = orjson.loads(answer)
        if "error" in reply:
            raise WorkerError(reply["error"], reply["traceback"])
        return reply["result"]


class LocalWorker:
    """An object of this process, called in a thread: for one that no other process can import.

    Parameters
    ----------
    make : callable
        Makes the object, in the thread: what it imports keeps nobody waiting. When it fails, so
        does every call.
    *args
        Its arguments.
    """

    def __init__(self, make: Callable[..., Any], *args: Any) -> None:
        self._make = partial(make, *args)
        self._calls: SimpleQueue[tuple[Future[Any], str, tuple[Any, ...]] | None] = SimpleQueue()
        self._unanswered: set[Future[Any]] = set()
        self._closed = False
        # daemon: a call that hangs must not keep the interpreter from ending
        threading.Thread(target=self._serve, name="local-worker", daemon=True).start()

    def call(self, method: str, *args: Any) -> Future[Any]:
        """Call a method of the object; its result comes by the future."""
        answer: Future[Any] = Future()
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        self._calls.put((answer, method, args))
        if self._closed:
            self._give_up()
        return answer

    def close(self) -> None:
        """End it; calls under way fail, and the thread ends when the object lets it go."""
        self._closed = True
        self._give_up()
        self._calls.put(None)

    def _give_up(self) -> None:
        for answer in list(self._unanswered):
            _settle(answer.set_exception, WorkerDiedError("the worker has been closed"))

    def _serve(self) -> None:
        target, failure = _attempt(self._make)
        for answer, method, args in iter(self._calls.get, None):
            if answer.done():
                continue
            result, error = None, failure
            if error is None:
                result, error = _attempt(methodcaller(method, *args), target)
            if error is None:
                _settle(answer.set_result, result)
            else:
                _settle(answer.set_exception, error)


def _attempt(do: Callable[..., Any], *args: Any) -> tuple[Any, WorkerError | None]:
    try:
        return do(*args), None
    except BaseException as error:  # SystemExit too: somebody waits for an answer
        return None, WorkerError(f"{type(error).__name__}: {error}", traceback.format_exc())


def _settle(settle: Callable[[Any], None], outcome: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # closed or cancelled in the meantime
        settle(outcome)


_JSON = orjson.OPT_SERIALIZE_NUMPY


def _serve(requests: Iterable[bytes], answers: BinaryIO) -> None:
    """Answer one request after the other."""
    target: Any = None
    failure: WorkerError | None = None
    for line in requests:
        request = orjson.loads(line)
        try:
            if "make" in request:
                target = _make(request["make"], request["args"])
                result = None
            elif failure is not None:
                raise failure
            else:
                result = getattr(target, request["call"])(*request["args"])
            answer = orjson.dumps({"result": result}, option=_JSON)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            if "make" in request:
                failure = WorkerError(message)
            if isinstance(error, WorkerError):
                message = str(error)
            answer = orjson.dumps({"error": message, "traceback": traceback.format_exc()})
        answers.write(answer + b"\n")
        answers.flush()


def _make(factory: str, args: list[Any]) -> Any:
    module, _, name = factory.partition(":")
    made = getattr(importlib.import_module(module), name)(*args)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    gc.freeze()  # else a full collection, in the middle of a call, looks through all of it: 0.1 s
    return made


def _arriving(source: BinaryIO) -> Iterator[bytes]:
    """Requests as they come; when the input ends the process does, in the middle of a call too."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        for line in source:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, name="requests", daemon=True).start()
    while True:
        yield lines.get()


def _main() -> None:
    # What the object prints must not be taken for an answer, nor what it reads from the requests.
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _serve(_arriving(requests), answers)


if __name__ == "__main__":
    _main()
