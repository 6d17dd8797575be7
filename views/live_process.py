"""The process that draws a live picture: documents come on its standard input, line by line.

It draws at most every few seconds and a fifth of the time, at a low priority, and ends with its
input: when the parent is gone, so is it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import orjson
from matplotlib.figure import Figure

from ..storage import decode_line
from .live_figure import DPI, live_figure, live_layout
from .live_scan import LiveScan, LiveView

NICE = 10  # the scan goes before
REST = 4  # times as long as a drawing took, before the next
POLL = 0.1  # s


@dataclass(frozen=True)
class Drawing:
    """How a live picture is drawn.

    Attributes
    ----------
    path : str or None
        The PNG that is written anew with each drawing.
    every : float
        Seconds from one drawing to the next, at least.
    shape : float
        Width over height that it should come near to.
    window : bool
        Whether it is shown in a window of its own.
    current : str or None
        Data key of the ring current.
    """

    path: str | None
    every: float
    shape: float
    window: bool
    current: str | None


class Easel:
    """Draws what the documents say, when it is time.

    Parameters
    ----------
    drawing : Drawing
    """

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self._scan: LiveScan | None = None
        self._window: Figure | None = None
        self._news = False
        self._next = 0.0

    def take(self, name: str, doc: dict[str, Any]) -> None:
        """Take one document."""
        if name == "start":
            self._scan = LiveScan(doc, self._drawing.current)
        elif self._scan is not None:
            self._scan(name, doc)
            self._news = True
        if name == "stop":
            self._next = 0.0

    def draw(self, *, at_once: bool = False) -> bool:
        """Draw, where there is something new and it is time, or at once; whether it was done."""
        began = time.monotonic()
        if self._scan is None or not self._news or (began < self._next and not at_once):
            return False
        view, self._news = self._scan.view(), False
        if view is None:
            return False
        self._show(view)
        now = time.monotonic()
        self._next = now + max(self._drawing.every, REST * (now - began))
        return True

    def rest(self) -> bool:
        """Let the window live for a moment; False when it has been closed."""
        if self._window is None:
            return True
        from matplotlib import pyplot  # heavy, and of no use without a window

        self._window.canvas.start_event_loop(POLL)
        return pyplot.fignum_exists("skysteer")

    def _show(self, view: LiveView) -> None:
        if self._drawing.window and self._window is None:
            self._window = _open_window(view, self._drawing.shape)
        figure = live_figure(view, self._drawing.shape, self._window)
        if self._window is not None:
            figure.canvas.draw_idle()
        if self._drawing.path is not None:
            _write(figure, Path(self._drawing.path))


def _open_window(view: LiveView, shape: float) -> Figure:
    from matplotlib import pyplot

    layout = live_layout(view, shape)
    figure = pyplot.figure("skysteer", (layout.width, layout.height), DPI)
    pyplot.show(block=False)
    return figure


def _write(figure: Figure, path: Path) -> None:
    """Write the picture; who looks meanwhile sees the old one, whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        figure.savefig(part, format="png", dpi=figure.dpi, facecolor="white")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _serve(easel: Easel, lines: SimpleQueue[bytes]) -> None:
    """Draw until the input ends, and once more, or until the window is closed."""
    ended = False
    while not ended and easel.rest():
        over = False
        for line in _arrived(lines):
            ended = ended or not line
            if line:
                name, doc = decode_line(line)
                easel.take(name, doc)
                over = over or name == "stop"
        if easel.draw(at_once=ended):
            print("drawn", flush=True)
        if over:
            print("done", flush=True)


def _arrived(lines: SimpleQueue[bytes]) -> Iterator[bytes]:
    """What has come, after a moment in which something may come."""
    with contextlib.suppress(Empty):
        yield lines.get(timeout=POLL)
        while True:
            yield lines.get_nowait()


def _read(lines: SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    lines.put(b"")


def _main() -> None:
    os.nice(NICE)
    drawing = Drawing(**orjson.loads(sys.argv[1]))
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            _serve(Easel(drawing), lines)
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            print(f"skysteer: the live picture ends, the scan goes on: {words}", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    _main()
