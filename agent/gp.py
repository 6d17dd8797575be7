"""The Gaussian process as an agent: it measures where its own map is least sure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..models import STEERING_POWER, GPChannels, SparseScan, TestedGP
from .followed import Followed
from .gains import Gains
from .low_discrepancy import LowDiscrepancy
from .raster_goal import RasterAim, RasterGoal
from .sampler import Choice, Request
from .spread import FEWEST_COUNTED, checked_counts, rehearse


class GaussianProcess:
    """Chooses the pixels of the largest deviation, times the local scale to a power.

    Each pixel on its way, and each one chosen before in the batch, counts as measured.  Several
    channels are mapped together, each by a process of its own: their variances are summed up, each
    as a share of its channel's.

    Parameters
    ----------
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for, above 0: the map is then that of the rate
        behind the counts.  Where not given, readings are taken as they are.
    power : float
        Of the local scale, 0 to 1: how much more the points go where errors were large.  A third
        stands for the variance taken off the whole map; the goal ``boundary`` leaves it out.
    goal : str
        ``map`` for all of it, ``optimum`` for its highest pixels, ``boundary`` for where it
        crosses the threshold; the latter two are of the first channel alone.
    threshold : float, optional
        Of the boundary, in the values' unit.

    Raises
    ------
    ValueError
        If a number lies elsewhere.
    """

    start = 0.01

    def __init__(
        self,
        counts_per_unit: float | None = None,
        power: float = STEERING_POWER,
        goal: RasterAim = "map",
        threshold: float | None = None,
    ) -> None:
        self._goal = RasterGoal(goal, threshold)
        self.counts_per_unit = checked_counts(counts_per_unit)
        self.power = checked_power(power)
        self._followed = Followed(self._process)

    @property
    def several_channels(self) -> bool:
        """Whether it decides on all channels together: for their maps."""
        return self._goal.aim == "map"

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        rehearse(GaussianProcess(self.counts_per_unit or 1.0, self.power))

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are in the values' unit.

        Those of a boundary without counting noise are the doubt p (1 - p) that is taken off.
        The estimate is of the process's own map.  Of several channels scores have no unit, and the
        estimate is the mean over those that vary.
        """
        if not len(request.scan.values):
            return LowDiscrepancy().choose(request)
        gps = self._followed.at(request.scan, request.audited)
        counted = max(request.num, FEWEST_COUNTED)
        pixels, scores = self._goal.choose(
            gps, request.scan, request.num, request.pending, counted,
            power=self.power, noisy=self.counts_per_unit is not None,
        )  # fmt: skip
        return Choice.estimated(pixels, scores, gps.error_estimate)

    def gains(self, request: Request) -> Gains:
        """Give what each pixel is expected to gain, for `SegmentSampler`: variance by area."""
        gps = self._followed.at(request.scan, request.audited)
        return gains_of(gps, request, self._goal.emphasis(gps.first, request.scan))

    def surrogate(self, scan: SparseScan) -> TestedGP:
        """Give the process that this scan's first channel makes: mean, deviation and intervals.

        Of any channel by ``surrogate(scan.channels[k])``.
        """
        return self._followed.anew(scan)

    def reconstruct(self, scan: SparseScan) -> NDArray[np.float64]:
        """(M, N) mean of the first channel's process."""
        return self.surrogate(scan).mean

    def _process(self, shape: tuple[int, int]) -> TestedGP:
        return TestedGP(shape, counts_per_unit=self.counts_per_unit)


def gains_of(
    gps: GPChannels[Any], request: Request, stressed: NDArray[np.float64] | None = None
) -> Gains:
    """Variance of each pixel, times what it is stressed by, times the area that it stands for."""
    near = np.square(np.asarray(distance_transform_edt(~request.scan.mask)))
    deviation = gps.std if stressed is None else gps.std * stressed
    unit = 2 * math.frexp(float(deviation.max()))[1]
    with np.errstate(divide="ignore"):
        score = (2.0 * np.log2(deviation) + np.log2(near) - unit).astype(np.float32)
    score[request.scan.mask] = -np.inf
    return Gains(score, np.rint(near).astype(np.int32), gps.error_estimate, unit)


def checked_power(power: float) -> float:
    """Refuse what is not between 0 and 1."""
    if isinstance(power, bool) or not 0 <= power <= 1:
        raise ValueError(f"power must lie between 0 and 1, but {power!r} came")
    return float(power)
