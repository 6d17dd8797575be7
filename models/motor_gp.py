"""A Gaussian process on one to six motors: what lies between the readings, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .motor_gp_factor import GrowingFactor
from .motor_gp_fit import (
    MotorHyperparameters,
    default_logs,
    fit_hyperparameters,
    profiled_mean,
)
from .motor_gp_posterior import Known, MotorPosterior

Array = NDArray[np.float64]

MOST_MOTORS = 6
SMALLEST_SCALE = 1e-3  # of the readings' size: the deviation that is taken while all are equal


class MotorGP:
    """Exact posterior on a box of motor positions, at the price of what is new.

    Matern 5/2 with a length scale for each motor.  Readings are appended to the Cholesky factor;
    hyperparameters are fitted to the first 2, 4, 6, ... of them, from 50 on whenever they have
    grown by a tenth, so that they hang on the readings alone and not on how they came in.

    Parameters
    ----------
    low, high : (D,) array-like of float
        Ends of each motor's range, D from 1 to 6, in its units.
    noise : float, optional
        Variance of a reading, in squares of the values' unit; learned where not given.
    hyperparameters : MotorHyperparameters, optional
        Taken as they are; else fitted.
    every : int
        Readings between two fits, at least.
    seed : int
        Draws the readings that are fitted to, where there are more than 300.

    Raises
    ------
    ValueError
        For a range that is none, too many motors, or a noise below 0.

    Examples
    --------
    >>> gp = MotorGP([0, 0], [1, 10], hyperparameters=MotorHyperparameters((0.3, 3.0), 4.0, 1e-8))
    >>> gp.update([[0.5, 5.0], [0.9, 1.0]], [2.0, -1.0])
    >>> mean, std = gp.predict([[0.5, 5.0], [0.0, 10.0]])
    >>> mean.round(3).tolist(), std.round(2).tolist()
    ([2.0, 0.173], [0.0, 1.99])
    """

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        *,
        noise: float | None = None,
        hyperparameters: MotorHyperparameters | None = None,
        every: int = 2,
        seed: int = 0,
    ) -> None:
        self.low, self.high = _box(low, high)
        if noise is not None and not 0 <= noise < math.inf:
            raise ValueError(f"noise is a variance, 0 or more, but {noise} came")
        if hyperparameters is not None and len(hyperparameters.lengths) != len(self.low):
            raise ValueError(
                f"{len(self.low)} motors need as many lengths, but {hyperparameters.lengths} came"
            )
        self._given, self._noise, self._seed = hyperparameters, noise, seed
        self._every = max(int(every), 1)
        self._positions = self._places = np.empty((0, len(self.low)))
        self._values = np.empty(0)
        self._variances = np.empty(0)  # NaN: the one that is learned
        self._fitted = 0
        self._logs, self._scale = default_logs(len(self.low)), 1.0
        self._factor = GrowingFactor()
        self._state: Known | None = None

    def update(
        self, positions: ArrayLike, values: ArrayLike, variances: ArrayLike | None = None
    ) -> None:
        """Take readings in, several at a position too; what is not finite is left out.

        Positions outside of the range count like all others: a motor may overshoot.

        Parameters
        ----------
        positions : (K, D) array-like
            In the motors' units.
        values : (K,) array-like
        variances : (K,) array-like, optional
            Noise of each reading; NaN where it is not known.

        Raises
        ------
        ValueError
            If lengths differ, or a variance is below 0.
        """
        where = np.asarray(positions, dtype=np.float64).reshape(-1, len(self.low))
        what = np.asarray(values, dtype=np.float64).reshape(-1)
        known = math.nan if self._noise is None else self._noise
        noise = np.full(len(what), known) if variances is None else np.asarray(variances, float)
        if not len(where) == len(what) == noise.size:
            raise ValueError(
                f"{len(where)} positions came with {len(what)} values and {noise.size} variances"
            )
        if (noise < 0).any():
            raise ValueError(f"variances must be 0 or more, but {noise.min()} came")
        usable = np.isfinite(where).all(axis=1) & np.isfinite(what)
        self._positions = np.concatenate([self._positions, where[usable]])
        self._places = self.unit(self._positions)
        self._values = np.concatenate([self._values, what[usable]])
        self._variances = np.concatenate([self._variances, noise.reshape(-1)[usable]])
        self._state = None
        due = self._milestone(len(self._values))
        if due > self._fitted:
            self._fit(due)
        self._append()

    def unit(self, positions: ArrayLike) -> Array:
        """(K, D) positions in shares of the ranges."""
        return (np.asarray(positions, dtype=np.float64) - self.low) / (self.high - self.low)

    @property
    def num_readings(self) -> int:
        """Usable readings."""
        return len(self._values)

    @property
    def positions(self) -> Array:
        """(P, D) where the readings are, in motor units."""
        return self._positions.copy()

    @property
    def values(self) -> Array:
        """(P,) the readings."""
        return self._values.copy()

    @property
    def noises(self) -> Array:
        """(P,) variance of each reading's noise, in squares of the values' unit."""
        return self._own_noise() * self._scale**2

    @property
    def hyperparameters(self) -> MotorHyperparameters:
        """Those in use; before the first reading the most probable ones of the prior."""
        lengths = np.exp(self._logs[:-2]) * (self.high - self.low)
        square = self._scale**2
        noise = math.exp(self._logs[-1]) * square if self._noise is None else self._noise
        return self._given or MotorHyperparameters(
            tuple(map(float, lengths)),
            float(math.exp(self._logs[-2]) * square),
            float(noise),
            float(self._known().mean * self._scale),
        )

    def predict(self, positions: ArrayLike) -> tuple[Array, Array]:
        """Mean and standard deviation, (K,) each, of what lies behind the readings.

        Parameters
        ----------
        positions : (K, D) array-like
            In the motors' units.
        """
        posterior = self.posterior(positions)
        return posterior.mean, posterior.std

    def posterior(self, positions: ArrayLike, pending: ArrayLike = ()) -> MotorPosterior:
        """Give the joint posterior at (K, D) positions; readings at ``pending`` count as made.

        Their values are not known, so the mean stays and the variance falls.
        """
        return MotorPosterior(self._known(), positions, pending)

    def best(self) -> tuple[Array, float, float] | None:
        """Position read with the highest mean, (D,), that mean and its deviation; None at first."""
        if not len(self._values):
            return None
        mean, std = self.predict(self.positions)
        first = int(np.argmax(mean))
        return self.positions[first], float(mean[first]), float(std[first])

    def _known(self) -> Known:
        """Give what a posterior is made of."""
        if self._state is None:
            bare = self._bare()
            factor, values = self._factor, self._values / self._scale
            mean = 0.0
            if self._given is not None:
                mean = self._given.mean / self._scale
            elif len(values):
                mean = profiled_mean(factor.lower, values)
            solved = factor.solve_transposed(factor.solve(values - mean))
            self._state = replace(bare, mean=mean, solved=solved)
        return self._state

    def _bare(self) -> Known:
        """Give the same without the values."""
        lengths, variance = np.exp(self._logs[:-2]), math.exp(self._logs[-2])
        if self._given is not None:
            lengths = np.array(self._given.lengths) / (self.high - self.low)
            variance = self._given.variance / self._scale**2
        return Known(
            self.low, self.high, self._places, self._own_noise(), lengths, variance, self._scale,
            self._factor,
        )  # fmt: skip

    def _own_noise(self) -> Array:
        """(P,) variances of the readings' noise, scaled."""
        learned = math.exp(self._logs[-1])
        if self._given is not None:
            learned = self._given.noise / self._scale**2
        own = self._variances / self._scale**2
        return np.where(np.isnan(own), learned, own)

    def _milestone(self, num: int) -> int:
        """Number of readings of the last fit that is due at ``num`` of them."""
        due = following = 1
        while following <= num:
            due, following = following, following + max(self._every, following // 10)
        return due if num else 0

    def _fit(self, num: int) -> None:
        """Fit to the first ``num`` readings, and begin the factor anew."""
        some = self._values[:num]
        spread = float(np.std(some))
        size = float(np.abs(some).max())
        self._scale = spread if spread > 1e-12 * size else SMALLEST_SCALE * size or 1.0
        if self._given is None:
            own = self._variances[:num] / self._scale**2
            self._logs = fit_hyperparameters(
                self._places[:num],
                (some - some.mean()) / self._scale,
                None if np.isnan(own).any() else own,
                self._seed,
            )
        self._fitted = num
        self._factor = GrowingFactor()

    def _append(self) -> None:
        """Append to the factor the readings that it lacks.

        Those of the last fit at once, those since then one by one: the same to the last bit,
        however they came in.
        """
        bare = self._bare()
        while self._factor.size < len(self._values):
            known = self._factor.size
            rows = slice(known, max(self._fitted, known + 1))
            more = self._places[rows]
            own = bare.covariance(more, more) + np.diag(bare.noises[rows])
            self._factor.append(bare.covariance(self._places[:known], more), own)


def _box(low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
    ends = np.atleast_1d(np.asarray(low, float)), np.atleast_1d(np.asarray(high, float))
    fits = ends[0].shape == ends[1].shape and 1 <= len(ends[0]) <= MOST_MOTORS
    if not (fits and np.isfinite(ends).all() and (ends[0] < ends[1]).all()):
        raise ValueError(
            f"1 to {MOST_MOTORS} motors need a low and a higher end each, but {low} and {high} came"
        )
    return ends
