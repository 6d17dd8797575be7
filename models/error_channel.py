"""What one channel's readings say of every pixel: its map, residuals, errors and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .local_features import UNAVAILABLE, octaves, residuals_of, score_pixels
from .neighbour_tables import TILE
from .scan import SparseScan
from .self_check import self_check
from .value_scale import prefix_of, scale_of, told_by

NO_LAYERS = tuple(np.empty(s, np.float32) for s in ((0, 0), 0, (0, 0), 0, (0, 0), 0))
SSIM_FLOOR = 4.5e-4  # C2/2 = 0.03^2/2 of the structural similarity index, in squares of the range
SILENT = -math.inf  # weight of a channel that says nothing
STEPS = 256.0  # of an octave of a weight, so that the last bits of sums decide nothing


@dataclass(frozen=True)
class Scoring:
    """How a score comes of an expected error, see `ErrorMap`."""

    layers: Sequence[NDArray[np.float32]] = NO_LAYERS
    power: float = 2.0
    flatness: float = 0.0
    gain_share: float = 0.0
    checked: int = 0


class ErrorChannel:
    """Map, expected errors and scores of one channel, kept up to date at the price of the change.

    Parameters
    ----------
    scoring : Scoring
    score : (M, N) ndarray of float32
        Where the scores are kept, octaves.
    weighed : bool
        Whether there are other channels to be weighed against.

    Attributes
    ----------
    image : (M, N) ndarray of float64
        The inverse-distance map, in a unit of its own, see `scale`.
    error : (M, N) ndarray of float32
        Squared error expected at each pixel, 0 where measured, in squares of that unit.
    residuals : (M, N) ndarray of float32
        What the neighbours of measured pixels leave of their values, coarse.
    scale : (int, float, float)
        A value v stands in that unit as ``v 2^-exponent - offset``; and its range squared.
    weight : float
        Octaves by which the scores are shifted to be compared with other channels'.
    sums : (I, J, 2) ndarray of float64
        Of the errors, and of the map's squares, in each tile.
    """

    def __init__(self, scoring: Scoring, score: NDArray[np.float32], *, weighed: bool) -> None:
        shape = score.shape
        self._scoring, self._weighed = scoring, weighed
        self.image = np.zeros(shape)
        self.error = np.zeros(shape, dtype=np.float32)
        self.score = score
        self.residuals = np.zeros(shape, dtype=np.float32)
        self.sums = np.zeros((-(-shape[0] // TILE), -(-shape[1] // TILE), 2))
        self.scale, self._varied, self._prefix = (0, 0.0, 1.0), False, 0
        self._trust, self.weight = 1.0, 0.0

    def take_scale(self, scan: SparseScan, extends: bool) -> bool:
        """Set unit, trust and weight by a scan's prefix; tell whether what was computed stands.

        ``extends`` says that the scan begins with the one before.
        """
        prefix = prefix_of(len(scan.values))
        if extends and self._varied and prefix == self._prefix:
            return True
        before = self._matters()
        self._prefix = prefix
        self.scale, self._varied = scale_of(scan.values)
        self._weigh(scan)
        return extends and self._matters() == before

    def _matters(self) -> tuple[float, ...]:
        """What all pixels hang on; the values' range only where it floors the normaliser."""
        exponent, offset, reach = self.scale
        floor = reach if self._scoring.flatness > 0 else 0.0
        return exponent, offset, floor, self._trust, self.weight

    def write(self, pixels: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Put readings into the map."""
        self.image[pixels[:, 0], pixels[:, 1]] = self.scaled(values)

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give values in the channel's own unit."""
        exponent, offset, _ = self.scale
        return np.clip(np.ldexp(values, -exponent) - offset, -1e15, 1e15)

    def in_squares(self, squares: NDArray[np.generic]) -> NDArray[np.float64]:
        """Give squares of the channel's own unit as squares of the values'."""
        return np.ldexp(squares.astype(np.float64), 2 * self.scale[0])

    def renew_residuals(
        self, pixels: NDArray[np.int64], neighbours: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Bring the residuals of (P, 2) measured pixels up to date; tell which changed."""
        return residuals_of(pixels, neighbours, self.image, self.residuals)

    def rescore(
        self, pixels: NDArray[np.int64], neighbours: NDArray[np.int32], near: NDArray[np.int32]
    ) -> None:
        """Estimate (U, 2) unmeasured pixels, their errors and scores anew."""
        s = self._scoring
        how = (s.power, s.flatness, SSIM_FLOOR * self.scale[2], s.gain_share, self._trust)
        maps = (near, self.error, self.score)
        score_pixels(pixels, neighbours, self.image, self.residuals, tuple(s.layers), how, *maps)

    def clear(self, pixels: NDArray[np.int64], near: NDArray[np.int32]) -> None:
        """Let measured pixels have no error, and be out of the choice."""
        _clear(pixels, near, self.error, self.score)

    def settle(self, tiles: NDArray[np.int64], flags: NDArray[np.uint8]) -> None:
        """Sum up (T, 2) tiles, and drop their flags."""
        _settle(tiles, flags, self.image, self.error, self.scale[1], self.sums)

    @property
    def estimates(self) -> NDArray[np.float64]:
        """(M, N) inverse-distance map, in the units of the values."""
        return np.ldexp(self.image + self.scale[1], self.scale[0])

    @property
    def squared_error(self) -> NDArray[np.float64]:
        """(M, N) squared error expected at each pixel, 0 where measured; units of the values^2."""
        return self.in_squares(self.error)

    @property
    def expected_nrmse(self) -> float:
        """Root of the squared errors expected over the map's norm; NaN for a map of zeros."""
        errors, squares = self.sums.reshape(-1, 2).sum(axis=0)
        return float(np.sqrt(errors / squares)) if squares > 0 else float("nan")

    def foretold(self) -> tuple[NDArray[np.float64], NDArray[np.float32], tuple[int, float]]:
        """(M, N) map, (M, N) squared errors expected, and the (exponent, offset) of their unit.

        A value v stands in that unit as ``v 2^-exponent - offset``: exactly, for whole numbers.
        """
        return self.image.copy(), self.error.copy(), self.scale[:2]

    def _weigh(self, scan: SparseScan) -> None:
        """Trust and weight, from the scan's prefix alone."""
        self._trust, self.weight = 1.0, 0.0
        checked = self._scoring.checked > 0 and self._varied
        if not (checked or self._weighed):
            return
        some = scan.first(told_by(scan.values))
        values = self.scaled(some.values)
        step = max(1, self._scoring.checked)
        found = self_check(SparseScan(scan.shape, some.pixels[::step], values[::step]))
        self._trust = found.trust if checked else 1.0
        if self._weighed:
            self.weight = self._weight(found.square, float(values.var()))

    def _weight(self, square: float, variance: float) -> float:
        """Octaves that take scores to shares of the channel's variance, however far trusted."""
        if not square > 0:
            return SILENT
        exponent = 1.0 + self._scoring.flatness - self._trust
        weight = exponent * float(octaves(square)) - float(octaves(variance))
        return round(STEPS * weight) / STEPS


@njit(cache=True, error_model="numpy")
def _clear(pixels, near, error, score):
    """A measured pixel has no error and cannot be chosen."""
    for p in range(pixels.shape[0]):
        row, column = pixels[p]
        near[row, column] = 0
        error[row, column] = 0
        score[row, column] = UNAVAILABLE


@njit(cache=True, error_model="numpy")
def _settle(tiles, flags, image, error, offset, sums):
    """Sum up errors and squares of the map in tiles, always in the same order; drop the flags."""
    rows, columns = image.shape
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        errors = squares = 0.0
        for row in range(i * TILE, min((i + 1) * TILE, rows)):
            for column in range(j * TILE, min((j + 1) * TILE, columns)):
                value = image[row, column] + offset
                errors += error[row, column]
                squares += value * value
                flags[row, column] = 0
        sums[i, j, 0], sums[i, j, 1] = errors, squares
