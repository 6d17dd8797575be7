"""How the points of a scan are measured, and who hears of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bluesky.plan_stubs as bps

from ..agent import EventReader, StageTime
from .attempt import Attempt
from .bad_points import BadPoints, Tally
from .beam import BeamWatch
from .flyer import Flyer
from .gate import Exposures, Gate
from .logbook import Logbook, Plan
from .shutter import ScanShutter

Pixel = tuple[int, int]
PerStep = Callable[[Sequence[Any], Mapping[Any, float], dict[Any, Any]], Plan]


@dataclass(frozen=True)
class Flying:
    """How segments are flown over.

    Attributes
    ----------
    flyer : Flyer
    stage : StageTime
        In motor units.
    tolerance : dict
        How far beside its target each motor may come to rest, in its units, by axis.
    said : set of str
        Why the first segment could not be flown that could not; told once.
    """

    flyer: Flyer
    stage: StageTime
    tolerance: Mapping[str, float] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)


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
    gate : Gate
        Is asked before each move.
    exposures : Exposures
        Counts them.
    timers : dict
        Seconds to set on each exposure signal, again where a device was lost.
    over : callable
        Why the run should end now; empty while it should go on.
    policy : BadPoints or None
        What to do about bad points; None lets the run fail.
    tally : Tally
        Of bad points.
    beam : BeamWatch or None
        Finds readings without beam.
    shutter : ScanShutter or None
        Opened before exposures.
    pause : callable
        Gives the plan by which the run waits for a person.
    attend : callable
        Gives the plan that hears what people have said, as `people.attend` without the ears.
    fly : Flying or None
        How segments are flown over; None where the stage stops at every pixel.
    """

    detectors: list[Any]
    motors: dict[str, Any]
    settle: float
    per_step: PerStep | None
    reader: EventReader
    logbook: Logbook
    gate: Gate
    exposures: Exposures
    timers: dict[Any, float]
    over: Callable[[], str]
    policy: BadPoints | None
    tally: Tally
    beam: BeamWatch | None = None
    shutter: ScanShutter | None = None
    pause: Callable[[], Plan] = bps.pause
    attend: Callable[..., Plan] = lambda *_: bps.null()
    fly: Flying | None = None

    @property
    def staged(self) -> list[Any]:
        """What is staged for the run."""
        shutter = [] if self.shutter is None else [self.shutter]
        flyer = [] if self.fly is None else [self.fly.flyer]
        counting = [d for d in self.counting if d in self.detectors or hasattr(d, "stage")]
        return [*shutter, *flyer, *counting, *self.motors.values()]

    @property
    def counting(self) -> list[Any]:
        """The detectors, and that which flies if it is none of them."""
        flying = [] if self.fly is None else [self.fly.flyer.detector]
        return [*self.detectors, *(d for d in flying if d not in self.detectors)]

    def attempt(self) -> Attempt:
        """Something to try with these devices."""
        return Attempt(self.gate, self.exposures, self.motors, self.counting, self.shutter)
