"""What a journal's documents amount to: the runs of a folder, whole and without doubles."""

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from event_model import EventPage, unpack_event_page

from .destination import Destination
from .encoding import decode_line
from .journal import SUFFIX, Document, is_live

DIED = "the process that measured this run ended before the run did"
"""The reason given in the stop document that such a run gets."""

TAIL = 65536
"""Bytes at the end of a file in which its stop document is found; one takes some 300."""


@dataclass(frozen=True)
class JournalEntry:
    """One run of a journal folder.

    Parameters
    ----------
    path : Path
        Its file.
    start : dict
        Its start document.
    stop : dict or None
        Its stop document, None while there is none.
    live : bool
        Whether some process is still writing it.
    """

    path: Path
    start: dict[str, Any]
    stop: dict[str, Any] | None
    live: bool

    @property
    def uid(self) -> str:
        return self.start["uid"]

    @property
    def status(self) -> str:
        """``success``, ``abort`` or ``fail`` as the run ended; ``running``; or ``unfinished``."""
        if self.stop:
            return self.stop["exit_status"]
        return "running" if self.live else "unfinished"


def list_runs(folder: str | os.PathLike[str]) -> list[JournalEntry]:
    """List the runs in a data folder's journal, the oldest first.

    Reads the beginning and the end of each file only. A file without a whole start document (it
    is just being written) is left out.

    Parameters
    ----------
    folder : path
        The data folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    """
    entries = [_entry(path) for path in Destination.existing(folder).journal.glob(f"*{SUFFIX}")]
    return sorted((entry for entry in entries if entry), key=lambda entry: entry.start["time"])


def _entry(path: Path) -> JournalEntry | None:
    live = is_live(path)  # asked before reading: a run that stops in between is seen as stopped
    with open(path, "rb") as file:
        start = _document(file.readline(), "start")
        file.seek(max(path.stat().st_size - TAIL, 0))
        last = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
    return JournalEntry(path, start, _document(last, "stop"), live) if start else None


def _document(line: bytes, expected: str) -> dict[str, Any] | None:
    try:
        name, document = decode_line(line)
    except ValueError:
        return None
    return document if name == expected else None


def unpacked(documents: Iterable[Document]) -> list[Document]:
    """Replace each page of events by its events."""
    return [
        each
        for name, document in documents
        for each in (
            [("event", dict(event)) for event in unpack_event_page(cast(EventPage, document))]
            if name == "event_page"
            else [(name, document)]
        )
    ]


def last_wins(documents: Iterable[Document]) -> list[Document]:
    """Keep each event once: the last of those with the same stream and ``seq_num``.

    The RunEngine emits events again after it has rewound to a checkpoint; the later reading is
    the one that the plan went on with.

    Parameters
    ----------
    documents : iterable of (name, document)
        Of one run or several, pages of events among them.

    Returns
    -------
    list of (name, document)
        The same in the same order, pages unpacked, without the events that were overtaken.
    """
    documents = unpacked(documents)
    kept = {event_key: place for place, event_key in _event_keys(documents)}
    overtaken = {place for place, event_key in _event_keys(documents) if kept[event_key] != place}
    return [each for place, each in enumerate(documents) if place not in overtaken]


def complete(documents: Iterable[Document], reason: str) -> list[Document]:
    """Close an unfinished run with a stop document.

    Parameters
    ----------
    documents : iterable of (name, document)
        Of one run, its start first.
    reason : str
        Why there was none, for the stop document's ``reason``.

    Returns
    -------
    list of (name, document)
        The same; where the stop document was missing, it follows, with exit status ``abort``, the
        time of the last document and the number of distinct events of each stream.
    """
    documents = list(documents)
    if not documents or documents[-1][0] == "stop":
        return documents
    run = documents[0][1]["uid"]
    events: dict[str, set[int]] = {}
    for _, (_, stream, number) in _event_keys(unpacked(documents)):
        events.setdefault(stream, set()).add(number)
    stop = {
        # follows from the run's: whoever closes the run writes the same document
        "uid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"stop of {run}")),
        "time": max(_times(documents)),
        "run_start": run,
        "exit_status": "abort",
        "reason": reason,
        "num_events": {stream: len(numbers) for stream, numbers in events.items()},
    }
    return [*documents, ("stop", stop)]


def _event_keys(documents: list[Document]) -> list[tuple[int, tuple[str, str, int]]]:
    """Give place, and (run, stream, seq_num), of each event."""
    streams = {d["uid"]: (d["run_start"], d["name"]) for n, d in documents if n == "descriptor"}
    return [
        (place, (*streams[document["descriptor"]], document["seq_num"]))
        for place, (name, document) in enumerate(documents)
        if name == "event"
    ]


def _times(documents: list[Document]) -> list[float]:
    return [document["time"] for _, document in unpacked(documents) if "time" in document]
