"""A Gaussian process on a raster to which each reading is a test before it is learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .forward_log import Tests, block_end
from .map_error import map_error
from .raster_gp import RasterGP
from .raster_gp_fit import variance_of_counts
from .raster_gp_readings import next_milestone, usable_readings
from .raster_gp_scale import (
    FEWEST,
    LocalScale,
    area_weights,
    fit_local_scale,
    log_scales,
)

NOISY = 8.0  # power of the signal's share of the variance, in the weight of a reading held out
LEAST_VARIANCE = 1e-12  # in units of the smooth part's


class TestedGP(RasterGP):
    """`RasterGP` whose deviation and expected error rest on tests, too.

    Readings held out know all the others, those that were put close to them because they stood out
    included; what the map was off before it knew a reading does not, but is of the past.  One
    regression of the log variance, on both, gives the intervals, another, on the tests alone, the
    error of the whole map.  In the first both weigh the same without noise; a reading held out
    counts the less the more noise is in it, as chance draws the others near.

    Parameters are those of `RasterGP`.

    Notes
    -----
    A function of the readings in their order, those of a pixel that come again included: however
    they came in batches, it is the same.
    """

    __test__ = False  # no test case, whatever pytest may think of the name

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._log = Tests.none()
        self._forecast: tuple[Any, ...] | None = None
        self._audited = np.empty(0, dtype=bool)

    def update(
        self,
        pixels: ArrayLike,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        exposures: ArrayLike | None = None,
    ) -> None:
        """Test readings, and take them in; as `RasterGP.update`.

        A pixel that comes again is no further test, and what it said when it was one stands.
        """
        given = usable_readings(self.shape, pixels, values, variances, exposures)
        while len(given):
            end = block_end(self._block_begin)
            # What came again after a fit must not enter it, in whatever batches they came.
            cut = min(end, next_milestone(self.num_readings))
            num = self._readings.until(given, cut)
            now, given = given.part(slice(num)), given.part(slice(num, None))
            known = None if variances is None else now.variances
            super().update(now.where, now.values, known, now.exposures)
            if self.num_readings == end:
                self._log = self._own_tests().latest()
                self._forecast = self._foretell()

    def count_as_audits(self, audited: NDArray[np.bool_]) -> None:
        """Tell which of the (P,) readings, in the order taken in, were drawn at random."""
        if not np.array_equal(audited, self._audited):
            self._audited, self._scale = audited, None

    @property
    def tests(self) -> Tests:
        """What the latest readings were off before they were learnt; in the values' unit."""
        return self._own_tests()

    def _own_tests(self) -> Tests:
        if self._forecast is None or self.num_readings == self._block_begin:
            return self._log
        known, unit, zero, mean, variance, carried, features = self._forecast
        fresh = slice(known, None)
        at = tuple(self._readings.where[fresh].T)
        noise = self._readings.variances[fresh] / unit**2
        if self._counts_per_unit is not None:
            expected = zero + unit * mean[at]
            counted = variance_of_counts(expected, self._counts_per_unit) / unit**2
            counted /= self._readings.exposures[fresh]
            noise = np.where(np.isnan(noise), counted, noise)
        found = Tests(
            (self._readings.values[fresh] - zero) / unit - mean[at],
            np.maximum(variance[at], LEAST_VARIANCE),
            carried[at] + noise,
            features[(slice(None), *at)].T,
            np.full(len(noise), float(known)),
        )
        return self._log.then(found.in_unit(unit))

    @property
    def _tested(self) -> int:
        """Readings that the tests reach to."""
        return self.num_readings

    @property
    def _block_begin(self) -> int:
        return 0 if self._forecast is None else int(self._forecast[0])

    def _foretell(self) -> tuple[Any, ...]:
        """What the map says now of every pixel, in standard deviations."""
        now = self._posterior
        features = [
            log_scales(now.block_features, np.eye(5)[f + 1], 0.0, self.shape) for f in range(3)
        ]
        mean, variance, carried = now.mean.copy(), now.variance.copy(), now.carried.copy()
        zero = self.hyperparameters.mean
        return self.num_readings, self._sd, zero, mean, variance, carried, np.stack(features)

    def _fit_scale(self) -> LocalScale:
        known = self._tests_known()
        return super()._fit_scale() if known is None else fit_local_scale(*known)

    def _map_error(self) -> tuple[float, float]:
        tests = self.tests.latest()
        if not self._local_scale or len(tests) < FEWEST:
            return super()._map_error()
        scaled, audited = tests.in_unit(1.0 / self._sd), self._audited[: self._tested]
        square, spread = map_error(scaled, audited, self._posterior)
        return self._sd**2 * square, spread

    def _tests_known(self) -> tuple[NDArray[np.float64], ...] | None:
        """Errors, variances, noise, features and weights of both kinds; None where they are few."""
        tests = self.tests.latest()
        if not self._local_scale or len(tests) < FEWEST:
            return None
        scaled = tests.in_unit(1.0 / self._sd)
        forward = scaled.weights(self._audited[: self._tested])
        *held_out, areas = self._posterior.tests_held_out()
        if not len(areas):
            return scaled.errors, scaled.variances, scaled.noise, scaled.features, forward
        weights = area_weights(areas)
        forward *= weights.sum() / forward.sum()
        weights *= (held_out[1] / (held_out[1] + held_out[2])) ** NOISY
        ahead = (scaled.errors, scaled.variances, scaled.noise, scaled.features)
        both = [np.concatenate(pair) for pair in zip(ahead, held_out, strict=True)]
        whole = np.concatenate([forward, weights])
        return *both, whole / whole.mean()
