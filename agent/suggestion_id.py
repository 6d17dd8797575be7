"""The numbers of suggestions, which say their pixel: an outcome may leave its position out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .grid import ScanGrid


def suggestion_id(grid: ScanGrid, serial: int, pixel: tuple[int, int]) -> int:
    """Give a number that grows from one suggestion to the next, and says its pixel."""
    return serial * grid.size + pixel[0] * grid.shape[1] + pixel[1]


def place_of(grid: ScanGrid, point: Mapping[str, Any], next_id: int) -> tuple[int, tuple[int, int]]:
    """Give a point's number and pixel; (-1, -1) where it was measured off the grid.

    Parameters
    ----------
    grid : ScanGrid
    point : mapping
        With the measured position by axis name, or the ``"_id"`` of its suggestion.
    next_id : int
        Of a point that nobody numbered.

    Raises
    ------
    ValueError
        If nobody can say where it was measured.
    """
    given = point.get("_id")
    number = int(given) if isinstance(given, int | np.integer) else None
    if grid.slow.name in point and grid.fast.name in point:
        return next_id if number is None else number, grid.pixel(point) or (-1, -1)
    if number is None or number < grid.size:
        raise ValueError(
            f"a point needs its position in {grid.slow.name!r} and {grid.fast.name!r}, or the "
            f"'_id' of its suggestion, but {dict(point)} came"
        )
    row, column = divmod(number % grid.size, grid.shape[1])
    return number, (row, column)
