"""A map of a raster, and how wrong it is expected to be at each pixel, at the price of the change.

What is computed depends on the measured pixels and values alone: a map that was brought up to date
a thousand times equals one made at once, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .best_first import BestFirst
from .local_features import FEATURES, UNAVAILABLE, describe_pixels, residuals_of, score_pixels
from .measuring_gain import gains_of
from .neighbour_tables import TILE, NeighbourTables
from .scan import SparseScan
from .self_check import trust
from .value_scale import prefix_of, scale_of

BLOCK = 1 << 18  # pixels scored at a time where all are, to bound the memory
NO_LAYERS = tuple(np.empty(s, np.float32) for s in ((0, 0), 0, (0, 0), 0, (0, 0), 0))
SSIM_FLOOR = 4.5e-4  # C2/2 = 0.03^2/2 of the structural similarity index, in squares of the range


class ErrorMap:
    """Estimates, expected squared errors and scores of all pixels, incrementally.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns.
    layers : sequence of 6 ndarray of float32, optional
        Weights (F, H1), (H1,), (H1, H2), (H2,), (H2, 2), (2,) of a network that corrects the
        expected error and the expected gain, in octaves; none where not given.
    power : float
        Scores grow with the distance to the nearest measured pixel to this power.
    flatness : float
        Scores are divided by the neighbours' variance to this power: 0 seeks the least square
        error, 0.25 evens out the error relative to the structure, as the SSIM does.
    gain_share : float
        Weight of the network's correction of the gain against that of the pixel's own error in
        the logarithm of the score, 0 to 1.
    checked : bool
        Whether errors count in the score no more than the scan's own bear out, see `trust`.
    """

    FEATURES = FEATURES

    def __init__(
        self,
        shape: tuple[int, int],
        layers: Sequence[NDArray[np.float32]] | None = None,
        *,
        power: float = 2.0,
        flatness: float = 0.0,
        gain_share: float = 0.0,
        checked: bool = False,
    ) -> None:
        self._layers = NO_LAYERS if layers is None else tuple(layers)
        self._power, self._flatness = float(power), float(flatness)
        self._gain_share, self._checked = float(gain_share), checked
        self._reset(shape)

    def _reset(self, shape: tuple[int, int]) -> None:
        self._tables = NeighbourTables(shape)
        self._scan = SparseScan(shape, np.empty((0, 2), np.int64), np.empty(0))
        self._scale, self._varied, self._trust = (0, 0.0, 1.0), False, 1.0
        self._image = np.zeros(shape)
        self._residuals = np.zeros(shape, dtype=np.float32)
        self._measured = np.zeros(shape, dtype=np.bool_)
        self._near = np.zeros(shape, dtype=np.int32)
        self._error = np.zeros(shape, dtype=np.float32)
        self._score = np.full(shape, UNAVAILABLE, dtype=np.float32)
        self._best = BestFirst(self._score, self._near, self._power)
        self._sums = np.zeros((*self._tables.tiles, 2))

    def update(self, scan: SparseScan) -> None:
        """Bring everything up to date with a scan of a point or more.

        Cheap where it extends the last one; where it does not, all begins anew.
        """
        known = len(self._scan.values)
        if not (self._scan.shape == scan.shape and _begins(scan.pixels, self._scan.pixels)):
            self._reset(scan.shape)
            known = 0
        fresh = scan.pixels[known:]
        same = known > 0 and _begins(scan.values, self._scan.values)
        if not (same and self._varied and prefix_of(len(scan.values)) == prefix_of(known)):
            before = self._scale, self._trust
            self._scale, self._varied = scale_of(scan.values)
            self._trust = self._borne_out(scan)
            same = same and (self._scale, self._trust) == before
        self._scan = scan
        self._measured[fresh[:, 0], fresh[:, 1]] = True
        if len(fresh) > known:
            self._tables.fill(scan.pixels)
            self._revalue()
        elif not same:
            self._tables.insert(fresh)
            self._revalue()
        elif len(fresh):
            self._extend(fresh, scan.values[known:])

    def choose(
        self, num: int, unavailable: NDArray[np.int64], counted: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose up to ``num`` (K, 2) pixels, best first, with their scores.

        The last ``counted`` of the (Q, 2) unavailable pixels count as measured, as do those chosen
        before in the batch.  Scores are in squares of the values' unit.
        """
        pixels, octaves = self._best.choose(num, unavailable, counted)
        with np.errstate(over="ignore", under="ignore"):
            return pixels, np.exp2(octaves.astype(np.float64) + 2.0 * self._scale[0])

    @property
    def expected_nrmse(self) -> float:
        """Root of the squared errors expected over the map's norm; NaN for a map of zeros."""
        errors, squares = self._sums.reshape(-1, 2).sum(axis=0)
        return float(np.sqrt(errors / squares)) if squares > 0 else float("nan")

    @property
    def image(self) -> NDArray[np.float64]:
        """(M, N) inverse-distance map, in the units of the values."""
        return np.ldexp(self._image + self._scale[1], self._scale[0])

    @property
    def score(self) -> NDArray[np.float32]:
        """(M, N) scores, octaves of an arbitrary unit; minus infinity where measured."""
        return self._score

    @property
    def near(self) -> NDArray[np.int32]:
        """(M, N) squared distances of the nearest measured pixel, 0 where measured."""
        return self._near

    @property
    def squared_error(self) -> NDArray[np.float64]:
        """(M, N) squared error expected at each pixel, 0 where measured; units of the values^2."""
        return np.ldexp(self._error.astype(np.float64), 2 * self._scale[0])

    def foretold(self) -> tuple[NDArray[np.float64], NDArray[np.float32], tuple[int, float]]:
        """(M, N) map, (M, N) squared errors expected, and the (exponent, offset) of their unit.

        A value v stands in that unit as ``v 2^-exponent - offset``: exactly, for whole numbers.
        """
        return self._image.copy(), self._error.copy(), self._scale[:2]

    def features(
        self, pixels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """(U, 24) features and (U,) first-sight squared errors of unmeasured pixels.

        The latter in squares of the values' unit.
        """
        features, energies = describe_pixels(
            pixels, self._tables.neighbours, self._image, self._residuals
        )
        return features, np.ldexp(energies, 2 * self._scale[0])

    def gains(self, pixels: NDArray[np.int64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
        """(U,) squared error that measuring each of some pixels would take off the whole map.

        Below 0 where it would mislead.  ``truth`` is the (M, N) image that is being scanned; the
        result is in squares of its unit.
        """
        tables = self._tables
        found = gains_of(
            pixels,
            tables.neighbours,
            tables.reach,
            self._measured,
            self._image,
            self._scaled(truth),
        )
        return np.ldexp(found, 2 * self._scale[0])

    def _extend(self, fresh: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        self._image[fresh[:, 0], fresh[:, 1]] = self._scaled(values)
        self._tables.insert(fresh)
        measured, _ = _flagged(self._tables.touched, self._tables.flags, self._measured)
        changed = self._renew_residuals(measured)
        self._tables.flag_users(measured[changed])
        touched = self._tables.touched
        measured, unmeasured = _flagged(touched, self._tables.flags, self._measured)
        _clear(measured, self._tables.flags, self._near, self._error, self._score)
        self._rescore(unmeasured)
        _settle(touched, self._tables.flags, self._image, self._error, self._scale[1], self._sums)
        self._best.refresh(touched)
        self._tables.clear()

    def _revalue(self) -> None:
        """Compute all that depends on values, for every pixel."""
        self._tables.clear()
        pixels = self._scan.pixels
        self._image[pixels[:, 0], pixels[:, 1]] = self._scaled(self._scan.values)
        self._renew_residuals(pixels)
        _clear(pixels, self._tables.flags, self._near, self._error, self._score)
        rows = max(1, BLOCK // self._scan.shape[1])
        for first in range(0, self._scan.shape[0], rows):
            block = np.argwhere(~self._measured[first : first + rows])
            block[:, 0] += first
            self._rescore(block)
        every = np.argwhere(np.ones(self._tables.tiles, dtype=bool))
        _settle(every, self._tables.flags, self._image, self._error, self._scale[1], self._sums)
        self._best.refresh(every)

    def _renew_residuals(self, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
        return residuals_of(pixels, self._tables.neighbours, self._image, self._residuals)

    def _rescore(self, pixels: NDArray[np.int64]) -> None:
        score_pixels(
            pixels,
            self._tables.neighbours,
            self._image,
            self._residuals,
            self._layers,
            self._how(),
            self._near,
            self._error,
            self._score,
        )

    def _borne_out(self, scan: SparseScan) -> float:
        if not (self._checked and self._varied):
            return 1.0
        num = prefix_of(len(scan.values))
        values = self._scaled(scan.values[:num])
        return trust(SparseScan(scan.shape, scan.pixels[:num], values))

    def _how(self) -> tuple[float, ...]:
        floor = SSIM_FLOOR * self._scale[2]
        return (self._power, self._flatness, floor, self._gain_share, self._trust)

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        exponent, offset, _ = self._scale
        return np.clip(np.ldexp(values, -exponent) - offset, -1e15, 1e15)


def _begins(whole: NDArray[np.generic], part: NDArray[np.generic]) -> bool:
    return len(whole) >= len(part) and np.array_equal(whole[: len(part)], part)


@njit(cache=True, error_model="numpy")
def _flagged(tiles, flags, measured):
    """(P, 2) measured and (U, 2) unmeasured pixels with a flag, in these tiles."""
    rows, columns = flags.shape
    yes = np.empty((tiles.shape[0] * TILE * TILE, 2), np.int64)
    p = u = 0
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        for row in range(i * TILE, min((i + 1) * TILE, rows)):
            for column in range(j * TILE, min((j + 1) * TILE, columns)):
                if not flags[row, column]:
                    continue
                if measured[row, column]:
                    yes[p, 0], yes[p, 1] = row, column
                    p += 1
                else:  # from the other end
                    u += 1
                    yes[-u, 0], yes[-u, 1] = row, column
    return yes[:p], yes[yes.shape[0] - u :]


@njit(cache=True, error_model="numpy")
def _clear(pixels, flags, near, error, score):
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
