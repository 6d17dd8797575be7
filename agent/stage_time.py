"""How long a stage takes: the one cost model of routes, batches, rehearsals and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from .grid import ScanGrid

AXES = ("speed", "acceleration", "backlash")  # of two numbers each; the rest are of one
RANGES = {"speed": (math.ulp(0.0), "above 0"), "backlash": (-math.inf, "finite")}


@dataclass(frozen=True)
class StageTime:
    """What a stage needs for moves and points; both axes move at once, the longer counts.

    Without any knowledge of the stage, times are lengths: those of Chebyshev, in s for each unit.

    Attributes
    ----------
    speed : (float, float)
        Full speed of slow and fast axis, units/s, above 0; one number stands for both.
    acceleration : (float, float)
        s from rest to full speed (ACCL of a motor record); 0 starts and stops at once.
    backlash : (float, float)
        Units, signed (BDST of a motor record): a move against its sign goes so far past its
        target, and comes back.
    settle : float
        s at rest before an exposure, or before a line is flown.
    dwell : float
        s of an exposure.
    overhead : float
        s for each point, or line, besides: triggers, readout, documents.

    Raises
    ------
    ValueError
        For what is no number in these ranges.

    Examples
    --------
    >>> stage = StageTime(speed=1000, acceleration=0.1, settle=0.05, dwell=0.01)
    >>> stage.moves((0, 0), [(0, 500), (0, 1), (300, 500)]).round(4).tolist()
    [0.6, 0.02, 0.6]
    >>> round(stage.path([(0, 0), (0, 500)]), 4)
    0.72
    """

    speed: tuple[float, float] = (1.0, 1.0)
    acceleration: tuple[float, float] = (0.0, 0.0)
    backlash: tuple[float, float] = (0.0, 0.0)
    settle: float = 0.0
    dwell: float = 0.0
    overhead: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            numbers = _numbers(field.name, getattr(self, field.name))
            value = numbers if field.name in AXES else numbers[0]
            object.__setattr__(self, field.name, value)

    @property
    def exposure(self) -> float:
        """S that a point takes, without the way to it."""
        return self.settle + self.dwell + self.overhead

    def in_pixels(self, grid: ScanGrid) -> StageTime:
        """Give the same stage with pixels of a grid in place of motor units."""
        pitch = (grid.slow.pitch, grid.fast.pitch)
        return replace(
            self,
            speed=tuple(v / abs(p) for v, p in zip(self.speed, pitch, strict=True)),
            backlash=tuple(b / p for b, p in zip(self.backlash, pitch, strict=True)),
        )

    def moves(self, start: ArrayLike, stop: ArrayLike) -> NDArray[np.float64]:
        """(K,) s from rest to rest, from (K, 2) or (2,) places to (K, 2) or (2,) others."""
        way = np.subtract(np.asarray(stop, float), np.asarray(start, float)).reshape(-1, 2)
        return _moves(way, self._axes())

    def between(self, stops: ArrayLike, others: ArrayLike | None = None) -> NDArray[np.float64]:
        """(K, L) s from each of (K, 2) places to each of (L, 2), or to each of the first."""
        here = np.asarray(stops, float).reshape(-1, 2)
        there = here if others is None else np.asarray(others, float).reshape(-1, 2)
        return _between(here, there, self._axes())

    def travel(self, stops: ArrayLike) -> float:
        """S in motion along (K, 2) places in their order."""
        stops = np.asarray(stops, float).reshape(-1, 2)
        return float(self.moves(stops[:-1], stops[1:]).sum())

    def clock(
        self,
        stops: ArrayLike,
        start: ArrayLike | None = None,
        lengths: NDArray[np.int64] | None = None,
        dwells: NDArray[np.float64] | float = 1.0,
    ) -> NDArray[np.float64]:
        """(K,) s after which each of (K, 2) points is measured, in their order.

        The way from ``start``, where that is given, counts; of ``lengths`` above 1 so many of them
        are flown over, in pixels.  Each point or segment takes so many ``dwells``.
        """
        stops = np.asarray(stops, float).reshape(-1, 2)
        if lengths is None or len(lengths) == len(stops):
            seconds = np.full(len(stops), self.exposure - self.dwell) + self.dwell * dwells
            return self._clock(stops, stops, seconds, start)
        last = np.cumsum(lengths) - 1
        first = last - lengths + 1
        ends = np.rint(np.stack([stops[first], stops[last]], axis=1)).astype(np.int64)
        lines = self.lines(ends, dwells)
        begins, finals = self.places(ends, dwells)
        done = self._clock(begins, finals, lines[:, 0], start)
        left = np.repeat(last, lengths) - np.arange(len(stops))  # pixels of the line behind each
        behind = np.where(left > 0, lines[:, 1].repeat(lengths), 0.0)
        return done.repeat(lengths) - behind - left * lines[:, 2].repeat(lengths)

    def path(
        self,
        stops: ArrayLike,
        start: ArrayLike | None = None,
        lengths: NDArray[np.int64] | None = None,
    ) -> float:
        """S to measure (K, 2) points in their order; as `clock`."""
        return float(self.clock(stops, start, lengths)[-1]) if len(np.asarray(stops)) else 0.0

    def _clock(
        self,
        begins: NDArray[np.float64],
        finals: NDArray[np.float64],
        seconds: NDArray[np.float64],
        start: ArrayLike | None,
    ) -> NDArray[np.float64]:
        first = begins[:1] if start is None else np.asarray(start, float).reshape(1, 2)
        before = np.concatenate([first, finals[:-1]])
        return np.cumsum(self.moves(before, begins) + seconds)

    def lines(
        self, ends: NDArray[np.int64], dwells: NDArray[np.float64] | float = 1.0
    ) -> NDArray[np.float64]:
        """(S, 3) s of segments of pixels: in all, of that to come to rest, and of each pixel.

        Parameters
        ----------
        ends : (S, 2, 2) ndarray
            First and last pixel of each, the same of a point, which the stage stops at.
        dwells : (S,) ndarray of float64, or float
            So many of the stage's dwells each pixel takes.
        """
        way = np.abs(np.diff(ends, axis=1)[:, 0])
        bins, axis = way.max(axis=1) + 1, np.argmax(way, axis=1)
        dwell = self.dwell * np.broadcast_to(dwells, len(ends))
        each = np.maximum(dwell, 1.0 / np.asarray(self.speed)[axis])
        ramp = np.array(self.acceleration)[axis] / (each * np.array(self.speed)[axis])
        flown = self.settle + self.overhead + bins * each + 2 * ramp
        behind = self.overhead + ramp
        stopped = self.exposure - self.dwell + dwell
        return np.stack([np.where(bins > 1, flown, stopped), behind, each], axis=-1)

    def places(
        self, ends: NDArray[np.generic], dwells: NDArray[np.float64] | float = 1.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(S, 2) places from which segments are flown, and where the stage then comes to rest.

        Before the first pixel's edge there is the way to gather speed, behind the last one's the
        way to lose it; a point is its own place.  As `lines`.
        """
        first, last = ends[:, 0].astype(float), ends[:, 1].astype(float)
        speed = np.array(self.speed)
        each = np.maximum(self.dwell * np.broadcast_to(dwells, len(ends))[:, None], 1.0 / speed)
        run = np.array(self.acceleration) / (each * speed) / each / 2
        out = np.sign(last - first) * (0.5 + run)
        return first - out, last + out

    def line(self, length: float, bins: int, axis: int = 1) -> tuple[float, float]:
        """Time of a straight line flown at constant speed, and the way to gather it.

        Parameters
        ----------
        length : float
            Units, of all bins together.
        bins : int
            Exposures along it: each takes the dwell, or longer where the axis is no faster.
        axis : int
            The axis that flies: 0 slow, 1 fast.

        Returns
        -------
        seconds, run : float
            s from rest to rest with settling and overhead; units before the line in which
            the axis gathers speed, and behind it in which it comes to rest.
        """
        full, ramp = self.speed[axis], self.acceleration[axis]
        seconds = max(bins * self.dwell, length / full)
        speed = length / seconds if seconds else 0.0
        gather = ramp * speed / full
        return self.settle + self.overhead + seconds + 2 * gather, gather * speed / 2

    def rows_flown(self, rows: ArrayLike, columns: int) -> float:
        """S to fly whole rows, each of so many pixels, to and fro in the order given.

        Parameters
        ----------
        rows : (K,) array-like of float
            Where they lie on the slow axis; the fast axis counts pixels.
        columns : int
            Pixels of a row, each measured for the dwell.
        """
        rows = np.asarray(rows, float)
        seconds, run = self.line(columns, columns)
        left, right = -0.5 - run, columns - 0.5 + run
        forth = np.arange(len(rows)) % 2 == 0
        begins = np.column_stack([rows, np.where(forth, left, right)])
        ends = np.column_stack([rows, np.where(forth, right, left)])
        return len(rows) * seconds + float(self.moves(ends[:-1], begins[1:]).sum())

    def describe(self) -> dict[str, Any]:
        """JSON-able form, as it stands in documents."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def of(cls, description: StageTime | Mapping[str, Any]) -> StageTime:
        """Read a description: what ``describe()`` gives, or the few of its entries that differ.

        Raises
        ------
        ValueError
            If an entry is none of the stage's, or makes no sense.
        """
        if isinstance(description, StageTime):
            return description
        known = [field.name for field in fields(cls)]
        if not isinstance(description, Mapping) or not set(description) <= set(known):
            raise ValueError(
                f"a stage is described by {', '.join(known)}, but {description!r} came"
            )
        return cls(**description)

    def _axes(self) -> NDArray[np.float64]:
        """(2, 3) speed, acceleration and backlash of the axes."""
        return np.array([getattr(self, name) for name in AXES]).T.copy()


def _numbers(name: str, given: Any) -> tuple[float, ...]:
    """Check what was given for one of the entries; a lone number stands for both axes."""
    least, expected = RANGES.get(name, (0.0, "0 or more"))
    try:
        numbers = tuple(map(float, np.atleast_1d(given)))
        sensible = all(math.isfinite(n) and n >= least for n in numbers)
    except (TypeError, ValueError):
        numbers, sensible = (), False
    count = 2 if name in AXES else 1
    if not sensible or len(numbers) not in (1, count):
        what = "one number, or slow and fast," if name in AXES else "a number,"
        raise ValueError(f"a stage's {name} is {what} {expected}, but {given!r} came")
    return numbers * (count // len(numbers))


@njit(cache=True)
def _moves(way, axes):
    seconds = np.empty(len(way))
    for k in range(len(way)):
        seconds[k] = max(_axis(way[k, 0], axes[0]), _axis(way[k, 1], axes[1]))
    return seconds


@njit(cache=True)
def _between(here, there, axes):
    seconds = np.empty((len(here), len(there)))
    for i in range(len(here)):
        for k in range(len(there)):
            slow = _axis(there[k, 0] - here[i, 0], axes[0])
            seconds[i, k] = max(slow, _axis(there[k, 1] - here[i, 1], axes[1]))
    return seconds


@njit(cache=True)
def _axis(way, axis):
    """Rest to rest over a signed way, the backlash taken up."""
    speed, ramp, backlash = axis
    if way * backlash < 0:
        back = abs(backlash)
        return _rest_to_rest(abs(way) + back, speed, ramp) + _rest_to_rest(back, speed, ramp)
    return _rest_to_rest(abs(way), speed, ramp)


@njit(cache=True)
def _rest_to_rest(distance, speed, ramp):
    """A trapezoid; a triangle where the way is too short for full speed."""
    if distance < speed * ramp:
        return 2 * np.sqrt(distance * ramp / speed)
    return distance / speed + ramp * (distance > 0)
