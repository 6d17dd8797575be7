"""Follows the runs of a folder from another process, by the journal that is being written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from event_model import EventPage, unpack_event_page

from ..agent import scanned_grid
from ..storage import as_one_run, decode_line, is_live, read_chain, read_journal_from
from .live_scan import LiveScan

AT_ONCE = 2000  # documents taken at one look: the page is to show something meanwhile
SILENT = 3.0  # s without a document, after which one asks whether the process is still there


class RunFollower:
    """Shows the latest map of a folder, as far as it has been measured.

    Parameters
    ----------
    folder : path
        The data folder, which need not be there yet.

    Attributes
    ----------
    run : FollowedRun or None
        The latest run that scans a grid of two axes; None while there is none.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._known: set[str] = set()
        self.run: FollowedRun | None = None

    def look(self) -> bool:
        """Take what is new; whether there was anything."""
        maps = [each for path in self._unknown() if (each := self._map(path))]
        if maps:
            began, path, start = max(maps, key=lambda each: each[0])
            if self.run is None or began >= self.run.began:
                self.run = FollowedRun(self._folder, path, start)
        return self.run is not None and self.run.look()

    def _map(self, path: Path) -> tuple[float, Path, Mapping[str, Any]] | None:
        """When a run of a map began; None of another, and while its first line is being written."""
        start = _start(path)
        if start is None:
            return None
        self._known.add(path.name)
        began = _time_of_map(start)
        return None if began is None else (began, path, start)

    def _unknown(self) -> Iterator[Path]:
        try:
            files = list(os.scandir(self._folder / "journal"))
        except FileNotFoundError:
            return
        for file in files:
            if file.name.endswith(".jsonl") and file.name not in self._known:
                yield Path(file.path)


class FollowedRun:
    """One run, and those that it goes on with, as their documents come.

    Parameters
    ----------
    folder : path
        The data folder.
    path : path
        The run's file.
    start : mapping
        Its start document.
    clock : callable
        Seconds that never go back.

    Attributes
    ----------
    scan : LiveScan
    began : float
        When this run began, seconds since 1970.
    ended : bool
        Whether it has a stop document.
    trouble : str
        Why no more can be read; empty while it can.
    """

    def __init__(
        self,
        folder: Path,
        path: Path,
        start: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.began, self.ended, self.trouble = float(start["time"]), False, ""
        self._path, self._offset, self._clock = path, 0, clock
        self._streams: dict[str, str] = {}
        self._before: dict[str, int] = {}  # events of the runs that this one goes on with
        self._heard, self._live = clock(), True
        self.scan = self._with_past(folder, start)

    def look(self) -> bool:
        """Take what is new; whether there was anything."""
        if self.ended or self.trouble:
            return False
        try:
            documents, self._offset = read_journal_from(self._path, self._offset, AT_ONCE)
            for name, doc in documents:
                self._take(name, doc)
        except (OSError, ValueError, KeyError) as error:
            self.trouble = " ".join(str(error).split())
            return True
        if documents:
            self._heard, self._live = self._clock(), True
        return bool(documents)

    @property
    def live(self) -> bool:
        """Whether its process is still there, as far as that matters."""
        if not self.ended and self._live and self._clock() - self._heard > SILENT:
            self._heard = self._clock()
            self._live = is_live(self._path)
        return self._live and not self.ended

    def _with_past(self, folder: Path, start: Mapping[str, Any]) -> LiveScan:
        """The scan with all that the runs before this one have measured, if they can be found."""
        if not start.get("resumed_from"):
            return LiveScan(start)
        try:
            chain = read_chain(folder, start["uid"])
            _, whole = next(as_one_run(chain))
            past = [each for each in as_one_run(chain[:-1]) if each[0] in ("descriptor", "event")]
        except (KeyError, OSError, ValueError):
            return LiveScan(start)
        scan, streams = LiveScan(whole), {}
        for name, doc in past:
            scan(name, doc)
            if name == "descriptor":
                streams[doc["uid"]] = doc["name"]
            else:
                self._before[streams[doc["descriptor"]]] = doc["seq_num"]
        return scan

    def _take(self, name: str, doc: Mapping[str, Any]) -> None:
        if name == "descriptor":
            self._streams[doc["uid"]] = doc["name"]
            self.scan(name, doc)
        elif name == "event_page":
            for event in unpack_event_page(cast(EventPage, doc)):
                self._take("event", event)
        elif name == "event":
            before = self._before.get(self._streams[doc["descriptor"]], 0)
            self.scan(name, {**doc, "seq_num": before + doc["seq_num"]})
        elif name == "stop":
            self.ended = True
            self.scan(name, doc)


def _start(path: Path) -> dict[str, Any] | None:
    """The start document of a file; None while it is not there in whole, empty of nonsense."""
    with open(path, "rb") as file:
        line = file.readline()
    try:
        return decode_line(line)[1] if line.endswith(b"\n") else None
    except ValueError:
        return {}


def _time_of_map(start: Mapping[str, Any]) -> float | None:
    try:
        scanned_grid(start)
        return float(start["time"])
    except (ValueError, KeyError, TypeError):
        return None
