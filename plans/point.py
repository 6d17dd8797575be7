"""One point: move, settle, read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps

from ..agent import EventReader
from .logbook import Logbook, Plan

PerStep = Callable[[Sequence[Any], Mapping[Any, float], dict[Any, Any]], Plan]


@dataclass(frozen=True)
class Measurement:
    """How a point is measured, and who hears of it.

    Attributes
    ----------
    detectors : list of readables
    motors : dict
        The motors by the axis that they move.
    settle : float
        Seconds between a move and its exposure.
    per_step : callable or None
        A step of the user's own, in the manner of ``grid_scan``.
    reader : EventReader
        Hears the run's documents.
    logbook : Logbook
        Records what is done beside the plan.
    """

    detectors: list[Any]
    motors: dict[str, Any]
    settle: float
    per_step: PerStep | None
    reader: EventReader
    logbook: Logbook


def measure_point(scan: Measurement, pixel: tuple[int, int]) -> Plan:
    """Move, settle, read.  The checkpoint after the save is also the one before the next move."""
    targets = {scan.motors[axis]: value for axis, value in scan.reader.grid.position(pixel).items()}
    heard = len(scan.reader.observations)
    if scan.per_step is not None:
        yield from scan.per_step(scan.detectors, targets, defaultdict(lambda: None))
    else:
        yield from bps.mv(*(part for target in targets.items() for part in target))
        if scan.settle:
            yield from bps.sleep(scan.settle)
        yield from bps.trigger_and_read([*scan.detectors, *scan.motors.values()])
    yield from bps.checkpoint()
    if len(scan.reader.observations) == heard:
        raise RuntimeError(
            f"per_step left no event in the stream {scan.reader.stream!r}: end it with "
            "trigger_and_read([*detectors, *motors])"
        )
