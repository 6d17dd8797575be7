"""A Gaussian process on the pixels of a raster: what the map is, and how sure it is of that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, stdtrit

from .error_estimate import MOST_SPREAD, ErrorEstimate
from .raster_gp_batch import Outlook, choose
from .raster_gp_fit import (
    AROUND,
    counting_noise,
    fit_hyperparameters,
    variance_of_counts,
)
from .raster_gp_kernel import GPHyperparameters, checked_smoothness
from .raster_gp_neighbours import TILE, TileNeighbours
from .raster_gp_readings import milestone, usable_readings
from .raster_gp_scale import (
    BLOCK,
    STEEPEST,
    LocalScale,
    area_weights,
    describe_blocks,
    describe_points,
    fit_local_scale,
    judges,
    log_scales,
)
from .raster_gp_seams import WINDOW, around, blend
from .raster_gp_tiles import condition, mean_around

NEIGHBOURS = 80  # of a tile, at least
CHOSEN_BY = 64  # of them, for pixels that are chosen one after the other


class RasterGP:
    """Posterior of a Gaussian process on all pixels of a raster, at the price of what changed.

    The 64 pixels of a tile of 8 x 8 are conditioned on the 80 readings nearest to it, or more where
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
        self._index = np.full(self.shape, -1, dtype=np.int32)
        self._where = np.empty((0, 2), dtype=np.int32)
        self._values, self._variances = np.empty(0), np.empty(0)
        self._lists = TileNeighbours(self.shape, NEIGHBOURS)
        self._begin(np.empty(0))

    def update(
        self, pixels: ArrayLike, values: ArrayLike, variances: ArrayLike | None = None
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

        Raises
        ------
        ValueError
            If lengths differ, or a variance is negative or no number.
        """
        where, what, noise = usable_readings(self.shape, pixels, values, variances)
        if variances is None and self._counts_per_unit is not None:
            noise = np.full(len(what), np.nan)  # by the readings around
        own = self._index[where[:, 0], where[:, 1]]
        again, known = own >= 0, len(self._values)
        self._values[own[again]] = what[again]
        self._variances[own[again]] = noise[again]
        fresh = where[~again]
        self._index[fresh[:, 0], fresh[:, 1]] = np.arange(known, known + len(fresh))
        self._where = np.concatenate([self._where, fresh])
        self._values = np.concatenate([self._values, what[~again]])
        self._variances = np.concatenate([self._variances, noise[~again]])
        if not len(where):
            return
        if not self._given and milestone(len(self._values)) > self._fitted:
            self._learn(milestone(len(self._values)))
        elif self._fitted == 0:
            self._renew()
        else:
            self._extend(known, own[again])

    def fit(self) -> GPHyperparameters:
        """Fit the hyperparameters to all readings now; those given are given up.

        Raises
        ------
        ValueError
            If there is no reading yet.
        """
        if not len(self._values):
            raise ValueError("there is nothing to fit to: update with a reading first")
        self._given = False
        self._learn(len(self._values))
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
        return len(self._values)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(M, N) expected values, in their unit; NaN before the first reading."""
        if not self._fitted:
            return np.full(self.shape, np.nan)
        mean = self._sd * self._maps[0]
        mean += self.hyperparameters.mean
        exact = self._noise == 0
        rows, columns = self._where[exact].T
        mean[rows, columns] = self._values[exact]
        return mean

    @property
    def std(self) -> NDArray[np.float64]:
        """(M, N) standard deviation of the pixels' values, in their unit, by the local scale.

        Infinite before the first reading.
        """
        if not self._fitted:
            return np.full(self.shape, np.inf)
        std = np.exp(self.log_scale)
        std *= self._maps[1]
        std += self._maps[2]
        np.sqrt(std, out=std)  # in place throughout: memory takes longer than the sums
        std *= self._sd
        return std

    @property
    def stationary_std(self) -> NDArray[np.float64]:
        """(M, N) the same without the local scale, as the covariance alone has it."""
        if not self._fitted:
            return np.full(self.shape, np.inf)
        return self._sd * np.sqrt(self._maps[1] + self._maps[2])

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
        if not any(scale.weights):
            return np.zeros(self.shape)
        weights = np.array(scale.weights)
        logs = log_scales(self._block_features, weights, scale.offset, self.shape)
        own = np.maximum(self._maps[1], 1e-12)
        np.log(own, out=own)
        own *= weights[-1]
        logs += own
        return np.clip(logs, -STEEPEST, STEEPEST, out=logs)

    @property
    def held_out(self) -> tuple[NDArray[np.float64], ...]:
        """What each reading would have been off, had it not been taken, and its variance.

        (P,) errors; (P,) variances without the local scale, less the reading's own noise and that
        which the mean carries; (P,) the latter.
        """
        error, variance, carried = self._held_out
        return self._sd * error, self._sd**2 * variance, self._sd**2 * carried

    @property
    def error_estimate(self) -> ErrorEstimate:
        """The error expected of the mean map; without numbers before the first reading."""
        if not self._fitted:
            return ErrorEstimate(0)
        variance, mean = self.std**2, self.mean
        return ErrorEstimate.of(
            self.num_readings, float(variance.mean()), float((mean**2).mean()), self._spread()
        )

    @property
    def expected_nrmse(self) -> float:
        """Root mean square error expected, over the truth's; NaN for a map of zeros."""
        return self.error_estimate.nrmse

    def _spread(self) -> float:
        """How uncertain the log of the expected error is."""
        return MOST_SPREAD

    def interval(self, level: float = 0.9) -> NDArray[np.float64]:
        """(M, N) half the width of the interval that holds a pixel's value with a probability.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"a level lies between 0 and 1, but {level} came")
        tails = self.local_scale
        return self.std * tails.width * float(stdtrit(tails.freedom, 0.5 + 0.5 * level))

    def log_density(self, truth: NDArray[np.floating]) -> NDArray[np.float64]:
        """(M, N) log of the probability density of an image; minus its mean is the NLPD."""
        tails = self.local_scale
        df, width = tails.freedom, np.maximum(self.std, 1e-12 * self._sd) * tails.width
        z2 = ((truth - self.mean) / width) ** 2
        norm = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * math.log(df * math.pi)
        return norm - np.log(width) - (df + 1) / 2 * np.log1p(z2 / df)

    def choose(
        self,
        num: int,
        unavailable: NDArray[np.int64],
        counted: int = 0,
        *,
        power: float = 0.5,
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
        outlook = self.outlook(power=power, emphasis=emphasis)
        pixels, squares = choose([outlook], [1.0], num, unavailable, counted)
        return pixels, self._sd * np.sqrt(squares)

    def outlook(
        self, *, power: float = 0.5, emphasis: NDArray[np.float64] | None = None
    ) -> Outlook:
        """Give what each pixel is worth measuring for, as ``choose`` has it.

        Variances are in units of the hyperparameters' one.

        Raises
        ------
        ValueError
            If there is no reading yet.
        """
        h = self.hyperparameters
        weight = np.exp(power * self._steering_scale()) * self._share_learned()
        if emphasis is not None:
            weight *= emphasis**2
        return Outlook(
            self._maps[1] + self._maps[2],
            weight,
            self._lists.nearest(CHOSEN_BY),
            self._where,
            self._noise / h.variance,
            self._table,
            h.floor / h.variance,
            self._ratio,
        )

    def _steering_scale(self) -> NDArray[np.float64]:
        """(M, N) log of the local scale that points follow.

        Among noisy readings the plain ratio of the sixteen nearest: the regression, fitted to
        points that it chose itself, led to crowds of points at 100 counts.
        """
        if not self._noise.any():
            return self.log_scale
        plain = log_scales(self._block_features, np.eye(5)[1], 0.0, self.shape)
        return np.clip(plain, -STEEPEST, STEEPEST)

    def _share_learned(self) -> NDArray[np.float64]:
        """(M, N) share of a pixel's variance that one reading would explain."""
        variance = self._maps[1] + self._maps[2]
        noise = float(np.mean(self._noise)) / self.hyperparameters.variance
        return variance / (variance + noise) if noise > 0 else np.ones(self.shape)

    def _learn(self, num: int) -> None:
        """Fit to the first readings, and compute everything."""
        where, values = self._where[:num], self._values[:num]
        noise = self._variances[:num]
        if self._counts_per_unit is not None:
            counted = counting_noise(self.shape, where, values, self._counts_per_unit)
            noise = np.where(np.isnan(noise), counted, noise)
        self._hyperparameters = fit_hyperparameters(
            self.shape, where, values, noise, smoothness=self._smoothness
        )
        self._fitted = num
        self._renew()

    def _begin(self, noise: NDArray[np.float64]) -> None:
        """Forget all that was computed."""
        tiles, blocks = self._lists.counts.shape, TILE // BLOCK
        num = len(noise)
        self._noise, self._around = noise, np.full(num, np.nan)
        self._maps = (np.zeros(self.shape), np.ones(self.shape), np.zeros(self.shape))
        self._held_out = (np.zeros(num), np.full(num, np.nan), np.zeros(num))
        self._windows = np.zeros((*tiles, WINDOW, WINDOW))
        self._block_features = np.zeros((tiles[0] * blocks, tiles[1] * blocks, 3))
        self._scale: LocalScale | None = None

    def _renew(self) -> None:
        """Compute everything for the hyperparameters."""
        h = self.hyperparameters
        self._fitted = max(self._fitted, 1)
        self._sd = math.sqrt(h.variance)
        self._ratio = (h.lengths[1] / h.lengths[0]) ** 2
        wide = h.correlation((self.shape[0] + WINDOW, self.shape[1] + WINDOW))
        self._table = np.ascontiguousarray(wide[: self.shape[0], : self.shape[1]])
        self._mirrored = np.pad(wide, ((wide.shape[0] - 1, 0), (wide.shape[1] - 1, 0)), "reflect")
        self._begin(np.empty(len(self._values)))
        self._lists.fill(self._where, self._ratio)
        self._condition(np.ones(self._lists.counts.shape, dtype=bool), self._values[:0] > 0)

    def _extend(self, known: int, again: NDArray[np.int32]) -> None:
        """Compute what the readings from an index on, and those replaced, change."""
        num = len(self._values) - known
        self._noise = np.concatenate([self._noise, np.zeros(num)])
        self._around = np.concatenate([self._around, np.full(num, np.nan)])
        e, v, c = self._held_out
        self._held_out = (
            np.concatenate([e, np.zeros(num)]),
            np.concatenate([v, np.full(num, np.nan)]),
            np.concatenate([c, np.zeros(num)]),
        )
        self._scale = None
        stale = self._lists.insert(self._where, known, self._ratio)
        stale[self._where[known:, 0] // TILE, self._where[known:, 1] // TILE] = True
        changed = np.zeros(len(self._values), dtype=bool)
        changed[again] = True
        self._condition(stale, changed)

    def _condition(self, stale: NDArray[np.bool_], changed: NDArray[np.bool_]) -> None:
        """Bring stale tiles up to date, and those that have a changed reading in their lists."""
        lists = self._lists.all
        if changed.any():
            stale |= self._lists.users(changed)
        stale |= self._renew_noise(stale)
        floor = self.hyperparameters.floor / self.hyperparameters.variance
        points = self._scaled()
        condition(
            np.argwhere(stale),
            lists,
            points,
            self._mirrored,
            floor,
            self._maps[1:],
            self._windows,
            self._held_out,
        )
        blend(
            np.argwhere(around(stale)),
            self._windows,
            self._reaches(),
            points,
            floor,
            self._maps[0],
        )
        if self._local_scale:
            held_out_anew = stale[self._where[:, 0] // TILE, self._where[:, 1] // TILE]
            tiles = np.argwhere(stale | self._lists.users(held_out_anew))
            describe_blocks(tiles, lists, self._ratio, points, self._held_out, self._block_features)

    def _reaches(self) -> NDArray[np.float64]:
        """(R, C, 2) how far tiles' readings go beyond them, along rows and columns."""
        last = np.maximum(self._lists.counts - 1, 0)[..., None]
        across = np.sqrt(np.take_along_axis(self._lists.distances, last, axis=2)[..., 0])
        across[self._lists.counts < self._lists.least] = np.inf
        return np.stack([across / math.sqrt(self._ratio), across], axis=2)

    def _scaled(self) -> tuple[NDArray[Any], ...]:
        """Where, values and noise in standard deviations, and index by pixel."""
        h = self.hyperparameters
        return (
            self._where, (self._values - h.mean) / self._sd, self._noise / h.variance, self._index
        )  # fmt: skip

    def _renew_noise(self, stale: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Set the readings' noise; tell which tiles have one in their lists whose noise changed."""
        noise = self._variances
        if self._counts_per_unit is not None:
            chosen = np.flatnonzero(stale[self._where[:, 0] // TILE, self._where[:, 1] // TILE])
            lists = self._lists.all
            mean_around(chosen, lists, self._where, self._values, self._ratio, AROUND, self._around)
            counted = variance_of_counts(self._around, self._counts_per_unit)
            noise = np.where(np.isnan(noise), counted, noise)
        changed = noise != self._noise
        self._noise = noise
        return self._lists.users(changed) if changed.any() else np.zeros_like(stale)

    def _fit_scale(self) -> LocalScale:
        if not self._local_scale:
            return LocalScale()
        errors, variances, noise, features, areas = self._tests_held_out()
        if not len(errors):
            return LocalScale()
        return fit_local_scale(errors, variances, noise, features, area_weights(areas))

    def _tests_held_out(self) -> tuple[NDArray[np.float64], ...]:
        """Errors, variances, noise, features and areas of some readings held out, scaled."""
        chosen = judges(self._held_out[1])
        features, areas = np.empty((len(chosen), 3)), np.empty(len(chosen))
        lists, points = self._lists.all, self._scaled()
        describe_points(chosen, lists, self._ratio, points, self._held_out, features, areas)
        errors, variances, carried = (each[chosen] for each in self._held_out)
        return errors, variances, points[2][chosen] + carried, features, areas
