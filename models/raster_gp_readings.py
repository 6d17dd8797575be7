"""Which readings a Gaussian process takes in, and at how many it is fitted anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e150  # of a value: its square is still a number


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
