"""The posterior of a Gaussian process at some positions, and what further readings would leave."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .motor_gp_factor import GrowingFactor
from .motor_gp_fit import correlation

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """All that a posterior is made of; variances and values in squares and units of ``scale``.

    Attributes
    ----------
    low, high : (D,) ndarray of float64
        Ends of the ranges, in motor units.
    places : (P, D) ndarray of float64
        Of the readings, in shares of the ranges.
    noises : (P,) ndarray of float64
    lengths : (D,) ndarray of float64
        In shares of the ranges.
    variance : float
    scale : float
        In the values' unit.
    factor : GrowingFactor
        Of the readings' covariance.
    mean : float
    solved : (P,) ndarray of float64
        Inverse covariance times what the readings are off the mean.
    """

    low: Array
    high: Array
    places: Array
    noises: Array
    lengths: Array
    variance: float
    scale: float
    factor: GrowingFactor
    mean: float = 0.0
    solved: Array = field(default_factory=lambda: np.empty(0))

    def covariance(self, one: Array, other: Array) -> Array:
        """(K, L) of the signal, between (K, D) and (L, D) places."""
        return self.variance * correlation(one, other, self.lengths)

    def unit(self, positions: ArrayLike) -> Array:
        """(K, D) positions in shares of the ranges."""
        where = np.asarray(positions, dtype=np.float64).reshape(-1, len(self.low))
        return (where - self.low) / (self.high - self.low)

    @property
    def noise(self) -> float:
        """Variance that a further reading's noise would have."""
        return float(np.mean(self.noises)) if len(self.noises) else 0.0


class MotorPosterior:
    """Mean, deviation and covariances at some positions.

    Parameters
    ----------
    known : Known
    positions : (K, D) array-like
        In motor units.
    pending : (Q, D) array-like
        Positions whose readings count as made.

    Attributes
    ----------
    mean : (K,) ndarray of float64
        In the values' unit.
    noise : float
        Variance that a further reading's noise would have.
    """

    def __init__(self, known: Known, positions: ArrayLike, pending: ArrayLike = ()) -> None:
        self._known, self._at = known, known.unit(positions)
        self._factor, self._counted = known.factor, known.places
        cross = known.covariance(known.places, self._at)
        self.mean = known.scale * (known.mean + cross.T @ known.solved)
        self.noise = known.scale**2 * known.noise
        self._whitened = known.factor.solve(cross)
        self.count(pending)

    @property
    def variance(self) -> Array:
        """(K,) variance of the signal, in squares of the values' unit."""
        prior = self._known.variance
        left = prior - np.einsum("pk,pk->k", self._whitened, self._whitened)
        return self._known.scale**2 * np.maximum(left, 1e-12 * prior)

    @property
    def std(self) -> Array:
        """(K,) standard deviation, in the values' unit."""
        return np.sqrt(self.variance)

    def covariance(self, other: MotorPosterior) -> Array:
        """(K, L) with the positions of another posterior, for which the same is counted."""
        known = self._known
        prior = known.covariance(self._at, other._at)
        return known.scale**2 * (prior - self._whitened.T @ other._whitened)

    def likeness(self, position: ArrayLike) -> Array:
        """(K,) correlation with a (D,) position before any reading: near 1 on the same hill."""
        other = self._known.unit(position)
        return self._known.covariance(self._at, other)[:, 0] / self._known.variance

    def count(self, positions: ArrayLike) -> None:
        """Count readings at (Q, D) positions as made: the variance falls, the mean stays."""
        known, more = self._known, self._known.unit(positions)
        if not len(more):
            return
        factor, first = self._factor.copy(), self._factor.size
        own = known.covariance(more, more) + known.noise * np.eye(len(more))
        factor.append(known.covariance(self._counted, more), own)
        across, block = factor.lower[first:, :first], factor.lower[first:, first:]
        rest = known.covariance(more, self._at) - across @ self._whitened
        self._whitened = np.concatenate([self._whitened, np.linalg.solve(block, rest)])
        self._counted, self._factor = np.concatenate([self._counted, more]), factor
