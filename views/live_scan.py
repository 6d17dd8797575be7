"""A run while it goes on: its documents folded, as they come, into what a live picture shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import INTERVENTIONS, CountedTime, EventReader, ScanGrid, scanned_grid, steering_keys
from ..models import ErrorMap, SparseScan
from .interventions import InterventionPoint, intervention_of
from .run_points import DecisionPoint, MeasuredPoint, decision_of
from .summary import (
    DECISIONS,
    PRIMARY,
    Image,
    RunSummary,
    active_seconds,
    stop_reason_of,
    units_of,
)

MOMENTS = 8  # at which the error is estimated between two views, at most


@dataclass(frozen=True, eq=False)
class Batch:
    """The batch that is being measured.

    Attributes
    ----------
    decision : DecisionPoint
    pixels : (K, 2) ndarray of int64
        Its targets in the order of the visit.
    scores : (K,) ndarray of float64
        What each was expected to gain, in the agent's measure; NaN where it has none.
    """

    decision: DecisionPoint
    pixels: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LiveView:
    """What is known of a run at one moment.

    Attributes
    ----------
    summary : RunSummary
        As far as the run went.
    images : tuple of (M, N) ndarray of float64
        Inverse-distance map of each channel, in the units of its values.
    errors : tuple of (M, N) ndarray of float64
        Error expected of it from the residuals of the measured pixels, in the same units.
    batch : Batch or None
        None where no agent steers.
    curve : (C, 2) ndarray of float64
        Points, and the NRMSE expected of the map: by the agent, or else from the residuals.
    current : (P,) ndarray of float64
        The ring's current at each point, in ``current_units``; empty where it was not recorded.
    current_units : str
    """

    summary: RunSummary
    images: tuple[Image, ...]
    errors: tuple[Image, ...]
    batch: Batch | None
    curve: NDArray[np.float64]
    current: NDArray[np.float64]
    current_units: str


class LiveScan:
    """Takes the documents of one run.

    Parameters
    ----------
    start : mapping
        The run's start document.
    current : str, optional
        Data key of the ring current; a number whose key ends with ``current``, where not given.

    Raises
    ------
    ValueError
        If the start document does not tell what grid is scanned.

    Attributes
    ----------
    batch : Batch or None
        The latest one; None where no agent steers.
    """

    def __init__(self, start: Mapping[str, Any], current: str | None = None) -> None:
        self.start = start
        self.grid: ScanGrid = scanned_grid(start)
        self._current_key = current
        self._descriptors: list[Mapping[str, Any]] = []
        self._streams: dict[str, str] = {}
        # of an adaptive scan from the start: interventions may come before the first point
        self._reader = self._new_reader([]) if start.get("skysteer") else None
        self._points: dict[int, MeasuredPoint] = {}
        self._currents: dict[int, float] = {}
        self._decisions: dict[int, DecisionPoint] = {}
        self._interventions: dict[int, InterventionPoint] = {}
        self.batch: Batch | None = None
        self._map = ErrorMap(self.grid.shape)
        self._errors: dict[int, float] = {}
        self._stop: Mapping[str, Any] | None = None
        self._last = float(start["time"])

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        if name == "descriptor":
            self._describe(doc)
        elif name == "event":
            self._hear(doc)
        elif name == "stop":
            self._stop = doc
        self._last = max(self._last, float(doc.get("time", 0.0)))

    def view(self) -> LiveView | None:
        """What is known now; None before the first usable value."""
        summary = self.summary()
        if summary is None or not len(summary.scan.values):
            return None
        self._follow(summary.scan)
        return LiveView(
            summary,
            tuple(channel.estimates for channel in self._map.channels),
            tuple(np.sqrt(channel.squared_error) for channel in self._map.channels),
            self.batch,
            self._curve(),
            np.array(list(self._currents.values())),
            units_of(self._descriptors, self._current_key or ""),
        )

    def summary(self) -> RunSummary | None:
        """What the documents say by now; None of a plan not ours that has measured nothing yet."""
        reader = self._reader
        if reader is None:
            return None
        return RunSummary(
            start=self.start,
            stop=self._stop,
            grid=self.grid,
            key=reader.key,
            units=units_of(self._descriptors, reader.key),
            axis_units=(
                units_of(self._descriptors, self.grid.slow.name),
                units_of(self._descriptors, self.grid.fast.name),
            ),
            events=tuple(self._points.values()),
            decisions=tuple(self._decisions.values()),
            scan=reader.observations.scan(self.grid.shape),
            seconds=active_seconds(self.start, self._last),
            stop_reason=self._reason(),
            interventions=tuple(self._interventions.values()),
            further=tuple((key, units_of(self._descriptors, key)) for key in reader.keys[1:]),
        )

    def _describe(self, doc: Mapping[str, Any]) -> None:
        self._streams[doc["uid"]] = doc["name"]
        if doc["name"] == PRIMARY:
            self._descriptors.append(doc)
            self._current_key = self._current_key or _current_key(doc["data_keys"])
            self._reader = self._reader or self._new_reader([doc])
        if self._reader is not None:
            self._reader("descriptor", doc)

    def _new_reader(self, descriptors: Sequence[Mapping[str, Any]]) -> EventReader:
        counted = CountedTime.of(self.start.get("skysteer") or {})
        return EventReader(
            self.grid, steering_keys(self.start, descriptors), PRIMARY, counted=counted
        )

    def _hear(self, doc: Mapping[str, Any]) -> None:
        stream, data = self._streams.get(doc["descriptor"]), doc["data"]
        if self._reader is not None:
            self._reader("event", doc)
        if stream == PRIMARY and self._reader is not None:
            entry = self._reader.observations.log[-1]
            x, y = (float(data[axis.name]) for axis in (self.grid.fast, self.grid.slow))
            number = doc["seq_num"]
            self._points[number] = MeasuredPoint(
                number, entry.row, entry.column, x, y, entry.value, float(doc["time"]),
                entry.exposure, entry.others,
            )  # fmt: skip
            if self._current_key in data:
                self._currents[number] = float(data[self._current_key])
        elif stream == DECISIONS:
            self._decide(data)
        elif stream == INTERVENTIONS:
            said = intervention_of(doc)
            self._interventions[said.number] = said

    def _decide(self, data: Mapping[str, Any]) -> None:
        decision = decision_of(data)
        self._decisions[decision.number] = decision
        if decision.count:
            rows, columns, scores = (
                np.asarray(data[f"decision_{name}"])[: decision.count]
                for name in ("rows", "columns", "scores")
            )
            pixels = np.stack([rows, columns], axis=1).astype(np.int64)
            self.batch = Batch(decision, pixels, scores.astype(np.float64))

    def _follow(self, scan: SparseScan) -> None:
        """Bring the map up to date, by way of some moments since the last view."""
        now = len(scan.values)
        known = max((n for n in self._errors if n < now), default=0)
        for n in np.unique(np.linspace(known, now, MOMENTS + 1).astype(int)[1:]):
            if n:
                self._map.update(scan.first(n))
                self._errors[int(n)] = self._map.expected_nrmse

    def _curve(self) -> NDArray[np.float64]:
        """Points and errors: the agent's word on it where it has one."""
        told = [(d.seen, d.expected_error) for d in self._decisions.values()]
        told = [each for each in told if np.isfinite(each[1])] or list(self._errors.items())
        return np.array(told, dtype=np.float64).reshape(-1, 2)

    def _reason(self) -> str:
        if self._stop is None:
            return ""
        return stop_reason_of(self._stop, tuple(self._decisions.values()))


def _current_key(data_keys: Mapping[str, Any]) -> str | None:
    """The ring current among the readings: a single number whose key ends so."""
    return next(
        (
            key
            for key, kind in data_keys.items()
            if key.lower().endswith("current") and kind["dtype"] in ("number", "integer")
        ),
        None,
    )
