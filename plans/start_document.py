"""What the start document of an adaptive scan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .point import Measurement


def start_document(
    scan: Measurement, record: Mapping[str, Any], planned: int, md: Mapping[str, Any]
) -> dict[str, Any]:
    """Start document in the manner of grid_scan, so that what reads those reads this."""
    grid = scan.reader.grid
    axes = (grid.slow, grid.fast)
    arguments = [
        part
        for axis in axes
        for part in (
            repr(scan.motors[axis.name]),
            float(axis.start),
            float(axis.stop),
            int(axis.num),
        )
    ]
    hints = {
        "gridding": "rectilinear_nonsequential",
        "dimensions": [([axis.name], scan.reader.stream) for axis in axes],
    }
    return {
        "plan_name": "adaptive_scan",
        "plan_args": {
            "detectors": list(map(repr, scan.detectors)),
            "agent": record["agent"],
            "args": arguments,
            "until": record["until"],
        },
        "detectors": [detector.name for detector in scan.detectors],
        "motors": [scan.motors[axis.name].name for axis in axes],
        "shape": list(grid.shape),
        "extents": [[float(axis.start), float(axis.stop)] for axis in axes],
        "num_points": planned,
        **md,
        "hints": {**hints, **md.get("hints", {})},
        "skysteer": dict(record),
    }
