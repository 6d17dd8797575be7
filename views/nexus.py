"""A run as a NeXus file, for h5web, silx and others: its map, its points, its provenance."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np

from ..models import ErrorMap
from .provenance import python_call, versions
from .run_points import DecisionPoint
from .summary import RunSummary


def write_nexus(path: str | os.PathLike[str], summary: RunSummary) -> None:
    """Write a run as NeXus/HDF5, the map as what a viewer shows first.

    ``/entry/map`` is an NXdata of (M, N): the ``reconstruction``, its ``expected_error``, and
    ``order``, the place of each measured pixel in the run, from 1, 0 where none was measured.
    Further channels are ``reconstruction_2``, ``expected_error_2``, and among the points
    ``value_2``, and so on; ``count_time`` is there where the scan chose its dwells.
    ``/entry/points`` is an NXdata of (P,): each event as it was read, a scatter plot.
    ``/entry/decisions`` has a column for each field of `DecisionPoint`, and
    ``/entry/provenance`` the start and the stop document, and the call that does it again.

    Parameters
    ----------
    path : path
        The file, written anew.
    summary : RunSummary
        Of a run with at least one usable value.

    Raises
    ------
    ValueError
        If nothing was measured.

    References
    ----------
    https://manual.nexusformat.org/classes/base_classes/NXdata.html
    """
    if not len(summary.scan.values):
        raise ValueError(f"nothing usable was measured in run {summary.start['uid']}: no map")
    with h5py.File(path, "w") as file:
        file.attrs.update(NX_class="NXroot", default="entry", creator="skysteer")
        entry = _group(file, "entry", "NXentry", default="map")
        entry["title"] = f"{summary.keys} by {summary.agent}"
        entry["entry_identifier"] = str(summary.start["uid"])
        entry["start_time"] = _iso(summary.start["time"])
        entry["end_time"] = _iso(summary.start["time"] + summary.seconds)
        entry["duration"] = summary.seconds
        entry["duration"].attrs["units"] = "s"
        _map(entry, summary)
        _points(entry, summary)
        _decisions(entry, summary)
        _provenance(entry, summary)


def _map(entry: h5py.Group, summary: RunSummary) -> None:
    """The grid's picture, as arrays of rows and columns."""
    names, images = axis_names(summary), _images(summary)
    signal, *further = images
    data = _group(entry, "map", "NXdata", signal=signal, axes=names, auxiliary_signals=further)
    for name, (values, units, text) in images.items():
        stored = _column(data, name, values, units, text, compression="gzip", shuffle=True)
        stored.attrs["interpretation"] = "image"
    axes = (summary.grid.slow, summary.grid.fast)
    for k, (name, axis) in enumerate(zip(names, axes, strict=True)):
        _column(data, name, axis.setpoints, summary.axis_units[k], axis.name)
        data.attrs[f"{name}_indices"] = k


def _images(summary: RunSummary) -> dict[str, tuple[Any, str, str]]:
    """Values, units and description of each image, by name; the signal first."""
    error_map = ErrorMap(summary.grid.shape)
    error_map.update(summary.scan)
    images: dict[str, tuple[Any, str, str]] = {}
    for k, (channel, known) in enumerate(zip(summary.channels, error_map.channels, strict=True)):
        image, error = channel.reconstruct(), np.sqrt(known.squared_error)
        said = f"{channel.key}, reconstructed"
        images[numbered("reconstruction", k)] = image, channel.units, said
        said = f"{channel.key}, expected error" if k else "expected error"
        images[numbered("expected_error", k)] = error, channel.units, said
    order = np.zeros(summary.grid.shape, dtype=np.int32)
    order[tuple(summary.scan.pixels.T)] = np.arange(1, len(summary.scan.values) + 1)
    return images | {"order": (order, "", "order of measurement, 0 where not measured")}


def _points(entry: h5py.Group, summary: RunSummary) -> None:
    """Each event, at the place that was read back."""
    slow, fast = axis_names(summary)
    data = _group(entry, "points", "NXdata", signal="value", axes=[fast, slow])
    slow_units, fast_units = summary.axis_units
    events = summary.events
    read = np.array([(e.value, *e.others) for e in events])
    for k, channel in enumerate(summary.channels):
        _column(data, numbered("value", k), read[:, k], channel.units, channel.key)
    _column(data, fast, [e.x for e in events], fast_units, summary.grid.fast.name)
    _column(data, slow, [e.y for e in events], slow_units, summary.grid.slow.name)
    _column(data, "row", [e.row for e in events], "", "row of the map, -1 off the grid")
    _column(data, "column", [e.column for e in events], "", "column of the map, -1 off the grid")
    if summary.count_times:
        _column(data, "count_time", summary.count_times, "s", "time counted")
        data.attrs["count_time_indices"] = 0
    times = _column(
        data, "time", [e.time - summary.start["time"] for e in events], "s", "since the start"
    )
    times.attrs["start"] = _iso(summary.start["time"])
    for name in (slow, fast, "row", "column", "time"):
        data.attrs[f"{name}_indices"] = 0


def _decisions(entry: h5py.Group, summary: RunSummary) -> None:
    """One row a decision."""
    if not summary.decisions:
        return
    table = _group(entry, "decisions", "NXcollection")
    for name in (field.name for field in fields(DecisionPoint)):
        table[name] = [getattr(decision, name) for decision in summary.decisions]
        if name.endswith("ms"):
            table[name].attrs["units"] = "ms"


def _provenance(entry: h5py.Group, summary: RunSummary) -> None:
    """What is needed to judge the run, and to do it again."""
    process = _group(entry, "provenance", "NXprocess")
    process["program"] = "skysteer"
    process["version"] = versions(summary.start).get("skysteer", "unknown")
    process["stop_reason"] = summary.stop_reason
    notes = {
        "start_document": ("application/json", _json(summary.start)),
        "stop_document": ("application/json", _json(summary.stop)),
        "call": ("text/x-python", python_call(summary) or ""),
    }
    for name, (kind, text) in notes.items():
        note = _group(process, name, "NXnote")
        note["type"], note["data"] = kind, text


def axis_names(summary: RunSummary) -> tuple[str, str]:
    """Names of the slow and of the fast axis as NeXus allows them, other than the fields'."""
    taken = {"row", "column", "time", "count_time", "order"}
    for k in range(len(summary.channels)):
        taken |= {numbered(name, k) for name in ("value", "reconstruction", "expected_error")}
    slow, fast = (
        re.sub(r"\W", "_", axis.name, flags=re.ASCII)
        for axis in (summary.grid.slow, summary.grid.fast)
    )
    if slow == fast or {slow, fast} & taken:
        return f"slow_{slow}", f"fast_{fast}"
    return slow, fast


def numbered(name: str, channel: int) -> str:
    """Name of what a channel has, by its number from 0: the first one's has none."""
    return f"{name}_{channel + 1}" if channel else name


def _group(parent: h5py.Group, name: str, kind: str, **attributes: Any) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs.update(NX_class=kind, **attributes)
    return group


def _column(
    group: h5py.Group, name: str, values: Any, units: str, text: str, **how: Any
) -> h5py.Dataset:
    dataset = group.create_dataset(name, data=np.asarray(values), **how)
    dataset.attrs["long_name"] = f"{text} ({units})" if units else text
    if units:
        dataset.attrs["units"] = units
    return dataset


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _json(document: Any) -> str:
    return json.dumps(document, default=str)
