"""Flights: straight stretches that the stage flies over while a detector counts bin after bin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..agent import ScanGrid, StageTime

Pixels = NDArray[np.int64]
MARGIN = 0.02  # of a pixel, flown at full speed before the first bin and behind the last one
OFF = 2  # times a motor's tolerance, the same: it may come to rest so far beside its target
SLOWER = (1.0, 0.7, 0.5)  # times the speed wanted, where the run-up does not fit


@dataclass(frozen=True, eq=False)
class Flight:
    """A segment, and how it is flown.

    Attributes
    ----------
    pixels : (L, 2) ndarray of int64
        One a bin, in the order of the flight.
    axis : str
        Data key of the readback of the axis that flies.
    start : float
        Where the first bin begins, motor units.
    pitch : float
        Width of a bin, motor units; negative where the axis flies backwards.
    dwell : float
        s in which the axis passes a bin.
    begin, end : dict
        Position where the axis starts to gather speed, and where it comes to rest; motor units
        by axis.
    acceleration : float
        s from rest to the flight's speed.
    """

    pixels: Pixels
    axis: str
    start: float
    pitch: float
    dwell: float
    begin: Mapping[str, float]
    end: Mapping[str, float]
    acceleration: float

    @property
    def bins(self) -> int:
        """How many."""
        return len(self.pixels)

    @property
    def speed(self) -> float:
        """Motor units/s over the bins."""
        return abs(self.pitch) / self.dwell

    @property
    def centres(self) -> NDArray[np.float64]:
        """(L,) middles of the bins, motor units."""
        return np.asarray(self.start + self.pitch * (np.arange(self.bins) + 0.5), np.float64)


@runtime_checkable
class FlyingDetector(Protocol):
    """A detector that counts bin after bin while an axis flies by.

    What a beamline's own position-triggered detector (a multichannel scaler, a Zebra or PandA box
    before one) needs for ``adaptive_scan(..., fly=...)``, beside being a bluesky readable: these
    methods. Statuses are bluesky's; one that fails fails the flight, in its own words.
    """

    name: str

    def prepare(self, axis: str, *, start: float, pitch: float, bins: int, dwell: float) -> Any:
        """Get ready for a flight, dropping what was counted before.

        Parameters
        ----------
        axis
            Data key of the readback of the axis that flies.
        start, pitch
            Where the first bin begins, and each one's width, motor units; a negative width where
            the axis flies backwards.
        bins
            How many.
        dwell
            s in which the axis passes a bin.

        Returns
        -------
        Status
            Done when it waits for the axis to pass ``start``.
        """
        ...

    def complete(self) -> Any:
        """Hear that the axis rests: what has not been counted by now will not be.

        Also called after a flight that was cut short, by a stalled motor, say.

        Returns
        -------
        Status
            Done when ``bins`` can be read.
        """
        ...

    def bins(self) -> Mapping[str, Sequence[float]]:
        """What was counted, bin by bin in the order of the flight; blocking, or a coroutine.

        Returns
        -------
        mapping
            By the data keys of its own ``read()``, with that which steers among them, and by
            those of the axes' readbacks (of the one that flies, and of the other if it is
            measured): sequences of equal length, shorter than asked for where the flight was cut
            short. The readbacks are where each bin was truly counted.
        """
        ...

    def stop(self, *, success: bool = False) -> None:
        """Give up at once, without waiting; what was counted may still be read."""
        ...


def plan_flight(
    pixels: Pixels,
    grid: ScanGrid,
    stage: StageTime,
    objection: Callable[[Mapping[str, float], Mapping[str, float]], str | None],
    tolerance: Mapping[str, float] | None = None,
) -> Flight | str:
    """Find the quickest flight over a segment that the guard lets through.

    Where there is no room to gather full speed it flies slower, down to half of that.

    Parameters
    ----------
    pixels : (L, 2) ndarray of int64
        Neighbours on a line along an axis, two or more.
    grid : ScanGrid
    stage : StageTime
        In motor units; each bin takes its dwell, or longer where the axis is no faster.
    objection : callable
        Why the stage may not go to a position from another (motor units by axis); None if it may.
    tolerance : mapping, optional
        How far beside its target each motor may come to rest, in its units, by axis.

    Returns
    -------
    Flight or str
        Why there is none.
    """
    why: str | None = None
    for factor in SLOWER:
        flight = _flight(pixels, grid, stage, factor, tolerance or {})
        why = objection(flight.begin, {}) or objection(flight.end, flight.begin)
        if why is None:
            return flight
    return str(why)


def _flight(
    pixels: Pixels,
    grid: ScanGrid,
    stage: StageTime,
    factor: float,
    tolerance: Mapping[str, float],
) -> Flight:
    number = int(pixels[0, 0] == pixels[-1, 0])  # of the axis: 0 slow, 1 fast
    axis = (grid.slow, grid.fast)[number]
    pitch = axis.pitch * float(np.sign(pixels[-1, number] - pixels[0, number]))
    dwell = max(stage.dwell, abs(pitch) / stage.speed[number]) / factor
    acceleration = stage.acceleration[number] * abs(pitch) / dwell / stage.speed[number]
    margin = max(MARGIN * abs(pitch), OFF * tolerance.get(axis.name, 0.0))
    run = acceleration * pitch / dwell / 2 + margin * float(np.sign(pitch))
    first, last = (grid.position((int(row), int(column))) for row, column in pixels[[0, -1]])
    start = first[axis.name] - pitch / 2
    stop = last[axis.name] + pitch / 2
    return Flight(
        pixels,
        axis.name,
        start,
        pitch,
        dwell,
        {**first, axis.name: start - run},
        {**last, axis.name: stop + run},
        acceleration,
    )
