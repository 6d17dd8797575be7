"""Reading a run back, from the journal or from a catalog, in one form."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from .encoding import from_metadata
from .journal import Document, read_journal
from .runs import JournalEntry, list_runs, unpacked

Columns: TypeAlias = dict[str, np.ndarray]

RESERVED = ("seq_num", "time")
"""A data key of this name gets an underscore behind it, as in the catalog."""


IMPLIED = {"number": "f8", "integer": "i8", "boolean": "?", "string": "U", "array": "f8"}
"""Dtypes where the descriptor names none; the same as in the catalog."""


@dataclass(frozen=True)
class RecordedRun:
    """A run as it was recorded.

    Parameters
    ----------
    start : dict
        The start document.
    stop : dict or None
        The stop document; None while the run goes on, or if its process died.
    descriptors : list of dict
        The descriptors, in the order in which they were emitted.
    """

    start: dict[str, Any]
    stop: dict[str, Any] | None
    descriptors: list[dict[str, Any]]
    _rows: Callable[[str], Columns]

    @property
    def streams(self) -> list[str]:
        return list(dict.fromkeys(descriptor["name"] for descriptor in self.descriptors))

    def events(self, stream: str = "primary") -> Columns:
        """Give the events of a stream as columns.

        Parameters
        ----------
        stream : str
            Name of the stream.

        Returns
        -------
        dict of ndarray
            Each of length P, the number of distinct events: ``seq_num`` (int64), ``time`` (s since
            1970) and the data keys, arrays as (P, ...); ``ts_<key>`` are the keys' timestamps. In
            the order of ``seq_num``; of events that a rewind doubled, the last.

        Raises
        ------
        KeyError
            If the run has no such stream.
        """
        if stream not in self.streams:
            raise KeyError(f"no stream {stream!r} in this run: it has {self.streams}")
        rows = self._rows(stream)
        numbers = rows["seq_num"]
        # np.unique finds the first of each: the last, when read backwards
        _, first = np.unique(numbers[::-1], return_index=True)
        return {key: column[len(numbers) - 1 - first] for key, column in rows.items()}

    def documents(self, *, doubles: bool = False) -> Iterator[Document]:
        """Give start, descriptors, events in the order of their time, and stop.

        An event's uid is its descriptor's with its number behind it: a catalog does not keep the
        original.

        Parameters
        ----------
        doubles : bool
            Whether events that a rewind has overtaken come too.
        """
        yield "start", self.start
        yield from (("descriptor", descriptor) for descriptor in self.descriptors)
        events = [
            event
            for stream in self.streams
            for event in self._stream_documents(stream, self._rows if doubles else self.events)
        ]
        yield from (("event", event) for event in sorted(events, key=lambda e: e["time"]))
        if self.stop:
            yield "stop", self.stop

    def _stream_documents(
        self, stream: str, read: Callable[[str], Columns]
    ) -> Iterator[dict[str, Any]]:
        columns = read(stream)
        uid = next(d["uid"] for d in self.descriptors if d["name"] == stream)
        keys = [key for key in columns if f"ts_{key}" in columns]
        for row, number in enumerate(columns["seq_num"].tolist()):
            yield {
                "uid": f"{uid}-{number}",
                "descriptor": uid,
                "seq_num": number,
                "time": float(columns["time"][row]),
                "data": {key: _scalar(columns[key][row]) for key in keys},
                "timestamps": {key: float(columns[f"ts_{key}"][row]) for key in keys},
                "filled": {},
            }


def _scalar(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else value.item()


def read_run(source: Any, which: int | str = -1) -> RecordedRun:
    """Read a run back.

    Parameters
    ----------
    source : path or CatalogOfBlueskyRuns
        A data folder, whose journal is read, or a client as `open_catalog` gives it.
    which : int or str
        A negative number counts from the latest run, a positive one is a scan id (the latest with
        that id), a string is a uid or its beginning, as in a catalog.

    Raises
    ------
    KeyError
        If there is no such run.
    FileNotFoundError
        If the folder holds no journal.
    """
    if isinstance(source, str | os.PathLike):
        return _from_journal(Path(source), which)
    try:
        return _from_catalog(source[which])
    except IndexError as error:
        raise KeyError(f"no run {which!r} in the catalog") from error


def _from_journal(folder: Path, which: int | str) -> RecordedRun:
    documents = unpacked(read_journal(_find(list_runs(folder), which, folder).path))
    kinds: dict[str, list[dict[str, Any]]] = {"stop": [], "descriptor": [], "event": []}
    for name, document in documents:
        kinds.setdefault(name, []).append(document)

    def rows(stream: str) -> Columns:
        mine = [d for d in kinds["descriptor"] if d["name"] == stream]
        uids = {descriptor["uid"] for descriptor in mine}
        events = [event for event in kinds["event"] if event["descriptor"] in uids]
        return _columns(events, mine[0]["data_keys"])

    stop = kinds["stop"][0] if kinds["stop"] else None
    return RecordedRun(documents[0][1], stop, kinds["descriptor"], rows)


def _find(entries: list[JournalEntry], which: int | str, folder: Path) -> JournalEntry:
    if isinstance(which, str):
        found = [entry for entry in entries if entry.uid.startswith(which)]
    elif which < 0:
        found = entries[which:][:1] if -which <= len(entries) else []
    else:
        found = [entry for entry in entries if entry.start.get("scan_id") == which][-1:]
    if len(found) == 1:
        return found[0]
    raise KeyError(
        f"{len(found) or 'no'} runs answer to {which!r} among the {len(entries)} in the journal "
        f"of {folder}: expected one"
    )


def _columns(events: list[dict[str, Any]], data_keys: dict[str, Any]) -> Columns:
    columns = {
        "seq_num": np.array([event["seq_num"] for event in events], dtype=np.int64),
        "time": np.array([event["time"] for event in events], dtype=np.float64),
    }
    for key, description in data_keys.items():
        if "external" not in description:
            name = f"{key}_" if key in RESERVED else key
            columns[name] = _column([event["data"][key] for event in events], description)
            columns[f"ts_{name}"] = np.array([e["timestamps"][key] for e in events], np.float64)
    return columns


def _column(values: Any, description: dict[str, Any]) -> np.ndarray:
    """Bring the values of a data key into the dtype that its descriptor names or implies."""
    column = np.array(values)
    if not len(column):
        column = column.reshape(0, *(n or 0 for n in description.get("shape") or ()))
    dtype = description.get("dtype_numpy")
    if not isinstance(dtype, str) or dtype[1:] == "U0":
        dtype = IMPLIED[description["dtype"]]
    try:
        described = column.astype(dtype)
    except ValueError:
        return column
    # what does not fit its description (fractions of an integer, strings) stays as it was measured
    unequal = described != column
    return column if np.any(unequal & (column == column)) else described


def _from_catalog(run: Any) -> RecordedRun:
    run = run.v3  # databroker, when given a catalog, turns its clients into those of version 2
    metadata = dict(run.metadata)
    stop = metadata.get("stop")
    descriptors = [
        from_metadata(descriptor) for stream in run.base for descriptor in run[stream].descriptors
    ]

    def rows(stream: str) -> Columns:
        parts = run[stream].base
        data_keys = next(d["data_keys"] for d in descriptors if d["name"] == stream)
        if "internal" not in parts:
            return _columns([], data_keys)
        table = parts["internal"].read()
        rows = {key: table[key].to_numpy() for key in table}
        for key, description in data_keys.items():
            if "external" not in description:
                rows[key] = _column(rows[key] if key in rows else parts[key].read(), description)
        _check_lengths(rows, stream)
        return rows

    return RecordedRun(
        from_metadata(metadata["start"]), stop and from_metadata(stop), descriptors, rows
    )


def _check_lengths(columns: Columns, stream: str) -> None:
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the columns of stream {stream!r} have different lengths in the catalog: {lengths}; "
            "read the run from its journal"
        )
