"""What a raster is measured for: its whole map, its highest pixels, or where it crosses a level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..models import GPChannels, SparseScan, TestedGP, choose_for_level, doubt, improvement
from .motor_goal import GOALS, check_threshold

Array = NDArray[np.float64]
RasterAim = Literal["map", "optimum", "boundary"]

SHARPNESS = 1.0  # of the boundary's doubt: higher stays closer to the level


@dataclass(frozen=True)
class RasterGoal:
    """A goal, which composes with whatever scores pixels by the error that they take off a map.

    Attributes
    ----------
    aim : str
        ``map``, ``optimum`` for the highest pixels, ``boundary`` for where the threshold is
        crossed; the latter two are of the first channel alone.
    threshold : float, optional
        Of the boundary, in the values' unit.

    Raises
    ------
    ValueError
        For an unknown goal, and a threshold that is missing or has no use.
    """

    aim: RasterAim = "map"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.aim not in GOALS:
            raise ValueError(f"goal is one of {', '.join(GOALS)}, but {self.aim!r} came")
        check_threshold(self.aim, self.threshold)

    def emphasis(self, gp: TestedGP, scan: SparseScan) -> Array | None:
        """(M, N) what each pixel's deviation counts for; None where all count alike.

        For ``optimum`` the expected improvement over the highest mean that was measured, in
        deviations; for ``boundary`` the doubt about the side of the threshold.
        """
        if self.aim == "map":
            return None
        mean, std = gp.mean, gp.std
        sure = np.maximum(std, 1e-12 * max(float(std.max()), math.ulp(0.0)))
        if self.aim == "optimum":
            return improvement(mean, sure, float(mean[tuple(scan.pixels.T)].max())) / sure
        return (4 * doubt((float(self.threshold or 0.0) - mean) / sure)) ** SHARPNESS

    def choose(
        self,
        gps: GPChannels[Any],
        scan: SparseScan,
        num: int,
        unavailable: NDArray[np.int64],
        counted: int,
        *,
        power: float,
        noisy: bool,
    ) -> tuple[NDArray[np.int64], Array]:
        """Choose up to ``num`` pixels by the processes of a scan, as `RasterGP.choose` does.

        For ``boundary`` by the doubt p (1 - p) that each takes off all around; among ``noisy``
        readings by its own doubt, as points near the level served as well there.
        """
        if self.aim == "boundary" and not noisy and self.threshold is not None:
            return choose_for_level(gps.first, self.threshold, num, unavailable, counted)
        power = power if self.aim != "boundary" else 0.0  # the doubt has the scale already
        stressed = self.emphasis(gps.first, scan)
        return gps.choose(num, unavailable, counted, power=power, emphasis=stressed)
