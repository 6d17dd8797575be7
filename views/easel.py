"""Where a live picture is drawn: a process of its own, fed by a thread, and a notebook's output."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import orjson

from ..storage import encode_line

AT_EXIT = 10.0  # s that the last picture may take when the interpreter ends
GATHER = 0.25  # s in which documents gather: a thread that wakes for each one disturbs the scan


class EaselProcess:
    """A process that draws (`skysteer.views.live_process`).

    Documents are handed over in the caller's thread, and encoded and written in another: the
    caller waits for nothing, however slow the drawing is.

    Parameters
    ----------
    drawing : mapping
        Fields of `live_process.Drawing`.
    drawn : callable
        Called after each drawing, in a thread of its own.

    Attributes
    ----------
    done : threading.Event
        Set when the last picture of the latest run is drawn, or when the process has ended.
    """

    def __init__(self, drawing: Mapping[str, Any], drawn: Callable[[], None]) -> None:
        self.done = threading.Event()
        self.open = True
        self._drawn = drawn
        self._documents: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [
            *(sys.executable, "-P", "-m", "skysteer.views.live_process"),
            orjson.dumps(drawing).decode(),
        ]
        self._thread = threading.Thread(target=self._feed, name="live-picture", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take the start document of a new run."""
        self.done.clear()
        self.send("start", start)

    def send(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document; of a process that has ended none."""
        if self.open:
            self._documents.append((name, doc))

    def end(self) -> None:
        """Nothing more comes: draw what is left, and end."""
        self.open = False
        self._ended.set()

    def close(self, timeout: float = AT_EXIT) -> None:
        """End it, and wait for that; kill it when it is still there after so many seconds."""
        self.end()
        self._thread.join(timeout)
        if self._process is not None:
            self._process.kill()

    def _feed(self) -> None:
        with subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the scan
        ) as process:
            self._process = process
            listener = threading.Thread(
                target=self._listen, args=(process.stdout,), name="live-picture-drawn", daemon=True
            )
            listener.start()
            try:
                self._write(cast(IO[bytes], process.stdin))
            except BrokenPipeError:
                pass  # it has ended, and said why
            except TypeError as error:  # a document with something in it that has no JSON
                print(f"skysteer: no live picture, the scan goes on: {error}", file=sys.stderr)
            self.open = False
            with contextlib.suppress(BrokenPipeError):
                cast(IO[bytes], process.stdin).close()
            listener.join()
        atexit.unregister(self.close)

    def _write(self, pipe: IO[bytes]) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(GATHER)  # before the look: what came before the end is seen
            while self._documents:
                pipe.write(encode_line(*self._documents.popleft()))
            pipe.flush()

    def _listen(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            if line == b"drawn\n":
                self._drawn()
            else:
                self.done.set()
        self.open = False
        self.done.set()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookImage:
    """The picture in a cell's output, replaced with each drawing.

    Parameters
    ----------
    path : Path
        The PNG.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: Any = None

    def show(self) -> None:
        """Show the picture as it is now."""
        from IPython.display import Image, display

        image = Image(data=self._path.read_bytes(), format="png", width=960)
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)
