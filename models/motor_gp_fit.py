"""Hyperparameters of a Gaussian process on a few motors: the most probable ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]

MOST_FITTED = 300  # readings; more are thinned, as each step costs their cube
LENGTHS = (5e-3, 20.0)  # of the range
VARIANCES = (1e-2, 1e2)  # of the readings' own
NOISES = (1e-6, 4.0)
LENGTH_SPREAD = math.sqrt(3.0)  # of log l; Hvarfner, Hellsten and Nardi (2024), botorch's default
VARIANCE_SPREAD = 1.0
NOISE_PRIOR = (-4.0, 1.0)  # of log noise, botorch's default


@dataclass(frozen=True)
class MotorHyperparameters:
    """Of a Matern 5/2 covariance, a constant mean and Gaussian noise.

    Attributes
    ----------
    lengths : tuple of float
        Length scale of each motor, in its units.
    variance : float
        Of the signal, in squares of the values' unit.
    noise : float
        Variance of a reading's noise, in squares of the values' unit.
    mean : float
        Far from any reading, in the values' unit.

    Raises
    ------
    ValueError
        For lengths and variances that are not above 0, noise below 0, or what is no number.
    """

    lengths: tuple[float, ...]
    variance: float
    noise: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        above = (*self.lengths, self.variance)
        if not (self.lengths and all(0 < n < math.inf for n in above)):
            raise ValueError(f"lengths and variance must be above 0, but {above} came")
        if not (0 <= self.noise < math.inf and math.isfinite(self.mean)):
            raise ValueError(
                f"noise must be 0 or more and mean a number, but {self.noise}, {self.mean} came"
            )


def correlation(one: Array, other: Array, lengths: Array) -> Array:
    """(P, Q) Matern 5/2 correlations between (P, D) and (Q, D) places."""
    a, b = one / lengths, other / lengths
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return _matern(np.sqrt(5 * np.maximum(squares, 0.0)))


def fit_hyperparameters(places: Array, values: Array, noise: Array | None, seed: int = 0) -> Array:
    """Most probable logarithms of lengths, variance and noise, for scaled readings.

    The prior of a length is log-normal *as a density in the length*: its mode is 0.4 of the range
    in four dimensions.  As a density in the logarithm it would be 8 ranges, and searches stall.

    Parameters
    ----------
    places : (P, D) ndarray of float64
        In shares of each motor's range.
    values : (P,) ndarray of float64
        Of mean 0 and variance 1.
    noise : (P,) ndarray of float64 or None
        Known variances of the readings; None to learn one.
    seed : int
        Draws the readings that are fitted to, where there are more than 300.

    Returns
    -------
    (D + 2,) ndarray of float64
    """
    dimensions = places.shape[1]
    default = default_logs(dimensions)
    if len(values) < 2 or not np.ptp(values):
        return default
    if len(values) > MOST_FITTED:
        some = np.random.default_rng(seed).choice(len(values), MOST_FITTED, replace=False)
        places, values = places[some], values[some]
        noise = None if noise is None else noise[some]
    squares = (places[:, None] - places[None]) ** 2
    limits = np.log([LENGTHS] * dimensions + [VARIANCES, NOISES])
    shorter = default + np.r_[np.full(dimensions, -1.0), 0.0, 1.5]
    found = [
        minimize(_objective, start, (squares, values, noise), jac=True, method="L-BFGS-B",
                 bounds=limits, options={"maxiter": 60})
        for start in (default, shorter)
    ]  # fmt: skip
    return min(found, key=lambda result: float(result.fun)).x


def default_logs(dimensions: int) -> Array:
    """(D + 2,) the mode of the priors."""
    length = math.sqrt(2) + 0.5 * math.log(dimensions) - LENGTH_SPREAD**2
    noise = NOISE_PRIOR[0] - NOISE_PRIOR[1] ** 2
    return np.r_[np.full(dimensions, length), 0.0, noise]


def _objective(
    logs: Array, squares: Array, values: Array, noise: Array | None
) -> tuple[float, Array]:
    """Negative log posterior, and its gradient; the mean is the most probable one."""
    lengths2, variance = np.exp(2 * logs[:-2]), math.exp(logs[-2])
    own = np.full(len(values), math.exp(logs[-1])) if noise is None else noise
    a = np.sqrt(5 * (squares / lengths2).sum(axis=-1))
    decay = variance * np.exp(-a)
    signal = decay * (1 + a + a * a / 3)
    try:
        lower = np.linalg.cholesky(signal + np.diag(own + 1e-8 * variance))
    except LinAlgError:
        return 1e10, np.zeros_like(logs)
    inverse = cho_solve((lower, True), np.eye(len(values)))
    residual = values - profiled_mean(lower, values)
    solved = inverse @ residual
    likelihood = 0.5 * residual @ solved + np.log(np.diag(lower)).sum()
    weight = 0.5 * (inverse - np.outer(solved, solved))
    steep = weight * decay * (5 / 3) * (1 + a)
    gradient = np.r_[
        np.einsum("pq,pqd->d", steep, squares) / lengths2,
        (weight * signal).sum(),
        np.trace(weight) * own[0] if noise is None else 0.0,
    ]
    prior, slope = _prior(logs)
    return likelihood + prior, gradient + slope


def _prior(logs: Array) -> tuple[float, Array]:
    """Negative log densities in the lengths, the log variance and the noise, and the gradient."""
    dimensions = len(logs) - 2
    centre = np.r_[
        np.full(dimensions, math.sqrt(2) + 0.5 * math.log(dimensions)), 0, NOISE_PRIOR[0]
    ]
    spread = np.r_[np.full(dimensions, LENGTH_SPREAD), VARIANCE_SPREAD, NOISE_PRIOR[1]]
    density = np.r_[np.ones(dimensions), 0.0, 1.0]  # in the number itself, not in its logarithm
    off = (logs - centre) / spread
    return float(0.5 * off @ off + density @ logs), off / spread + density


def profiled_mean(lower: Array, values: Array) -> float:
    """Most probable mean, from the lower factor of the readings' covariance."""
    both = np.column_stack([np.ones_like(values), values])
    ones, whitened = solve_triangular(lower, both, lower=True).T
    return float(ones @ whitened / (ones @ ones))


def _matern(a: Array) -> Array:
    return (1 + a + a * a / 3) * np.exp(-a)
