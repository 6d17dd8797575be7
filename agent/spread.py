"""Where neighbours disagree and the next point is far: a sampler that needs no training."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorEstimate, ErrorMap, SparseScan, TestedMap, kriged, noise_aware
from .gains import Gains
from .low_discrepancy import LowDiscrepancy, halton_pixels
from .sampler import Choice, Request, Sampler

FEWEST_COUNTED = 100  # unavailable pixels that count as measured; blocked ones stand before them


class Spread:
    """Chooses pixels far from any point, where the points around disagree.

    The score is the squared error expected at first sight (half the leave-one-out residuals' mean
    square, half the neighbours' variance) times the squared distance to the nearest point.  Pixels
    on their way, and those chosen before in the batch, count as measured.  Several channels are
    mapped together: the scores are summed, each on its channel's own scale.

    Parameters
    ----------
    flatness : float
        The score is divided by the neighbours' variance to this power, 0 to 1: with 0 the points
        serve the NRMSE alone, with 0.25 they serve the SSIM too.
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for, above 0: the map is then that of the rate
        behind the counts.  Where not given, readings are taken as they are.

    Raises
    ------
    ValueError
        If a number lies elsewhere.
    """

    start = 0.01
    large_batches = True
    several_channels = True

    def __init__(self, flatness: float = 0.25, counts_per_unit: float | None = None) -> None:
        self.flatness = checked_flatness(flatness)
        self.counts_per_unit = checked_counts(counts_per_unit)
        self._map: TestedMap | None = None

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        rehearse(Spread(self.flatness))

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are in squares of the values' unit.

        Of several channels they have no unit.
        """
        return choose_from(self._tested(request), request)

    def gains(self, request: Request) -> Gains:
        """Give what each pixel is expected to gain, for `SegmentSampler`."""
        return gains_from(self._tested(request), request)

    def _tested(self, request: Request) -> TestedMap:
        if self._map is None:
            error_map = ErrorMap(request.scan.shape, flatness=self.flatness)
            self._map = TestedMap(error_map)
        return self._map

    def reconstruct(self, scan: SparseScan) -> NDArray[np.float64]:
        """(M, N) map of the first channel, as `map_of` makes it."""
        return map_of(scan, self.counts_per_unit)


def map_of(scan: SparseScan, counts_per_unit: float | None) -> NDArray[np.float64]:
    """(M, N) kriged map; of counts the noise-aware one."""
    if counts_per_unit is None:
        return kriged(scan).image
    return noise_aware(scan, counts_per_unit=counts_per_unit).image


def choose_from(tested: TestedMap, request: Request) -> Choice:
    """Choose the best pixels of an error map that is brought up to date first.

    Low-discrepancy ones while nothing has been measured.  The expected error rests on tests where
    points are drawn at random for it.
    """
    if not len(request.scan.values):
        return LowDiscrepancy().choose(request)
    error_map, counted = tested.map, max(request.num, FEWEST_COUNTED)
    if not len(request.audited):
        error_map.update(request.scan)
        pixels, scores = error_map.choose(request.num, request.pending, counted)
        return Choice(pixels, scores, error_map.expected_nrmse)
    tested.update(request.scan)
    pixels, scores = error_map.choose(request.num, request.pending, counted)
    return Choice.estimated(pixels, scores, tested.error_estimate(request.audited))


def gains_from(tested: TestedMap, request: Request) -> Gains:
    """What an error map, brought up to date first, expects to gain by each pixel."""
    (tested if len(request.audited) else tested.map).update(request.scan)
    error_map = tested.map
    estimate = ErrorEstimate(len(request.scan.values), error_map.expected_nrmse)
    if len(request.audited):
        estimate = tested.error_estimate(request.audited)
    e = error_map
    return Gains(e.score, e.near, estimate, e.unit, e.changes)


def rehearse(sampler: Sampler) -> None:
    """Let a sampler that nobody needs choose twice, on a small raster, to have it compiled."""
    pixels = halton_pixels((24, 24), 40, seed=0)
    values = np.linspace(0.0, 1.0, len(pixels)) ** 2
    for num in (30, 40):
        scan = SparseScan((24, 24), pixels[:num], values[:num])
        sampler.choose(Request(scan, np.empty((0, 2), dtype=np.int64), num=5))


def checked_flatness(flatness: float) -> float:
    """Refuse what is not between 0 and 1."""
    if isinstance(flatness, bool) or not 0 <= flatness <= 1:
        raise ValueError(f"flatness must lie between 0 and 1, but {flatness!r} came")
    return float(flatness)


def checked_counts(counts_per_unit: float | None) -> float | None:
    """Refuse what is neither above 0 nor None."""
    if counts_per_unit is not None and not 0 < counts_per_unit < math.inf:
        raise ValueError(f"counts_per_unit must be above 0, but {counts_per_unit!r} came")
    return counts_per_unit
