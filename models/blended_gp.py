"""The Gaussian process and the network's map in one: each counts as far as its tests went well."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .error_map import ErrorMap
from .forward_log import Tests
from .raster_gp_scale import FEWEST, LocalScale, expected_squares
from .scan import SparseScan
from .tested_gp import TestedGP
from .tested_map import TestedMap

SLOPES = (0.0, 0.5, 1.0, 2.0)
OFFSETS = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 30.0)
ALONE = (30.0, 0.0)  # the process alone
SHARPNESS = 6.0  # of the voices' parts, per unit of mean log density
FREEDOM = 4.0  # of the residuals' distribution when forecasts of errors are compared
HEARD = 400  # latest tests by which the voices are weighed
CERTAIN = 3.0  # standard errors below nobody: one who has lost the way
LEAST_SHARE = 0.2  # of a voice that foretells more than nobody does
LEAST_ERROR = 1e-4  # mean square, of that of all residuals


class Voices(NamedTuple):
    """How much each forecast of the errors counts for the next choice; sums to 1."""

    network: float
    process: float
    nobody: float


class BlendedGP(TestedGP):
    """`TestedGP` whose mean is blended with an inverse-distance map, pixel by pixel.

    The process counts in a pixel as the logistic function of ``a + b log(W/V)``, with ``V`` and
    ``W`` the squared errors that process and network expect there; a and b are those that would
    have served best on the latest tests.

    Parameters
    ----------
    shape : (2,) tuple of int
    error_map : ErrorMap
        The network's; brought up to date by this object alone.
    **options
        Of `RasterGP`.
    """

    def __init__(self, shape: tuple[int, int], error_map: ErrorMap, **options: Any) -> None:
        super().__init__(shape, **options)
        self._other = TestedMap(error_map)
        self._blend: tuple[float, float] | None = None
        self._own_scale = LocalScale()

    def update(
        self, pixels: ArrayLike, values: ArrayLike, variances: ArrayLike | None = None
    ) -> None:
        """Test readings, and take them in; as `RasterGP.update`."""
        super().update(pixels, values, variances)
        self._blend = None
        if len(self._values):
            where = self._where.astype(np.int64)
            self._other.update(SparseScan(self.shape, where, self._values.copy()))

    @property
    def error_map(self) -> ErrorMap:
        """The network's map."""
        return self._other.map

    @property
    def blend(self) -> tuple[float, float]:
        """(a, b) of the process's part."""
        self._settle()
        assert self._blend is not None  # noqa: S101  (just settled)
        return self._blend

    @property
    def voices(self) -> Voices:
        """How well each forecast the errors of the latest tests, against one that knows nothing."""
        densities = self._log_densities()
        if densities is None:
            return Voices(0.5, 0.5, 0.0)
        network, process = (_gain(each, densities[2]) for each in densities[:2])
        if network is None or process is None:  # out of its domain
            heard = (float(network is not None), float(process is not None))
            return Voices(*heard, 1.0 - sum(heard))
        share = 1.0 / (1.0 + math.exp(SHARPNESS * (process - network)))
        share = min(max(share, LEAST_SHARE), 1.0 - LEAST_SHARE)
        return Voices(share, 1.0 - share, 0.0)

    def _log_densities(self) -> list[NDArray[np.float64]] | None:
        """(T,) log densities of the latest residuals by network, process and nobody."""
        blend = self.blend
        mine, theirs = self._both_tests()
        if len(mine) < FEWEST:
            return None
        signal = self._signal(mine)
        residuals = self._blended(mine, theirs, signal, blend)[-HEARD:]
        if not residuals.any():
            return [np.full(1, -1.0), np.full(1, -1.0), np.zeros(1)]
        forecasts = (theirs.variances, signal, np.full(len(signal), float(signal.mean())))
        noise = mine.noise[-HEARD:]
        return [_log_density(residuals, each[-HEARD:] + noise) for each in forecasts]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(M, N) expected values, in their unit; NaN before the first reading."""
        mean = super().mean
        if not len(self._values):
            return mean
        part = self._part_of_process()
        part[self._index >= 0] = 1.0
        return np.where(part < 1.0, part * mean + (1.0 - part) * self.error_map.image, mean)

    def _part_of_process(self) -> NDArray[np.float64]:
        a, b = self.blend
        squares = self._sd**2 * self._maps[1] * np.exp(self._log_scale_of(self._own_scale))
        return _part(a, b, squares, self.error_map.squared_error)

    def count_as_audits(self, audited: NDArray[np.bool_]) -> None:
        """Tell which of the (P,) readings, in the order taken in, were drawn at random."""
        if not np.array_equal(audited, self._audited):
            self._blend = None
        super().count_as_audits(audited)

    def _fit_scale(self) -> LocalScale:
        self._settle()
        return super()._fit_scale()

    def _settle(self) -> None:
        """Choose how to blend."""
        if self._blend is not None:
            return
        self._blend = ALONE
        self._own_scale = super()._fit_scale()
        mine, theirs = self._both_tests()
        if len(mine) < FEWEST:
            return
        signal, weights = self._signal(mine), mine.weights(self._audited)
        losses = {
            (a, b): float((weights * self._blended(mine, theirs, signal, (a, b)) ** 2).sum())
            for b in SLOPES
            for a in OFFSETS
        }
        self._blend = min(losses, key=lambda each: losses[each])

    def _both_tests(self) -> tuple[Tests, Tests]:
        """Tests of process and network, of the same readings; in standard deviations."""
        unit = 1.0 / self._sd if self._fitted else 1.0
        return (
            self._own_tests().latest().in_unit(unit),
            self._other.tests.latest().in_unit(unit),
        )

    def _signal(self, tests: Tests) -> NDArray[np.float64]:
        nothing = np.zeros(len(tests))
        return expected_squares(self._own_scale, tests.variances, nothing, tests.features)

    @staticmethod
    def _blended(
        mine: Tests, theirs: Tests, signal: NDArray[np.float64], blend: tuple[float, float]
    ) -> NDArray[np.float64]:
        part = _part(*blend, signal, theirs.variances)
        return part * mine.errors + (1.0 - part) * theirs.errors

    @property
    def tests(self) -> Tests:
        """What the latest readings were off before they were learnt; in the values' unit."""
        found = self._own_tests().latest()
        if self._blend is None or self._blend == ALONE:
            return found
        mine, theirs = self._both_tests()
        errors = self._sd * self._blended(mine, theirs, self._signal(mine), self._blend)
        return replace(found, errors=errors)


def _part(
    a: float, b: float, mine: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    least = 1e-12 * (float(mine.mean()) + float(theirs.mean())) or 1.0
    odds = a + b * np.log((theirs + least) / (mine + least))
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))


def _gain(densities: NDArray[np.float64], nobody: NDArray[np.float64]) -> float | None:
    """Mean log density above that of one who knows nothing; None where it is certainly below."""
    gains = densities - nobody
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    return None if gain < -CERTAIN * error else gain


def _log_density(
    residuals: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(T,) log densities by Student's t, the expected squares times the best factor."""
    squares = residuals**2
    expected = expected / expected.mean() + LEAST_ERROR
    factor = max(float(squares.mean()), 1e-300)
    for _ in range(30):
        weight = (FREEDOM + 1.0) / (FREEDOM + squares / (factor * expected))
        factor = max(float((weight * squares / expected).mean()), 1e-300)
    z2 = squares / (factor * expected)
    return -0.5 * np.log(factor * expected) - 0.5 * (FREEDOM + 1.0) * np.log1p(z2 / FREEDOM)
