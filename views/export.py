"""A run as files for other programs: its points as a table, its map as NeXus or TIFF."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .nexus import numbered, write_nexus
from .provenance import python_call, versions
from .summary import RunSummary

COLUMNS = ("seq_num", "row", "column", "x", "y", "value")
METADATA = "-metadata.json"
"""What follows a table's name in that of its description."""
CENTIMETRES: Mapping[str, float] = MappingProxyType(
    {"m": 1e2, "cm": 1.0, "mm": 1e-1, "um": 1e-4, "µm": 1e-4, "μm": 1e-4, "micron": 1e-4}
    | {"nm": 1e-7, "angstrom": 1e-8, "Å": 1e-8}
)
"""What the motors' units are in those of a TIFF."""


def write_points(path: str | os.PathLike[str], summary: RunSummary) -> None:
    """Write the measured points as CSV, in the order measured.

    The columns are ``seq_num, row, column, x, y, value``: x and y are the readbacks of the fast
    and of the slow axis in motor units, row and column the pixel nearest to them (-1 off the
    grid), value the steering reading (``nan`` and ``inf`` as such); where several steer together,
    ``value_2`` and so on are the further ones; where the scan chose its dwells, ``count_time`` is
    that of each event.  Numbers have all their digits, lines end with LF.  Units and provenance,
    for which CSV has no place, go into ``PATH-metadata.json`` beside it.

    Parameters
    ----------
    path : path
        The file, written anew.
    summary : RunSummary

    References
    ----------
    Metadata Vocabulary for Tabular Data, https://www.w3.org/TR/tabular-metadata/
    """
    described = Path(f"{os.fspath(path)}{METADATA}")
    described.write_text(json.dumps(_table(Path(path).name, summary), indent=2), encoding="ascii")
    with open(path, "w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_columns(summary))
        times = [(each,) for each in summary.count_times] or repeat(())
        writer.writerows(
            [*(getattr(event, c) for c in COLUMNS), *event.others, *time]
            for event, time in zip(summary.events, times, strict=False)
        )


def _columns(summary: RunSummary) -> dict[str, tuple[str, str]]:
    """What each column of the table means, and its units."""
    slow_units, fast_units = summary.axis_units
    timed = {"count_time": ("time counted", "s")} if summary.count_times else {}
    return {
        "seq_num": ("number of the event in its run", ""),
        "row": ("row of the map, -1 off the grid", ""),
        "column": ("column of the map, -1 off the grid", ""),
        "x": (summary.grid.fast.name, fast_units),
        "y": (summary.grid.slow.name, slow_units),
        **{numbered("value", k): (c.key, c.units) for k, c in enumerate(summary.channels)},
        **timed,
    }


def _table(name: str, summary: RunSummary) -> dict[str, Any]:
    """What the table of that name holds, in the W3C's words."""
    columns = [
        {"name": name, "datatype": "number", "dc:description": text}
        | ({"schema:unitText": units} if units else {})
        for name, (text, units) in _columns(summary).items()
    ]
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": name,
        "dc:title": f"{summary.keys} by {summary.agent}",
        "dc:identifier": str(summary.start["uid"]),
        "dc:created": datetime.fromtimestamp(summary.start["time"], UTC).isoformat(),
        "dc:creator": f"skysteer {versions(summary.start).get('skysteer', '')}".strip(),
        "dc:provenance": python_call(summary) or "",
        "tableSchema": {"columns": columns},
    }


def write_tiff(path: str | os.PathLike[str], summary: RunSummary) -> None:
    """Write the reconstruction as a TIFF of (M, N) float32 in the units of the values.

    Of several channels each has a page, (C, M, N).  Row 0 is on top.  The resolution is given in
    pixels a centimetre where the motors have units of length; the description is JSON that tells
    run, units and axes.

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
    """
    from tifffile import imwrite

    images = np.array([each.reconstruct() for each in summary.channels], dtype=np.float32)
    imwrite(
        path,
        images if summary.further else images[0],
        photometric="minisblack",
        description=json.dumps(_description(summary)),
        metadata=None,
        software=f"skysteer {versions(summary.start).get('skysteer', '')}".strip(),
        **_resolution(summary),
    )


def _description(summary: RunSummary) -> dict[str, Any]:
    """What a picture alone does not tell."""
    axes = {
        name: {"key": axis.name, "units": units, "start": axis.start, "stop": axis.stop}
        for name, axis, units in zip(
            ("rows", "columns"),
            (summary.grid.slow, summary.grid.fast),
            summary.axis_units,
            strict=True,
        )
    }
    return {
        "uid": summary.start["uid"],
        "key": summary.key,
        "units": summary.units,
        "channels": [{"key": each.key, "units": each.units} for each in summary.channels],
        "agent": summary.agent,
        "points": len(summary.scan.values),
        "method": "inverse-distance weighting of the 10 nearest measured pixels",
        **axes,
    }


def _resolution(summary: RunSummary) -> dict[str, Any]:
    """Pixels a centimetre along columns and rows, where both have units of length."""
    slow_units, fast_units = summary.axis_units
    if not {slow_units, fast_units} <= CENTIMETRES.keys():
        return {}
    across = 1 / (abs(summary.grid.fast.pitch) * CENTIMETRES[fast_units])
    down = 1 / (abs(summary.grid.slow.pitch) * CENTIMETRES[slow_units])
    return {"resolution": (across, down), "resolutionunit": "CENTIMETER"}


FORMATS: Mapping[str, Callable[[str | os.PathLike[str], RunSummary], None]] = MappingProxyType(
    {
        ".nxs": write_nexus,
        ".h5": write_nexus,
        ".hdf5": write_nexus,
        ".tif": write_tiff,
        ".tiff": write_tiff,
        ".csv": write_points,
    }
)
"""How a file is written, by its suffix."""


def export_run(path: str | os.PathLike[str], summary: RunSummary) -> None:
    """Write a run to a file, in the format that its suffix names.

    Parameters
    ----------
    path : path
        ``.nxs``, ``.h5`` or ``.hdf5`` for NeXus, ``.tif`` or ``.tiff`` for the map alone, ``.csv``
        for the points, with their units in ``.csv-metadata.json``; written anew.
    summary : RunSummary

    Raises
    ------
    ValueError
        For another suffix, or a map of a run that measured nothing.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    ``export_run("map.nxs", summarize(read_run("runs").documents()))``
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"a run is exported to {', '.join(FORMATS)}, but {str(path)!r} was asked")
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"no folder {Path(path).parent} to write {Path(path).name} to")
    FORMATS[suffix](path, summary)
