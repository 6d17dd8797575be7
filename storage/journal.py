"""The append-only journal: every document on disk before the plan goes on, a file for each run."""

import fcntl
import os
import threading
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from .destination import file_name
from .encoding import decode_line, encode_line

SUFFIX = ".jsonl"
DURABLE = frozenset({"start", "descriptor", "stop"})
"""Documents that are flushed to the medium: without them the events after them mean nothing."""

OF_RUN = frozenset({"descriptor", "resource", "stream_resource", "stop"})
"""Documents that name their run; the others name one of these."""

Document: TypeAlias = tuple[str, dict[str, Any]]


@dataclass
class _OpenRun:
    uid: str
    file: int
    path: Path
    size: int = 0
    references: list[str] = field(default_factory=list)


class Journal:
    """Append each document to ``<folder>/<run uid>.jsonl`` as it is emitted.

    Subscribe it before everything else (``RE.subscribe(journal)``): when the next subscriber or the
    plan sees a document, the operating system has it, so that not even kill -9 loses it. It may
    be called from any thread and for several open runs. While a run is open its file is locked,
    which is how others know that somebody is still writing it (`is_live`).

    Parameters
    ----------
    folder : path
        Where the files go; made if missing.

    Raises
    ------
    OSError
        From a call: the document could not be written (full disk, say). This is meant to fail the
        run. The file then ends with the last whole document.
    FileExistsError
        From a call: the run is already in this folder.
    RuntimeError
        From a call: the document belongs to no open run.
    ValueError
        From a call: the run's uid could name a file elsewhere.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open: dict[str, _OpenRun] = {}
        self._owners: dict[str, list[_OpenRun]] = {}
        # monitors emit from their own threads
        self._lock = threading.Lock()

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        line = encode_line(name, document)
        with self._lock:
            if name == "start":
                self._start(document, line)
                return
            owners = self._find(name, document)
            for run in owners:
                _append(run, line, durable=name in DURABLE)
            if name == "stop":
                self._stop(owners[0])

    def close(self) -> None:
        """Let go of runs that never got a stop document."""
        with self._lock:
            for run in list(self._open.values()):
                self._stop(run)

    def _start(self, document: dict[str, Any], line: bytes) -> None:
        path = self.folder / f"{file_name(document['uid'])}{SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            run = _OpenRun(document["uid"], os.open(path, flags, 0o644), path)
        except FileExistsError:
            raise FileExistsError(
                f"run {document['uid']} is already in the journal {self.folder}: "
                "read past documents with read_journal, or give this session another folder"
            ) from None
        self._open[run.uid] = run
        fcntl.flock(run.file, fcntl.LOCK_EX)
        try:
            _append(run, line, durable=True)
        except OSError:
            self._stop(run)
            path.unlink()
            raise

    def _find(self, name: str, document: dict[str, Any]) -> list[_OpenRun]:
        """Say which open runs a document belongs to, and remember it for those that refer to it."""
        owners = self._of_run(document) if name in OF_RUN else self._of_reference(document)
        if not owners:
            raise RuntimeError(
                f"the journal got a {name!r} document of a run whose start it has not seen: "
                "subscribe the journal before the run is opened"
            )
        if name in OF_RUN:
            self._owners[document["uid"]] = owners
            for run in owners:
                run.references.append(document["uid"])
        return owners

    def _of_run(self, document: dict[str, Any]) -> list[_OpenRun]:
        if "run_start" not in document:
            # an old-style resource need not say whose it is: every open run keeps it
            return list(self._open.values())
        return [run for uid, run in self._open.items() if uid == document["run_start"]]

    def _of_reference(self, document: dict[str, Any]) -> list[_OpenRun]:
        keys = ("descriptor", "stream_resource", "resource")
        found = (self._owners.get(document.get(key, "")) for key in keys)
        return next((owners for owners in found if owners), [])

    def _stop(self, run: _OpenRun) -> None:
        os.close(run.file)
        del self._open[run.uid]
        for uid in run.references:
            self._owners.pop(uid, None)


def _append(run: _OpenRun, line: bytes, *, durable: bool) -> None:
    try:
        written = 0
        while written < len(line):
            written += os.write(run.file, line[written:])
        if durable:
            os.fsync(run.file)
    except OSError as error:
        # half a line would make what may still follow (the stop document) unreadable
        os.ftruncate(run.file, run.size)
        raise OSError(
            f"the journal {run.path} could not be written ({error.strerror}): what it holds is "
            "safe; free space on this disk or choose another folder"
        ) from error
    run.size += len(line)


def read_journal(path: str | os.PathLike[str]) -> list[Document]:
    """Read all documents of one run's file, in the order in which they were emitted.

    Parameters
    ----------
    path : path
        A file that `Journal` wrote, or is still writing.

    Returns
    -------
    list of (name, document)
        A last line that is torn (power cut, full disk) is left out.

    Raises
    ------
    ValueError
        If a line before the last is damaged.
    """
    return read_journal_from(path, 0)[0]


def read_journal_from(
    path: str | os.PathLike[str], offset: int, limit: int | None = None
) -> tuple[list[Document], int]:
    """Read (at most `limit`) documents from a byte offset on; also say where to go on reading."""
    documents: list[Document] = []
    with open(path, "rb") as file:
        file.seek(offset)
        for line in islice(file, limit):
            if not line.endswith(b"\n"):
                break
            try:
                documents.append(decode_line(line))
            except ValueError as error:
                raise ValueError(
                    f"the journal {path} is damaged at byte {offset}: expected one JSON document "
                    f"a line ({error}); repair or remove that line"
                ) from error
            offset += len(line)
    return documents, offset


def is_live(path: str | os.PathLike[str]) -> bool:
    """Say whether some process is still writing this run."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
