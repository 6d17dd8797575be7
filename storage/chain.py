"""Runs that go on with one another: each names the one before as ``resumed_from``."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from .destination import Destination
from .encoding import encode_line
from .journal import SUFFIX, Document, read_journal_from
from .read import RecordedRun, read_run
from .runs import DIED, complete, list_runs


class LiveRunError(RuntimeError):
    """A run is still being measured."""


def read_chain(
    source: Any, which: int | str = -1, further: Callable[[], Any] | None = None
) -> list[RecordedRun]:
    """Read a run, those that it goes on with and those that go on with it, the oldest first.

    Parameters
    ----------
    source : path or CatalogOfBlueskyRuns
        As `read_run` takes it.
    which : int or str
        As `read_run` takes it.
    further : callable, optional
        Gives another source, for earlier runs that are not in the first.

    Raises
    ------
    KeyError
        If there is no such run, or one that it goes on with is nowhere.
    """
    chain = [read_run(source, which)]
    while before := chain[0].start.get("resumed_from"):
        chain.insert(0, _named(source, before, chain[0].start["uid"], further))
    while after := _successor(source, chain[-1].start["uid"]):
        chain.append(read_run(source, after))
    return chain


def documents_of_chain(source: Any, which: int | str = -1) -> list[Document]:
    """Give all documents of a chain as they were emitted, its last run closed if need be.

    Parameters
    ----------
    source, which
        As `read_run` takes them.

    Raises
    ------
    KeyError
        As `read_chain`.
    LiveRunError
        If some process still writes the last run.
    """
    chain = read_chain(source, which)
    if isinstance(source, str | os.PathLike) and chain[-1].stop is None:
        close_run(source, chain[-1].start["uid"])
    return [document for run in chain for document in run.documents(doubles=True)]


def as_one_run(chain: Sequence[RecordedRun]) -> Iterator[Document]:
    """Give the documents of a chain as if it had been one run, which bears the last one's name.

    Events are numbered on from run to run; the time is that of the first start document, and
    ``resumptions`` tells of each later run its uid, the number of events before it (``after``),
    and the seconds in which nothing was measured (``idle``).
    """
    first, last = chain[0].start, chain[-1]
    later = [_resumption(*pair) for pair in pairwise(chain)]
    told = {"resumptions": later} if later else {}
    yield "start", {**last.start, "time": first["time"], **told}
    counted: dict[str, int] = {}
    for run in chain:
        streams = {each["uid"]: each["name"] for each in run.descriptors}
        before = dict(counted)
        for name, document in run.documents():
            if name == "descriptor":
                yield name, {**document, "run_start": last.start["uid"]}
            elif name == "event":
                stream = streams[document["descriptor"]]
                number = before.get(stream, 0) + document["seq_num"]
                counted[stream] = max(counted.get(stream, 0), number)
                yield name, {**document, "seq_num": number}
    if last.stop:
        yield "stop", {**last.stop, "num_events": counted}


def _resumption(before: RecordedRun, run: RecordedRun) -> dict[str, Any]:
    ended = max(doc["time"] for _, doc in before.documents() if "time" in doc)
    start = run.start
    return {
        "uid": start["uid"],
        "after": start.get("resumed_after", 0),
        "idle": max(start["time"] - ended, 0.0),
    }


def close_run(folder: str | os.PathLike[str], uid: str, reason: str = DIED) -> bool:
    """Write the stop document of a run in a folder's journal whose process has died.

    Parameters
    ----------
    folder : path
        The data folder.
    uid : str
        The run's whole uid.
    reason : str
        Why the run ended.

    Returns
    -------
    bool
        Whether it was this call that closed it: it may be closed already, or not be there.

    Raises
    ------
    LiveRunError
        If some process still writes it.
    """
    path = _file(Path(folder), uid)
    if path is None:
        return False
    with open(path, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LiveRunError(
                f"run {uid} is still being measured: wait for its end, or end it first"
            ) from None
        documents, end = read_journal_from(path, 0)
        closed = complete(documents, reason)
        if len(closed) == len(documents):
            return False
        file.truncate(end)  # half a line that a full disk or a power cut has left
        file.seek(end)
        file.write(encode_line(*closed[-1]))
        file.flush()
        os.fsync(file.fileno())
    return True


def check_abandoned(run: RecordedRun, patience: float = 300.0) -> None:
    """Refuse to take a run of a catalog for dead whose process may still write it.

    Parameters
    ----------
    run : RecordedRun
        Without a stop document.
    patience : float
        Seconds since its last document, after which nobody can be writing it any more.

    Raises
    ------
    LiveRunError
        If it is younger.
    """
    latest = max(doc["time"] for _, doc in run.documents() if "time" in doc)
    ago = time.time() - latest
    if ago < patience:
        raise LiveRunError(
            f"run {run.start['uid']} has no end in the catalog, and its last document is "
            f"{ago:.0f} s old: its process may still be at work; wait until that is {patience:g} s "
            "ago, or resume where its journal is"
        )


def _file(folder: Path, uid: str) -> Path | None:
    # found by looking, not by name: a uid may come from anywhere
    files = Destination(folder).journal.glob(f"*{SUFFIX}")
    return next((path for path in files if path.name == f"{uid}{SUFFIX}"), None)


def _named(source: Any, uid: str, by: str, further: Callable[[], Any] | None) -> RecordedRun:
    try:
        return read_run(source, uid)
    except KeyError as error:
        if further is not None:
            return _named(further(), uid, by, None)
        raise KeyError(
            f"run {by} goes on with run {uid}, which is not in {_name(source)}: bring the runs "
            "together with `skysteer runs sync`, or name the catalog that has both"
        ) from error


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else "the catalog"


def _successor(source: Any, uid: str) -> str | None:
    """The latest run that goes on with another."""
    starts = (
        [run.start for run in list_runs(source)]
        if isinstance(source, str | os.PathLike)
        else [dict(run.metadata)["start"] for run in _resumed(source, uid)]
    )
    found = [start for start in starts if start.get("resumed_from") == uid]
    return max(found, key=lambda start: start["time"])["uid"] if found else None


def _resumed(catalog: Any, uid: str) -> list[Any]:
    from tiled.queries import Key

    return list(catalog.search(Key("start.resumed_from") == uid).values())
