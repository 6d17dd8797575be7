"""The scan grid: the one place where pixels and motor positions meet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DIGITS = 14  # of a setpoint: 1.2, not 1.2000000000000002


@dataclass(frozen=True)
class Axis:
    """One axis of a scan grid.

    Parameters
    ----------
    name : str
        The data key under which the axis is read.
    start, stop : float
        First and last setpoint, in the motor's units.
    num : int
        Number of setpoints, 1 or more.
    """

    name: str
    start: float
    stop: float
    num: int

    def __post_init__(self) -> None:
        if isinstance(self.num, bool) or not isinstance(self.num, Integral) or self.num < 1:
            raise ValueError(
                f"axis {self.name!r} needs a whole number of points, 1 or more, "
                f"but num={self.num!r} came"
            )
        with np.errstate(all="ignore"):  # the comparison says whether the arithmetic held
            apart = np.array_equal(self.index(self.setpoints), np.arange(self.num))
        if not (np.isfinite([self.start, self.stop]).all() and apart):
            raise ValueError(
                f"axis {self.name!r} needs two finite ends, far enough apart for {self.num} "
                f"different setpoints, but {self.start} to {self.stop} came"
            )

    @cached_property
    def setpoints(self) -> NDArray[np.float64]:
        """(num,) the axis' positions, in the motor's units."""
        points = _tidied(np.linspace(self.start, self.stop, self.num), abs(self.pitch))
        points[0], points[-1] = self.start, self.start if self.num == 1 else self.stop
        points.flags.writeable = False
        return points

    @property
    def pitch(self) -> float:
        """Signed distance from one setpoint to the next, in the motor's units."""
        return (self.stop - self.start) / (self.num - 1) if self.num > 1 else 1.0

    def index(self, position: ArrayLike) -> NDArray[np.int64]:
        """Nearest setpoint's index; -1 where the position lies over half a pitch outside."""
        steps = np.rint((np.asarray(position, dtype=np.float64) - self.start) / self.pitch)
        inside = (steps >= 0) & (steps < self.num)
        return np.where(inside, steps, -1).astype(np.int64)


@dataclass(frozen=True)
class ScanGrid:
    """A raster of ``slow.num`` rows and ``fast.num`` columns on two motors.

    Examples
    --------
    >>> grid = ScanGrid(Axis("y", 0, 3, 4), Axis("x", 0, 1, 3))
    >>> grid.shape
    (4, 3)
    >>> grid.position((2, 1))
    {'y': 2.0, 'x': 0.5}
    >>> grid.pixel({"y": 2.1, "x": 0.4})
    (2, 1)
    """

    slow: Axis
    fast: Axis

    def __post_init__(self) -> None:
        if self.slow.name == self.fast.name:
            raise ValueError(f"the two axes need two motors, but both are {self.slow.name!r}")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return (int(self.slow.num), int(self.fast.num))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    def position(self, pixel: tuple[int, int]) -> dict[str, float]:
        """Setpoints of a pixel, in motor units, by axis name."""
        row, column = pixel
        return {
            self.slow.name: float(self.slow.setpoints[row]),
            self.fast.name: float(self.fast.setpoints[column]),
        }

    def pixel(self, position: Mapping[str, Any]) -> tuple[int, int] | None:
        """Nearest pixel to a position; None where that lies off the grid or is not finite."""
        where = float(position[self.slow.name]), float(position[self.fast.name])
        if not np.isfinite(where).all():
            return None
        row, column = int(self.slow.index(where[0])), int(self.fast.index(where[1]))
        return None if row < 0 or column < 0 else (row, column)

    def describe(self) -> dict[str, Any]:
        """JSON-able form, as it stands in the start document."""
        return {
            "axes": [
                {"name": a.name, "start": float(a.start), "stop": float(a.stop), "num": int(a.num)}
                for a in (self.slow, self.fast)
            ],
            "shape": list(self.shape),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ScanGrid:
        """Rebuild a grid from ``describe()``."""
        slow, fast = (Axis(**axis) for axis in description["axes"])
        return cls(slow, fast)


def _tidied(points: NDArray[np.float64], pitch: float) -> NDArray[np.float64]:
    """Leave out the digits that only come of rounding, where the pitch is none of them."""
    largest = float(np.abs(points).max())
    if not 1e-200 < largest < 1e200:
        return points
    decimals = DIGITS - math.ceil(math.log10(largest))
    return np.round(points, decimals) if 10.0**-decimals < 1e-6 * pitch else points
