"""A past run through the agents of today: what would they have chosen, what would it have saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..agent import (
    CountedTime,
    EventReader,
    History,
    ScanGrid,
    coverage,
    grid_of_positions,
    scanned_grid,
    steering_keys,
)
from ..models import SparseScan, inverse_distance, nrmse
from ..plans import decide_again
from .simulate import trajectories
from .trajectory import points_at

Documents = Iterable[tuple[str, Mapping[str, Any]]]

OF_A_RASTER = (0.05, 0.1, 0.15, 0.2, 0.3)
"""Coverages at which the map of a replayed raster is compared."""
OF_A_SCAN = (0.25, 0.5, 0.75, 1.0)
"""The same for a scan that left pixels out, as shares of its own points."""
FULL = 0.99
"""Share of the pixels from which on a run counts as a full raster: a few readings may be NaN."""
LARGEST_BATCH = 50


@dataclass(frozen=True, eq=False)
class PastScan:
    """A run's map, and what it took.

    Attributes
    ----------
    uid : str
    agent : str
        Who chose the points: the agent, or else the plan.
    scan : SparseScan
        What was measured, in the order measured.
    seconds_per_point : float
        Median time from one point to the next.
    """

    uid: str
    agent: str
    scan: SparseScan
    seconds_per_point: float

    @property
    def full(self) -> bool:
        """Whether every pixel was measured."""
        return self.scan.coverage >= FULL

    @property
    def truth(self) -> NDArray[np.float64]:
        """(M, N) the map from all that was measured; of a full raster the data themselves.

        (C, M, N) of several channels.
        """
        maps = [inverse_distance(channel) for channel in self.scan.channels]
        return maps[0] if len(maps) == 1 else np.array(maps)

    def distance(self, scan: SparseScan) -> float:
        """NRMSE of a scan's map against what was measured, there where it was measured.

        Of several channels the mean.
        """
        at = tuple(self.scan.pixels.T)
        errors = [
            nrmse(mine.values[None], inverse_distance(its)[at][None])
            for mine, its in zip(self.scan.channels, scan.channels, strict=True)
        ]
        return float(np.mean(errors))


def read_past_scan(documents: Documents, key: str | Sequence[str] | None = None) -> PastScan:
    """Take a run's map out of its documents: of any plan that scanned a grid.

    Parameters
    ----------
    documents : iterable of (name, document)
        Of one run, events without doubles.
    key : str or sequence of str, optional
        Data keys of the readings; the steering ones, or the first detector's, by default.

    Raises
    ------
    ValueError
        If the run scanned no grid, or has no usable reading.
    """
    documents = list(documents)
    start = next(doc for name, doc in documents if name == "start")
    descriptors = [doc for name, doc in documents if name == "descriptor"]
    primary = [each for each in descriptors if each["name"] == "primary"]
    mine = {each["uid"] for each in primary}
    events = [doc for name, doc in documents if name == "event" and doc["descriptor"] in mine]
    grid = _grid(start, primary, events)
    counted = CountedTime.of(start.get("skysteer") or {})
    reader = EventReader(grid, key or steering_keys(start, primary), counted=counted)
    scan = reader.read(documents).scan(grid.shape)
    if len(scan.values) < 2:
        raise ValueError(f"run {start['uid']} has no usable readings of {reader.key!r} to replay")
    spacings = np.diff([event["time"] for event in events])
    record = start.get("skysteer") or {}
    agent = str(record.get("agent") or start.get("plan_name") or "unknown plan")
    return PastScan(str(start["uid"]), agent, scan, float(np.median(spacings)))


def replay(
    past: PastScan,
    agents: Sequence[str],
    coverages: Sequence[float] = (),
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    batch: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Let agents scan what a run has measured; a progress bar shows how far it is.

    Where the run left pixels out, an agent reads the run's own map there, so that the figures say
    how soon it would have found what the run found, not what the run has missed.

    Parameters
    ----------
    past : PastScan
    agents : sequence of str
    coverages : sequence of float
        Shares of the grid after which maps are compared; some of the run's own by default.
    seed, options
        As in ``compare_agents``.
    batch : int, optional
        Points between two decisions; a third of a percent of the grid, at most 50, by default.

    Yields
    ------
    dict
        ``uid, agent, coverage, points``; ``nrmse`` of the agent's map ``against`` the full data
        or the measured pixels; ``nrmse_recorded``, that of the run's own first so many points;
        ``points_saved`` and ``seconds_saved`` against the whole run, at its pace.
    """
    for share in coverages:
        coverage(share)
    measured = len(past.scan.values)
    shares = coverages or [
        *(OF_A_RASTER if past.full else (past.scan.coverage * part for part in OF_A_SCAN))
    ]
    truth = past.truth
    pixels = truth.shape[-2] * truth.shape[-1]
    size = batch or usual_batch(pixels)
    for _, agent, share, trajectory in trajectories(
        {past.uid: truth}, agents, shares, batch=size, seed=seed, options=options
    ):
        points = points_at(share, truth.shape)
        yield {
            "uid": past.uid,
            "recorded_by": past.agent,
            "agent": agent,
            "coverage": points / pixels,
            "points": points,
            "nrmse": past.distance(trajectory.first(points)),
            "nrmse_recorded": past.distance(past.scan.first(points)),
            "against": "full data" if past.full else "measured pixels",
            "points_saved": measured - points,
            "seconds_saved": (measured - points) * past.seconds_per_point,
        }


def usual_batch(pixels: int) -> int:
    """Points between two decisions on a grid of so many: a third of a percent, 1 to 50."""
    return int(np.clip(pixels // 300, 1, LARGEST_BATCH))


def check_decisions(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Make every decision of an adaptive scan once more, from its documents alone.

    Returns
    -------
    dict
        ``uid, agent, decisions, identical``; ``first_different`` (-1 where none is) and ``what``
        of it differs, ``digest`` or ``pixels``.
    """
    past = History.of(documents)
    differing: list[tuple[int, str]] = []
    with tqdm(total=len(past.made), unit="decision", delay=2.0, leave=False, disable=None) as bar:
        for number, what in decide_again(past):
            bar.update()
            if what:
                differing.append((number, what))
    first, what = differing[0] if differing else (-1, "")
    return {
        "uid": past.uid,
        "agent": past.agent,
        "decisions": len(past.made),
        "identical": len(past.made) - len(differing),
        "first_different": first,
        "what": what,
    }


def _grid(
    start: Mapping[str, Any],
    primary: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
) -> ScanGrid:
    """The grid that the start document tells of, or else that on which the points lie."""
    try:
        return scanned_grid(start)
    except ValueError:
        motors = list(start.get("motors") or ())
        if len(motors) != 2 or not events:
            raise
    axes = [_position_key(motor, primary) for motor in motors]
    return grid_of_positions({axis: np.array([e["data"][axis] for e in events]) for axis in axes})


def _position_key(motor: str, primary: Sequence[Mapping[str, Any]]) -> str:
    for descriptor in primary:
        for key in descriptor.get("hints", {}).get(motor, {}).get("fields", []):
            return str(key)
    return motor
