"""The live picture of a scan, as a document callback that costs the scan next to nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from event_model import EventPage, unpack_event_page

from ..agent import scanned_grid
from .easel import AT_EXIT, EaselProcess, NotebookImage, in_notebook

SMALL = 1000  # numbers of a reading; what has more is no part of the picture


class LiveMap:
    """Shows a scan while it runs: map, expected error, path, next targets and why, stop rule.

    A callback for any plan that scans a grid of two axes (``adaptive_scan``, ``grid_scan``,
    ``list_grid_scan``, or one of your own with ``shape``, ``extents`` and ``hints`` in its start
    document); other runs it leaves alone.  The picture is drawn by a process of its own: the
    RunEngine's thread hands over each document and goes on.

    Parameters
    ----------
    path : path, optional
        A PNG that is written anew with each drawing, in one step. ``live.png`` in the working
        directory, where there is neither a window nor a notebook.
    every : float
        Seconds from one drawing to the next, at least.
    shape : float
        Width over height that the picture should come near to: 1.6 for a screen, 0.5 for a
        narrow column.
    window : bool, optional
        Whether it opens a window, with matplotlib's backend of your choice (``MPLBACKEND``);
        by default where there is a display and no notebook.
    current : str, optional
        Data key of the ring current; a number whose key ends with ``current``, where not given.

    Raises
    ------
    ValueError
        If `every` or `shape` is not above 0.
    FileNotFoundError
        If the folder of `path` is not there.

    Examples
    --------
    For every run from now on: ``RE.subscribe(LiveMap())``; for one: ``RE(plan, LiveMap())``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        every: float = 2.0,
        shape: float = 1.6,
        window: bool | None = None,
        current: str | None = None,
    ) -> None:
        for name, number in (("every", every), ("shape", shape)):
            if not number > 0:
                raise ValueError(f"{name} must be above 0, but {number} came")
        notebook = in_notebook() and not window
        has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        self._window = has_display and not notebook if window is None else window
        self.path = _picture(path, needed=not self._window)
        self._show = NotebookImage(self.path).show if notebook and self.path else _nothing
        self._drawing = {
            "path": None if self.path is None else str(self.path),
            "every": every,
            "shape": shape,
            "window": self._window,
            "current": current,
        }
        self._easel: EaselProcess | None = None
        self._run: str | None = None
        self._keys: dict[str, list[str]] = {}

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document of a RunEngine."""
        if name == "start":
            self._begin(doc)
        elif self._easel is None or self._run is None:
            return
        elif name == "descriptor" and doc["run_start"] == self._run:
            self._keys[doc["uid"]] = [k for k, v in doc["data_keys"].items() if _is_small(v)]
            self._easel.send(name, doc)
        elif name == "event" and doc["descriptor"] in self._keys:
            self._easel.send(name, self._slim(doc))
        elif name == "event_page" and doc["descriptor"] in self._keys:
            for event in unpack_event_page(cast(EventPage, doc)):
                self._easel.send("event", self._slim(event))
        elif name == "stop" and doc["run_start"] == self._run:
            self._easel.send(name, doc)
            self._end()

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait for the last picture of the latest run.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it is drawn, or never will be.
        """
        return self._easel is None or self._easel.done.wait(timeout)

    def close(self, timeout: float = AT_EXIT) -> None:
        """End the picture, a window with it.

        Parameters
        ----------
        timeout : float
            Seconds that the last drawing may take.
        """
        easel, self._easel, self._run = self._easel, None, None
        if easel is not None:
            easel.close(timeout)

    def _begin(self, start: Mapping[str, Any]) -> None:
        """Start to draw a run, unless it is no map or another one is still open."""
        if self._run is not None:
            return
        with contextlib.suppress(ValueError):
            scanned_grid(start)
            if self._easel is None or not self._easel.open:
                self._easel = EaselProcess(self._drawing, self._show)
            self._easel.begin(start)
            self._run, self._keys = start["uid"], {}

    def _end(self) -> None:
        """The run is over: a window stays, a picture's process draws once more and goes."""
        self._run = None
        if self._easel is not None and not self._window:
            self._easel.end()

    def _slim(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """An event without what no picture shows: frames, timestamps."""
        data = event["data"]
        kept = {key: data[key] for key in self._keys[event["descriptor"]] if key in data}
        return {
            "descriptor": event["descriptor"],
            "seq_num": event["seq_num"],
            "time": event["time"],
            "data": kept,
        }


def _is_small(data_key: Mapping[str, Any]) -> bool:
    size = 1
    for length in data_key.get("shape") or ():
        size *= length or SMALL + 1
    return size <= SMALL and "external" not in data_key


def _picture(path: str | os.PathLike[str] | None, *, needed: bool) -> Path | None:
    if path is None and not needed:
        return None
    picture = Path(path or "live.png").absolute()
    if not picture.parent.is_dir():
        raise FileNotFoundError(f"no folder {picture.parent} to write {picture.name} to")
    return picture


def _nothing() -> None:
    """Where there is no notebook, nobody is told of a new drawing."""
