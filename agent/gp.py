"""The Gaussian process as an agent: it measures where its own map is least sure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..models import RasterGP, SparseScan
from .low_discrepancy import LowDiscrepancy
from .sampler import Choice, Request
from .spread import FEWEST_COUNTED, rehearse


class GaussianProcess:
    """Chooses the pixels of the largest deviation, times the local scale to a power.

    Each pixel on its way, and each one chosen before in the batch, counts as measured.

    Parameters
    ----------
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for, above 0: the map is then that of the rate
        behind the counts.  Where not given, readings are taken as they are.
    power : float
        Of the local scale, 0 to 1: how much more the points go where errors were large.

    Raises
    ------
    ValueError
        If a number lies elsewhere.
    """

    start = 0.01

    def __init__(self, counts_per_unit: float | None = None, power: float = 0.5) -> None:
        if counts_per_unit is not None and not 0 < counts_per_unit < math.inf:
            raise ValueError(f"counts_per_unit must be above 0, but {counts_per_unit!r} came")
        if isinstance(power, bool) or not 0 <= power <= 1:
            raise ValueError(f"power must lie between 0 and 1, but {power!r} came")
        self.counts_per_unit = counts_per_unit
        self.power = float(power)
        self._gp: RasterGP | None = None
        self._seen: SparseScan | None = None

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        rehearse(GaussianProcess(self.counts_per_unit or 1.0, self.power))

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are in the values' unit.

        ``expected_error`` is the NRMSE that the process expects of its own map; it is more often
        too large than too small.
        """
        if not len(request.scan.values):
            return LowDiscrepancy().choose(request)
        gp = self._followed(request.scan)
        counted = max(request.num, FEWEST_COUNTED)
        pixels, scores = gp.choose(request.num, request.pending, counted, power=self.power)
        return Choice(pixels, scores, gp.expected_nrmse)

    def surrogate(self, scan: SparseScan) -> RasterGP:
        """Give the process that this scan makes: mean, deviation and intervals."""
        gp = RasterGP(scan.shape, counts_per_unit=self.counts_per_unit)
        gp.update(scan.pixels, scan.values)
        return gp

    def reconstruct(self, scan: SparseScan) -> NDArray[np.float64]:
        """(M, N) mean of the process."""
        return self.surrogate(scan).mean

    def _followed(self, scan: SparseScan) -> RasterGP:
        """Bring the process up to date; anew where the scan does not extend the last one."""
        known = 0 if self._seen is None else len(self._seen.values)
        if self._gp is None or self._seen is None or not _extends(scan, self._seen):
            self._gp = self.surrogate(scan)
        elif len(scan.values) > known:
            self._gp.update(scan.pixels[known:], scan.values[known:])
        self._seen = scan
        return self._gp


def _extends(scan: SparseScan, before: SparseScan) -> bool:
    known = len(before.values)
    return (
        scan.shape == before.shape
        and len(scan.values) >= known
        and np.array_equal(scan.values[:known], before.values)
        and np.array_equal(scan.pixels[:known], before.pixels)
    )
