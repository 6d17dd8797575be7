"""The readings that a Gaussian process takes in, and at how many it is fitted anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e150  # of a value: its square is still a number


class Readings:
    """Readings of a raster's pixels, in the order in which the pixels were first read.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns.

    Attributes
    ----------
    where : (P, 2) ndarray of int32
        Rows and columns.
    values, variances : (P,) ndarray of float64
        What was read, and its noise; NaN where that is for the readings around to tell.
    index : (M, N) ndarray of int32
        Which reading is a pixel's, -1 where none is.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.index = np.full(shape, -1, dtype=np.int32)
        self.where = np.empty((0, 2), dtype=np.int32)
        self.values, self.variances = np.empty(0), np.empty(0)

    def __len__(self) -> int:
        return len(self.values)

    def take(
        self,
        where: NDArray[np.int32],
        values: NDArray[np.float64],
        variances: NDArray[np.float64],
    ) -> tuple[int, NDArray[np.int32]]:
        """Take readings in, no pixel twice; tell where the new ones begin, and which changed."""
        own = self.index[where[:, 0], where[:, 1]]
        again, known = own >= 0, len(self)
        self.values[own[again]] = values[again]
        self.variances[own[again]] = variances[again]
        fresh = where[~again]
        self.index[fresh[:, 0], fresh[:, 1]] = np.arange(known, known + len(fresh))
        self.where = np.concatenate([self.where, fresh])
        self.values = np.concatenate([self.values, values[~again]])
        self.variances = np.concatenate([self.variances, variances[~again]])
        return known, own[again]


def milestone(num: int) -> int:
    """Last that is reached of 1, 2, 3, 4, 6, 8, 11, 15, 20 ..., each a third above the last."""
    last = 1
    while (following := -(-4 * last // 3)) <= num:
        last = following
    return last


def usable_readings(
    shape: tuple[int, int], pixels: ArrayLike, values: ArrayLike, variances: ArrayLike | None
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Usable readings, of each pixel the last."""
    where = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    what = np.asarray(values, dtype=np.float64).reshape(-1)
    noise = np.zeros(len(what)) if variances is None else np.asarray(variances, dtype=np.float64)
    noise = noise.reshape(-1)
    if not len(where) == len(what) == len(noise):
        raise ValueError(
            f"{len(where)} pixels came with {len(what)} values and {len(noise)} variances: "
            "give one each"
        )
    usable = (np.abs(what) <= LARGEST) & np.isfinite(where).all(axis=1)
    if not (noise[usable] >= 0).all() or not np.isfinite(noise[usable]).all():
        raise ValueError("a reading's variance must be finite and 0 or more, but others came")
    whole = np.rint(np.where(np.isfinite(where), where, -1))
    usable &= ((whole >= 0) & (whole < shape)).all(axis=1)
    where, what, noise = whole[usable].astype(np.int32), what[usable], noise[usable]
    flat = where[:, 0].astype(np.int64) * shape[1] + where[:, 1]
    _, last = np.unique(flat[::-1], return_index=True)
    keep = np.sort(len(flat) - 1 - last)
    return where[keep], what[keep], noise[keep]
