"""What came of a scan with faults, found out by other code than the scan's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from matplotlib.path import Path as Outline

from skysteer.agent import EventReader, ScanGrid

SIDE = 12  # pixels of the grid, a side
PITCH = 0.1  # um
ZONE = ((0.32, 0.42), (0.32, 0.88), (0.78, 0.65))  # (y, x) in um, a triangle to keep out of
POINTS = 36


@dataclass(eq=False)
class Outcome:
    """What came of a scan.

    Attributes
    ----------
    faults : list of str
        That came.
    end : str
        ``goal``, ``in order`` or ``failed``.
    reason : str
        Why it ended.
    points, exposures, repeated, counted : int
        Usable pixels; exposures by the plan's account, those of them that left no event, and
        exposures by the account of the microscope.
    unguarded : list of (float, float)
        Targets sent to the motors that the guard must refuse.
    wrong : list of str
        What does not agree in the documents.
    remedies : dict of int
        Interventions by their kind.
    seconds : float
    """

    faults: list[str] = field(default_factory=list)
    end: str = ""
    reason: str = ""
    points: int = 0
    exposures: int = 0
    repeated: int = 0
    counted: int = 0
    unguarded: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    remedies: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing happened that must not."""
        return self.end != "failed" and not self.unguarded and not self.wrong


def examine(
    outcome: Outcome, documents: list[tuple[str, dict[str, Any]]], sent: list[tuple[str, float]]
) -> None:
    """Compare what the documents say with what was done, by other code than the scan's."""
    start = next(doc for name, doc in documents if name == "start")["skysteer"]
    reader = EventReader(ScanGrid.from_description(start["grid"]), start["key"])
    observations = reader.read(documents)
    outcome.points = observations.points
    outcome.remedies = dict(Counter(said.kind for said in reader.interventions))
    outcome.unguarded = list(unguarded(sent))
    if outcome.points == POINTS:
        outcome.end = outcome.end.replace("in order", "goal")
    stop = documents[-1]
    if stop[0] != "stop" or not (stop[1]["exit_status"] == "success" or outcome.end == "failed"):
        outcome.wrong.append(f"the last document is {stop[0]}")
    numbers = {o.id for o in observations.log}
    if numbers != set(range(1, len(numbers) + 1)):
        outcome.wrong.append("a number is missing among the events")
    if outcome.end != "failed" and outcome.exposures - outcome.repeated != len(numbers):
        outcome.wrong.append(
            f"{outcome.exposures} exposures less {outcome.repeated} repeated ones are not "
            f"{len(numbers)} events"
        )
    if outcome.end != "failed" and outcome.exposures < outcome.counted:
        outcome.wrong.append(f"{outcome.counted} counted, but {outcome.exposures} accounted for")


def unguarded(sent: Iterable[tuple[str, float]]) -> Iterator[tuple[float, float]]:
    """Targets in the zone, off the limits of the grid, or no numbers."""
    zone, end, target = Outline(ZONE), (SIDE - 1) * PITCH, {"y": math.nan, "x": math.nan}
    for axis, value in sent:
        target[axis] = value
        y, x = target["y"], target["x"]
        if not -1e-9 <= value <= end + 1e-9:
            yield (y, x)
        elif axis == "x" and zone.contains_point((y, x), radius=-1e-6):
            yield (y, x)
