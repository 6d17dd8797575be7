"""A run's points and decisions as people want to see them, each out of one event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class MeasuredPoint:
    """One event of the primary stream.

    Attributes
    ----------
    seq_num : int
        The event's number, from 1.
    row, column : int
        Pixel nearest to the readbacks; -1 where they were off the grid.
    x, y : float
        Readbacks of the fast and of the slow axis, in motor units.
    value : float
        The steering reading; NaN or inf where it is unusable.
    time : float
        When the event was read, seconds since 1970.
    exposure : float
        How long it was counted, in nominal dwells, where the scan chooses its dwell.
    others : tuple of float
        The readings of the further channels, where several steer together.
    """

    seq_num: int
    row: int
    column: int
    x: float
    y: float
    value: float
    time: float
    exposure: float = 1.0
    others: tuple[float, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether any channel gave a number."""
        return any(map(math.isfinite, (self.value, *self.others)))


@dataclass(frozen=True)
class DecisionPoint:
    """One event of the decisions stream, its targets left out.

    Attributes
    ----------
    number : int
        Its place in the run, from 0.
    source : str
        Who chose; empty where the run ended instead.
    count, refused : int
        Targets that the guard let through, and that it refused.
    seen : int
        Observations that it was made from, revisions included.
    ms, cpu_ms, waited_ms : float
        Wall and processor time that it took, and how long the scan waited for it, milliseconds.
    expected_error : float
        The NRMSE that the agent expected of its map; NaN where it had no idea.
    note : str
        Why the agent did not choose by itself, or what the guard refused.
    stop_reason : str
        Why the run ended here; empty while it went on.
    exposures : int
        Exposures made by then, repeated ones included; 0 where the event does not tell.
    dose : float
        Their time, in the scan's nominal dwells.
    error_low, error_high : float
        Four times in five the map's NRMSE lies between; NaN where the agent does not say.
    """

    number: int
    source: str
    count: int
    refused: int
    seen: int
    ms: float
    cpu_ms: float
    waited_ms: float
    expected_error: float
    note: str
    stop_reason: str
    exposures: int = 0
    dose: float = 0.0
    error_low: float = float("nan")
    error_high: float = float("nan")


def decision_of(data: Mapping[str, Any]) -> DecisionPoint:
    """Read an event of the decisions stream."""

    def said(name: str) -> Any:
        return data[f"decision_{name}"]

    return DecisionPoint(
        number=int(said("number")),
        source=str(said("source")),
        count=int(said("count")),
        refused=int(said("refused")),
        seen=int(said("seen")),
        ms=float(said("ms")),
        cpu_ms=float(said("cpu_ms")),
        waited_ms=float(said("waited_ms")),
        expected_error=float(said("expected_error")),
        note=str(said("note")),
        stop_reason=str(said("stop_reason")),
        exposures=int(data.get("decision_exposures", 0)),
        dose=float(data.get("decision_dose", data.get("decision_exposures", 0))),
        error_low=float(data.get("decision_error_low", np.nan)),
        error_high=float(data.get("decision_error_high", np.nan)),
    )
