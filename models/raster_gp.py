"""A Gaussian process on the pixels of a raster: what the map is, and how sure it is of that."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .error_estimate import MOST_SPREAD, ErrorEstimate
from .raster_gp_batch import Outlook, choose
from .raster_gp_fit import counting_noise, fit_hyperparameters
from .raster_gp_kernel import GPHyperparameters, checked_smoothness
from .raster_gp_outlook import STEERING_POWER, outlook
from .raster_gp_posterior import TilePosterior
from .raster_gp_readings import Readings, milestone, usable_readings
from .raster_gp_scale import LocalScale, area_weights, fit_local_scale


class RasterGP:
    """Posterior of a Gaussian process on all pixels of a raster, at the price of what changed.

    The 64 pixels of a tile of 8 x 8 are conditioned on the 76 readings nearest to it, or more where
    these are dense (Vecchia's approximation, by blocks); the tiles' means are blended where they
    meet.  Only what hangs on changed neighbours is computed again, and the result is that of
    computing all at once, to the last bit.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns.
    hyperparameters : GPHyperparameters, optional
        Taken as they are.  Where not given they are fitted to the readings, anew whenever these
        have grown by a third.
    smoothness : float
        Of the Matern covariance that is fitted: 0.5, 1.5 or 2.5.
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for: readings then have the variance of
        counts, estimated from the mean around and not from a count itself.
    local_scale : bool
        Whether the variance follows how far off readings held out were around there.

    Raises
    ------
    ValueError
        If the shape has no pixels, or a number lies elsewhere.

    References
    ----------
    A. V. Vecchia, J. R. Stat. Soc. B 50, 297 (1988); A. Datta et al., J. Am. Stat. Assoc. 111, 800
    (2016); M. Katzfuss and J. Guinness, Stat. Sci. 36, 124 (2021).

    Examples
    --------
    >>> gp = RasterGP((16, 16), GPHyperparameters(variance=4.0, lengths=(8.0, 8.0)))
    >>> gp.update([[3, 4], [12, 9]], [1.0, -2.0])
    >>> round(float(gp.mean[3, 4]), 6), round(float(gp.std[3, 4]), 6)
    (1.0, 0.0)
    >>> bool(gp.std[0, 15] > gp.std[3, 5])
    True
    """

    def __init__(
        self,
        shape: tuple[int, int],
        hyperparameters: GPHyperparameters | None = None,
        *,
        smoothness: float = 0.5,
        counts_per_unit: float | None = None,
        local_scale: bool = True,
    ) -> None:
        rows, columns = (int(side) for side in shape)
        if rows < 1 or columns < 1:
            raise ValueError(f"a raster has a row and a column or more, but {shape} came")
        if counts_per_unit is not None and not 0 < counts_per_unit < math.inf:
            raise ValueError(f"counts_per_unit must be above 0, but {counts_per_unit} came")
        self.shape = (rows, columns)
        self._smoothness = checked_smoothness(smoothness)
        self._counts_per_unit = counts_per_unit
        self._local_scale = local_scale
        self._given = hyperparameters is not None
        self._hyperparameters = hyperparameters
        self._fitted = 0
        self._readings = Readings(self.shape)
        self._computed: TilePosterior | None = None
        self._scale: LocalScale | None = None

    def update(
        self,
        pixels: ArrayLike,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        exposures: ArrayLike | None = None,
    ) -> None:
        """Take readings in; of several at a pixel the last one counts.

        Parameters
        ----------
        pixels : (K, 2) array-like
            Rows and columns; a readback between pixels counts for the nearest.
        values : (K,) array-like
            Readings.  What is not finite, or lies off the raster, is left out.
        variances : (K,) array-like, optional
            Noise of each reading, in squares of the values' unit; else counting noise where
            ``counts_per_unit`` was given, and none where not.
        exposures : (K,) array-like, optional
            How long each pixel has been counted in all, above 0, in units of that in which
            ``counts_per_unit`` are counted: its counting noise falls with it.  1 where not given.

        Raises
        ------
        ValueError
            If lengths differ, a variance is negative or no number, or an exposure is not above 0.
        """
        given = usable_readings(self.shape, pixels, values, variances, exposures).last_of_each()
        if variances is None and self._counts_per_unit is not None:
            given = replace(given, variances=np.full(len(given), np.nan))  # by the readings around
        if not len(given):
            return
        known, again = self._readings.take(given)
        self._scale = None
        if not self._given and milestone(len(self._readings)) > self._fitted:
            self._learn(milestone(len(self._readings)))
        elif self._computed is None:
            self._compute()
        else:
            self._computed.extend(known, again)

    def fit(self) -> GPHyperparameters:
        """Fit the hyperparameters to all readings now; those given are given up.

        Raises
        ------
        ValueError
            If there is no reading yet.
        """
        if not len(self._readings):
            raise ValueError("there is nothing to fit to: update with a reading first")
        self._given = False
        self._learn(len(self._readings))
        return self.hyperparameters

    @property
    def hyperparameters(self) -> GPHyperparameters:
        """Those in use.

        Raises
        ------
        ValueError
            If there is no reading yet, and none were given.
        """
        if self._hyperparameters is None:
            raise ValueError("hyperparameters are fitted when a reading comes: update first")
        return self._hyperparameters

    @property
    def num_readings(self) -> int:
        """Pixels that have been read."""
        return len(self._readings)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(M, N) expected values, in their unit; NaN before the first reading."""
        if self._computed is None:
            return np.full(self.shape, np.nan)
        mean = self._sd * self._computed.mean
        mean += self.hyperparameters.mean
        exact = self._computed.noise == 0
        rows, columns = self._readings.where[exact].T
        mean[rows, columns] = self._readings.values[exact]
        return mean

    @property
    def std(self) -> NDArray[np.float64]:
        """(M, N) standard deviation of the pixels' values, in their unit, by the local scale.

        Infinite before the first reading.
        """
        if self._computed is None:
            return np.full(self.shape, np.inf)
        std = self.log_scale
        np.exp(std, out=std)
        std *= self._computed.variance
        std += self._computed.carried
        np.sqrt(std, out=std)  # in place throughout: memory takes longer than the sums
        std *= self._sd
        return std

    @property
    def stationary_std(self) -> NDArray[np.float64]:
        """(M, N) the same without the local scale, as the covariance alone has it."""
        if self._computed is None:
            return np.full(self.shape, np.inf)
        return self._sd * np.sqrt(self._computed.variance + self._computed.carried)

    @property
    def local_scale(self) -> LocalScale:
        """The correction of the variance, and the tails."""
        if self._scale is None:
            self._scale = self._fit_scale()
        return self._scale

    @property
    def log_scale(self) -> NDArray[np.float64]:
        """(M, N) log of what the signal's variance is multiplied by."""
        return self._log_scale_of(self.local_scale)

    def _log_scale_of(self, scale: LocalScale) -> NDArray[np.float64]:
        return scale.logs(self._posterior.block_features, self._posterior.log_variance)

    @property
    def held_out(self) -> tuple[NDArray[np.float64], ...]:
        """What each reading would have been off, had it not been taken, and its variance.

        (P,) errors; (P,) variances without the local scale, less the reading's own noise and that
        which the mean carries; (P,) the latter.
        """
        if self._computed is None:
            return (np.empty(0),) * 3
        error, variance, carried = self._computed.held_out
        return self._sd * error, self._sd**2 * variance, self._sd**2 * carried

    @property
    def error_estimate(self) -> ErrorEstimate:
        """The error expected of the mean map; without numbers before the first reading."""
        if self._computed is None:
            return ErrorEstimate(0)
        error, spread = self._map_error()
        return ErrorEstimate.of(self.num_readings, error, self._mean_square(), spread)

    @property
    def expected_nrmse(self) -> float:
        """Root mean square error expected, over the truth's; NaN for a map of zeros."""
        return self.error_estimate.nrmse

    def _map_error(self) -> tuple[float, float]:
        """Mean squared error expected of the map, and the spread of the log of its root."""
        return float((self.std**2).mean()), MOST_SPREAD

    def _mean_square(self) -> float:
        """Of the map, in squares of the values' unit."""
        return float((self.mean**2).mean())

    def interval(self, level: float = 0.9) -> NDArray[np.float64]:
        """(M, N) half the width of the interval that holds a pixel's value with a probability.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"a level lies between 0 and 1, but {level} came")
        return self.std * self.local_scale.half_width(level)

    def log_density(self, truth: NDArray[np.floating]) -> NDArray[np.float64]:
        """(M, N) log of the probability density of an image; minus its mean is the NLPD."""
        std = np.maximum(self.std, 1e-12 * self._sd)
        return self.local_scale.log_density((truth - self.mean) / std) - np.log(std)

    def choose(
        self,
        num: int,
        unavailable: NDArray[np.int64],
        counted: int = 0,
        *,
        power: float = STEERING_POWER,
        emphasis: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose up to ``num`` pixels for the map, as if each were measured before the next.

        Parameters
        ----------
        num : int
        unavailable : (Q, 2) ndarray of int64
            Pixels that may not be chosen; the last ``counted`` of them count as measured.
        counted : int
        power : float
            Of the local scale of the standard deviation, in the score; 0 leaves it out.
        emphasis : (M, N) ndarray of float64, optional
            What each pixel's score is multiplied by, 0 or more; where not given, all alike.

        Returns
        -------
        pixels : (K, 2) ndarray of int64
            Best first; fewer than ``num`` where no more are left.
        scores : (K,) ndarray of float64
            Deviation times local scale to the power, less what noise will hide, at the moment of
            the choice; in the values' unit.

        Raises
        ------
        ValueError
            If there is no reading yet.
        """
        own = self.outlook(power=power, emphasis=emphasis)
        pixels, squares = choose([own], [1.0], num, unavailable, counted)
        return pixels, self._sd * np.sqrt(squares)

    def outlook(
        self, *, power: float = STEERING_POWER, emphasis: NDArray[np.float64] | None = None
    ) -> Outlook:
        """Give what each pixel is worth measuring for, as ``choose`` has it.

        Variances are in units of the hyperparameters' one.

        Raises
        ------
        ValueError
            If there is no reading yet.
        """
        return outlook(self._posterior, self.log_scale, power, emphasis)

    @property
    def _posterior(self) -> TilePosterior:
        if self._computed is None:
            raise ValueError("there is nothing to go by yet: update with a reading first")
        return self._computed

    @property
    def _sd(self) -> float:
        return self._posterior.sd

    def _learn(self, num: int) -> None:
        """Fit to the first readings, and compute everything."""
        r = self._readings
        where, values, noise = r.where[:num], r.values[:num], r.variances[:num]
        if self._counts_per_unit is not None:
            counted = counting_noise(self.shape, where, values, self._counts_per_unit)
            counted /= r.exposures[:num]
            noise = np.where(np.isnan(noise), counted, noise)
        self._hyperparameters = fit_hyperparameters(
            self.shape, where, values, noise, smoothness=self._smoothness
        )
        self._fitted = num
        self._compute()

    def _compute(self) -> None:
        """Compute everything for the hyperparameters."""
        self._scale = None
        self._computed = TilePosterior(
            self._readings, self.hyperparameters, self._counts_per_unit,
            described=self._local_scale,
        )  # fmt: skip

    def _fit_scale(self) -> LocalScale:
        if not self._local_scale:
            return LocalScale()
        errors, variances, noise, features, areas = self._posterior.tests_held_out()
        if not len(errors):
            return LocalScale()
        return fit_local_scale(errors, variances, noise, features, area_weights(areas))
