"""A run as people want to see it, put together from its documents alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import (
    INTERVENTIONS,
    CountedTime,
    EventReader,
    Observation,
    Observations,
    ScanGrid,
    scanned_grid,
    steering_keys,
)
from ..models import SparseScan, inverse_distance
from ..storage import last_wins
from .interventions import InterventionPoint, intervention_of
from .run_points import DecisionPoint, MeasuredPoint, decision_of

Image = NDArray[np.float64]  # (M, N)
Documents = Iterable[tuple[str, Mapping[str, Any]]]
PRIMARY, DECISIONS = "primary", "decisions"


@dataclass(frozen=True, eq=False)
class Channel:
    """One of the readings that are mapped.

    Attributes
    ----------
    key : str
        Its data key.
    units : str
        Its units; empty where the documents give none.
    scan : SparseScan
        Its usable values, one a pixel, in the order measured.
    """

    key: str
    units: str
    scan: SparseScan

    def reconstruct(self) -> Image:
        """(M, N) inverse-distance map."""
        return inverse_distance(self.scan)


@dataclass(frozen=True, eq=False)
class RunSummary:
    """What a run's documents say.

    Attributes
    ----------
    start : mapping
        Its start document.
    stop : mapping or None
        Its stop document; None of a run that was cut off.
    grid : ScanGrid
    key : str
        Data key of the steering reading; of several the first one's.
    units : str
        Its units; empty where the documents give none.
    axis_units : (2,) tuple of str
        Units of the slow and of the fast axis; empty where the documents give none.
    events : tuple of MeasuredPoint
        Each event once (of those that a rewind doubled the last), in the order measured.
    decisions : tuple of DecisionPoint
        Each decision once, in order; none where no agent steered.
    scan : SparseScan
        The usable values, one a pixel, in the order measured.
    seconds : float
        From the start document to the last document, without the time between a run that was
        cut off and the one that went on with it.
    stop_reason : str
        Why the run ended, as far as the documents tell.
    interventions : tuple of InterventionPoint
        What people said and rules did, in order.
    further : tuple of (key, units)
        Data keys and units of the further channels, where several steer together.
    """

    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None
    grid: ScanGrid
    key: str
    units: str
    axis_units: tuple[str, str]
    events: tuple[MeasuredPoint, ...]
    decisions: tuple[DecisionPoint, ...]
    scan: SparseScan
    seconds: float
    stop_reason: str
    interventions: tuple[InterventionPoint, ...] = ()
    further: tuple[tuple[str, str], ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Every reading that is mapped, the first one first."""
        named = ((self.key, self.units), *self.further)
        if not len(self.scan.values):  # a scan of nothing does not know its channels
            return tuple(Channel(*each, self.scan) for each in named)
        return tuple(
            Channel(*each, scan) for each, scan in zip(named, self.scan.channels, strict=True)
        )

    @property
    def keys(self) -> str:
        """Their data keys, as a title has them."""
        return ", ".join(channel.key for channel in self.channels)

    @property
    def record(self) -> Mapping[str, Any]:
        """The settings of an adaptive scan, out of the start document; empty of other plans."""
        return self.start.get("skysteer") or {}

    @property
    def agent(self) -> str:
        """Who chose the points: the agent, or else the plan."""
        return str(self.record.get("agent") or self.start.get("plan_name") or "unknown plan")

    @property
    def resumptions(self) -> Sequence[Mapping[str, Any]]:
        """The runs that went on with the first one, as `storage.as_one_run` describes them."""
        return self.start.get("resumptions") or ()

    @property
    def spacings(self) -> NDArray[np.float64]:
        """Seconds from each event to the next of the same run."""
        first = {each["after"] for each in self.resumptions}
        between = np.diff([event.time for event in self.events])
        return between[[k + 1 not in first for k in range(len(between))]]

    @property
    def count_times(self) -> tuple[float, ...]:
        """Seconds for which each event was counted; empty where the scan did not choose them."""
        counted = CountedTime.of(self.record)
        return () if counted is None else tuple(counted.nominal * e.exposure for e in self.events)

    @property
    def exposures(self) -> int:
        """Exposures made, repeated ones included, as far as the documents tell."""
        return max((len(self.events), *(d.exposures for d in self.decisions)))

    @property
    def dose(self) -> float:
        """Their time, in the scan's nominal dwells."""
        told = sum(event.exposure for event in self.events if event.exposure > 0)
        return max((told, *(d.dose for d in self.decisions)))


def summarize(documents: Documents) -> RunSummary:
    """Put one run's documents together.

    Parameters
    ----------
    documents : iterable of (name, document)
        Of one run, in the order emitted, as a journal or a catalog gives them; pages of events
        and runs without a stop document are welcome.

    Raises
    ------
    ValueError
        If the documents are not those of one run, or do not tell what grid it scanned.

    Examples
    --------
    ``summarize(read_run("runs").documents())`` of a folder's latest run.
    """
    once = last_wins((name, dict(doc)) for name, doc in documents)
    starts = [doc for name, doc in once if name == "start"]
    if len(starts) != 1:
        raise ValueError(
            f"a summary is made of one run's documents, but {len(starts)} start documents came: "
            "give the documents of one run, its start first"
        )
    start, stop = starts[0], next((doc for name, doc in once if name == "stop"), None)
    streams = {doc["uid"]: doc["name"] for name, doc in once if name == "descriptor"}
    descriptors = [doc for name, doc in once if name == "descriptor" and doc["name"] == PRIMARY]
    grid, keys = scanned_grid(start), steering_keys(start, descriptors)
    events = _events(once, streams, PRIMARY)
    counted = CountedTime.of(start.get("skysteer") or {})
    measured = _measured(EventReader(grid, keys, PRIMARY, counted=counted), descriptors, events)
    _check_on_grid(start, grid, measured)
    decisions = tuple(decision_of(doc["data"]) for doc in _events(once, streams, DECISIONS))
    return RunSummary(
        start=start,
        stop=stop,
        grid=grid,
        key=keys[0],
        units=units_of(descriptors, keys[0]),
        axis_units=(units_of(descriptors, grid.slow.name), units_of(descriptors, grid.fast.name)),
        events=measured,
        decisions=decisions,
        scan=_observations(measured, adds=counted is not None).scan(grid.shape),
        seconds=active_seconds(start, max(doc.get("time", 0.0) for _, doc in once)),
        stop_reason=stop_reason_of(stop, decisions),
        interventions=tuple(intervention_of(doc) for doc in _events(once, streams, INTERVENTIONS)),
        further=tuple((key, units_of(descriptors, key)) for key in keys[1:]),
    )


def _events(
    documents: Documents, streams: Mapping[str, str], stream: str
) -> list[Mapping[str, Any]]:
    """A stream's events by number: after a rewind the numbers go on from the checkpoint."""
    events = [
        doc for name, doc in documents if name == "event" and streams[doc["descriptor"]] == stream
    ]
    return sorted(events, key=lambda event: event["seq_num"])


def _observations(measured: Sequence[MeasuredPoint], *, adds: bool) -> Observations:
    log = (Observation(e.seq_num, e.row, e.column, e.value, e.others, e.exposure) for e in measured)
    return Observations(log, adds=adds)


def _measured(
    reader: EventReader,
    descriptors: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
) -> tuple[MeasuredPoint, ...]:
    """The points, their pixels found as the agent found them."""
    grid = reader.grid
    for descriptor in descriptors:
        reader("descriptor", descriptor)
    for event in events:
        reader("event", event)
    return tuple(
        MeasuredPoint(
            entry.id,
            entry.row,
            entry.column,
            float(event["data"][grid.fast.name]),
            float(event["data"][grid.slow.name]),
            entry.value,
            float(event["time"]),
            entry.exposure,
            entry.others,
        )
        for entry, event in zip(reader.observations.log, events, strict=True)
    )


def _check_on_grid(
    start: Mapping[str, Any], grid: ScanGrid, measured: Sequence[MeasuredPoint]
) -> None:
    """Refuse extents that the readings contradict; an adaptive scan's grid is its own."""
    off = sum(point.row < 0 for point in measured)
    if "skysteer" not in start and off > len(measured) / 2:
        axes = ", ".join(f"{a.name!r} {a.start:g} to {a.stop:g}" for a in (grid.slow, grid.fast))
        raise ValueError(
            f"{off} of {len(measured)} points lie off the grid that the start document of run "
            f"{start['uid']} gives ({axes}): its extents are not those of the readbacks"
        )


def active_seconds(start: Mapping[str, Any], until: float) -> float:
    """Seconds of a run until a moment, without those between its parts."""
    idle = sum(each["idle"] for each in start.get("resumptions") or ())
    return float(until - start["time"] - idle)


def units_of(descriptors: Sequence[Mapping[str, Any]], key: str) -> str:
    """Units of a data key; empty where the descriptors give none."""
    for descriptor in descriptors:
        if units := descriptor["data_keys"].get(key, {}).get("units"):
            return str(units)
    return ""


def stop_reason_of(stop: Mapping[str, Any] | None, decisions: Sequence[DecisionPoint]) -> str:
    """Why a run ended, as far as its documents tell."""
    told = [d.stop_reason for d in decisions if d.stop_reason]
    if stop is None:
        return "cut off: there is no stop document"
    if stop["exit_status"] == "success":
        return told[-1] if told else "the plan was done"
    return f"{stop['exit_status']}: {stop.get('reason') or 'no reason given'}"
