"""Which grid a run scanned, whatever plan it was: from its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import Axis, ScanGrid

UNEVEN = 0.25  # of the pitch: what a setpoint may lie off an even grid


def scanned_grid(start: Mapping[str, Any]) -> ScanGrid:
    """Tell the grid of an adaptive scan, or of any plan that describes two axes as grid_scan does.

    Parameters
    ----------
    start : mapping
        The start document.

    Raises
    ------
    ValueError
        If it does not tell.
    """
    record = start.get("skysteer") or {}
    if "grid" in record:  # an optimisation of motors has none
        return ScanGrid.from_description(record["grid"])
    try:
        if str(start.get("plan_name")).startswith("rel_"):
            raise ValueError("its extents are relative to where the motors stood")
        names = [fields[0] for fields, _ in start["hints"]["dimensions"]]
        slow, fast = (
            Axis(name, float(first), float(last), int(num))
            for name, (first, last), num in zip(
                names, start["extents"], start["shape"], strict=True
            )
        )
        return ScanGrid(slow, fast)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"run {start.get('uid', '?')} ({start.get('plan_name', 'unknown plan')}) cannot be "
            "drawn as a map: its start document must give two axes in hints.dimensions, extents "
            f"and shape, as grid_scan and adaptive_scan do ({error!r})"
        ) from error


def steering_keys(
    start: Mapping[str, Any], descriptors: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Tell the steering keys; of other plans the first hinted field of the first detector."""
    if record := start.get("skysteer"):
        key = record["key"]
        return (key,) if isinstance(key, str) else tuple(key)
    detector = next(iter(start.get("detectors") or []), "")
    for descriptor in descriptors:
        fields = descriptor.get("hints", {}).get(detector, {}).get("fields", [])
        for key in [*fields, *descriptor.get("object_keys", {}).get(detector, [])]:
            return (str(key),)
    return (str(detector),)


def grid_of_positions(positions: Mapping[str, NDArray[np.float64]]) -> ScanGrid:
    """Find the grid that the points of a list_scan, say, lie on.

    Parameters
    ----------
    positions : mapping of str to (P,) ndarray of float64
        Of two axes, by name, in the order measured; setpoints or readbacks.

    Raises
    ------
    ValueError
        If they lie on no even grid.
    """
    names = sorted(positions, key=lambda name: int(np.count_nonzero(np.diff(positions[name]))))
    slow, fast = (_axis(name, np.asarray(positions[name], dtype=np.float64)) for name in names)
    return ScanGrid(slow, fast)


def _axis(name: str, positions: NDArray[np.float64]) -> Axis:
    ordered = np.sort(positions)
    gaps = np.diff(ordered)
    between = gaps > 0.1 * gaps.max(initial=0.0)  # smaller ones are the scatter of one setpoint
    parts = np.split(ordered, np.flatnonzero(between) + 1)
    setpoints = np.array([part.mean() for part in parts])
    axis = Axis(name, float(setpoints[0]), float(setpoints[-1]), len(setpoints))
    if len(setpoints) < 2 or np.abs(setpoints - axis.setpoints).max() > UNEVEN * axis.pitch:
        raise ValueError(
            f"the {len(positions)} positions of {name!r} lie on no even grid: "
            f"{len(setpoints)} setpoints from {axis.start:g} to {axis.stop:g}"
        )
    return axis
