"""The Gaussian process and a kriged map in one: each counts as far as its tests went well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .forward_log import Tests
from .raster_gp_scale import FEWEST, LocalScale, expected_squares
from .scan import SparseScan
from .tested_gp import TestedGP
from .tested_kriging import TestedKriging
from .voices import Voices

SLOPES = (0.0, 0.5, 1.0, 2.0)
OFFSETS = (-30.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 30.0)
ALONE = (30.0, 0.0)  # the process alone
HEARD = 400  # latest tests by which the voices are weighed


class BlendedGP(TestedGP):
    """`TestedGP` whose mean is blended with the map of the other samplers, pixel by pixel.

    That map is `kriged`, of counts `noise_aware`.  The process counts in a pixel as the logistic
    function of ``a + b log(W/V)``, with ``V`` and ``W`` the squared errors that process and map
    expect there; a and b are those that would have served best on the latest tests, each relative
    to the errors of its time: as these fall, the earliest would outweigh all others.

    Parameters are those of `RasterGP`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kriging = TestedKriging(self._counts_per_unit)
        self._blend: tuple[float, float] | None = None
        self._own_scale = LocalScale()

    def update(
        self,
        pixels: ArrayLike,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        exposures: ArrayLike | None = None,
    ) -> None:
        """Test readings, and take them in; as `TestedGP.update`."""
        super().update(pixels, values, variances, exposures)
        self._blend = None
        read = self._readings
        if len(read):
            scan = SparseScan(
                self.shape, read.where.astype(np.int64), read.values.copy(),
                exposures=read.exposures.copy(),
            )  # fmt: skip
            self._kriging.update(scan)

    @property
    def blend(self) -> tuple[float, float]:
        """(a, b) of the process's part."""
        self._settle()
        assert self._blend is not None  # noqa: S101  (just settled)
        return self._blend

    def voices(self, foretold: Tests) -> Voices:
        """Compare with another how well it foretold the errors of the latest tests.

        Parameters
        ----------
        foretold : Tests
            What the same readings were off of the other's map, and what it expected of that.
        """
        if len(self._log) < FEWEST:
            return Voices(0.5, 0.5, 0.0)
        tests, fresh = self.tests.in_unit(1.0 / self._sd), self.num_readings - self._tested
        other = foretold.without(fresh).latest().in_unit(1.0 / self._sd)
        each = tests.errors, other.variances, self._signal(tests), tests.noise
        return Voices.weigh(*(some[-HEARD:] for some in each))

    @property
    def mean(self) -> NDArray[np.float64]:
        """(M, N) expected values, in their unit; NaN before the first reading."""
        mean = super().mean
        if not len(self._readings) or self.blend == ALONE:
            return mean
        image, squares = self._kriging.map()
        own = self._sd**2 * self._posterior.variance * np.exp(self._log_scale_of(self._own_scale))
        free = self._readings.index < 0
        part = _part(*self.blend, own[free], squares[free])
        mean[free] = part * mean[free] + (1.0 - part) * image[free]
        return mean

    def count_as_audits(self, audited: NDArray[np.bool_]) -> None:
        """Tell which of the (P,) readings, in the order taken in, were drawn at random."""
        if not np.array_equal(audited, self._audited):
            self._blend = None
        super().count_as_audits(audited)

    @property
    def tests(self) -> Tests:
        """What the blended map was off at readings before they were learnt; to the last block."""
        if self.blend == ALONE:
            return self._log
        own = self._log.in_unit(1.0 / self._sd)
        errors, squares = self._kriging.tests()
        part = _part(*self.blend, self._sd**2 * self._signal(own), squares)
        return replace(self._log, errors=part * self._log.errors + (1.0 - part) * errors)

    @property
    def _tested(self) -> int:
        return self._block_begin

    def _mean_square(self) -> float:
        """Of the process alone, which spares a decision the kriging."""
        return float((super().mean ** 2).mean())

    def _fit_scale(self) -> LocalScale:
        self._settle()
        return super()._fit_scale()

    def _settle(self) -> None:
        """Choose how to blend."""
        if self._blend is not None:
            return
        self._blend = ALONE
        self._own_scale = super()._fit_scale()
        if len(self._log) < FEWEST:
            return
        own = self._log.in_unit(1.0 / self._sd)
        squares = self._sd**2 * self._signal(own)
        errors, theirs = self._kriging.tests()
        weights = own.weights(self._audited[: self._tested])
        weights /= self._log.at_once(0.5 * (squares + theirs) + self._log.noise)

        def loss(blend: tuple[float, float]) -> float:
            part = _part(*blend, squares, theirs)
            return float((weights * (part * self._log.errors + (1.0 - part) * errors) ** 2).sum())

        self._blend = min(((a, b) for b in SLOPES for a in OFFSETS), key=loss)

    def _signal(self, tests: Tests) -> NDArray[np.float64]:
        """(T,) squares that the process alone expects of the errors of scaled tests, less noise."""
        nothing = np.zeros(len(tests))
        return expected_squares(self._own_scale, tests.variances, nothing, tests.features)


def _part(
    a: float, b: float, mine: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    least = 1e-12 * float((mine + theirs).max(initial=0.0)) or 1.0
    odds = a + b * np.log((theirs + least) / (mine + least))
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
