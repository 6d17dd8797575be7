"""A Cholesky factor that grows row by row: what a further reading costs is a square, not a cube."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

Array = NDArray[np.float64]

LEAST_PIVOT = 1e-10  # of the signal's variance: below, a reading repeats another one exactly


class GrowingFactor:
    """The lower triangle L of a covariance L L', to which rows are appended.

    Parameters
    ----------
    least : float
        Smallest square of a pivot.
    """

    def __init__(self, least: float = LEAST_PIVOT) -> None:
        self._room = np.zeros((64, 64))
        self._least = least
        self.size = 0

    @property
    def lower(self) -> Array:
        """(P, P) the factor; a view that the next ``append`` may leave behind."""
        return self._room[: self.size, : self.size]

    def append(self, cross: Array, own: Array) -> None:
        """Append K rows.

        Parameters
        ----------
        cross : (P, K) ndarray of float64
            Covariances with the rows known.
        own : (K, K) ndarray of float64
            Among themselves, with their noise.
        """
        known, more = self.size, own.shape[0]
        self._make_room(known + more)
        solved = self.solve(cross)
        rest = own - solved.T @ solved
        rest[np.diag_indices(more)] = np.maximum(rest.diagonal(), self._least)
        self._room[known : known + more, :known] = solved.T
        self._room[known : known + more, known : known + more] = _lower(rest, self._least)
        self.size = known + more

    def solve(self, columns: Array) -> Array:
        """Solve L X = columns, (P, ...)."""
        if not self.size:
            return np.asarray(columns, dtype=np.float64)
        return solve_triangular(self.lower, columns, lower=True, check_finite=False)

    def solve_transposed(self, columns: Array) -> Array:
        """Solve L' X = columns, (P, ...)."""
        if not self.size:
            return np.asarray(columns, dtype=np.float64)
        return solve_triangular(self.lower, columns, lower=True, trans=1, check_finite=False)

    def copy(self) -> GrowingFactor:
        """Give one that may grow by itself."""
        return copy.deepcopy(self)

    def _make_room(self, size: int) -> None:
        if size > len(self._room):
            room = np.zeros((max(size, 2 * len(self._room)),) * 2)
            room[: self.size, : self.size] = self.lower
            self._room = room


def _lower(matrix: Array, least: float) -> Array:
    """Factor a covariance; one that rounding has spoilt is widened until it has a factor."""
    widened = 0.0
    while True:
        try:
            return cholesky(matrix + widened * np.eye(len(matrix)), lower=True)
        except LinAlgError:
            widened = max(10 * widened, least)
