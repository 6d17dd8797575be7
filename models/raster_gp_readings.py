"""The readings that a Gaussian process takes in, and at how many it is fitted anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e150  # of a value: its square is still a number


@dataclass(frozen=True, eq=False)
class GivenReadings:
    """Readings in their order, each usable; a pixel may come several times.

    Attributes
    ----------
    where : (K, 2) ndarray of int32
        Rows and columns.
    values, variances : (K,) ndarray of float64
    exposures : (K,) ndarray of float64
        How long the pixel had been counted in all, in nominal dwells.
    """

    where: NDArray[np.int32]
    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    exposures: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> GivenReadings:
        """Some of them."""
        w = which
        return GivenReadings(self.where[w], self.values[w], self.variances[w], self.exposures[w])

    def first_of_each(self) -> NDArray[np.int64]:
        """Index of the first reading of each pixel, in the order of these."""
        return np.sort(np.unique(self._flat, return_index=True)[1])

    def last_of_each(self) -> GivenReadings:
        """The last reading of each pixel, in the order in which the pixels first came."""
        _, first = np.unique(self._flat, return_index=True)
        _, last = np.unique(self._flat[::-1], return_index=True)
        return self.part(len(self) - 1 - last[np.argsort(first)])

    @property
    def _flat(self) -> NDArray[np.int64]:
        most = int(self.where.max(initial=0)) + 1
        return self.where[:, 0].astype(np.int64) * most + self.where[:, 1]


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
    exposures : (P,) ndarray of float64
        How long each was counted, in nominal dwells.
    index : (M, N) ndarray of int32
        Which reading is a pixel's, -1 where none is.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.index = np.full(shape, -1, dtype=np.int32)
        self.where = np.empty((0, 2), dtype=np.int32)
        self.values, self.variances, self.exposures = np.empty(0), np.empty(0), np.empty(0)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, given: GivenReadings) -> tuple[int, NDArray[np.int32]]:
        """Take readings in, no pixel twice; tell where the new ones begin, and which changed."""
        own = self.index[given.where[:, 0], given.where[:, 1]]
        again, known = given.part(own >= 0), len(self)
        fresh, own = given.part(own < 0), own[own >= 0]
        self.values[own] = again.values
        self.variances[own] = again.variances
        self.exposures[own] = again.exposures
        self.index[fresh.where[:, 0], fresh.where[:, 1]] = np.arange(known, known + len(fresh))
        self.where = np.concatenate([self.where, fresh.where])
        self.values = np.concatenate([self.values, fresh.values])
        self.variances = np.concatenate([self.variances, fresh.variances])
        self.exposures = np.concatenate([self.exposures, fresh.exposures])
        return known, own

    def until(self, given: GivenReadings, num: int) -> int:
        """How many readings it takes until so many pixels have been read; all where fewer come."""
        first = given.first_of_each()
        at = given.where[first]
        fresh = first[self.index[at[:, 0], at[:, 1]] < 0]
        room = num - len(self)
        return int(fresh[room - 1]) + 1 if len(fresh) >= room else len(given)


def milestone(num: int) -> int:
    """Last that is reached of 1, 2, 3, 4, 6, 8, 11, 15, 20 ..., each a third above the last."""
    last = 1
    while (following := -(-4 * last // 3)) <= num:
        last = following
    return last


def next_milestone(num: int) -> int:
    """First of them above a number."""
    following = 1
    while following <= num:
        following = -(-4 * following // 3)
    return following


def usable_readings(
    shape: tuple[int, int],
    pixels: ArrayLike,
    values: ArrayLike,
    variances: ArrayLike | None,
    exposures: ArrayLike | None,
) -> GivenReadings:
    """Readings that are finite and on the raster; without noise, and counted once, unless told.

    Raises
    ------
    ValueError
        If lengths differ, a variance is negative or no number, or an exposure is not above 0.
    """
    where = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    what = np.asarray(values, dtype=np.float64).reshape(-1)
    noise = np.zeros(len(what)) if variances is None else np.asarray(variances, dtype=np.float64)
    times = np.ones(len(what)) if exposures is None else np.asarray(exposures, dtype=np.float64)
    noise, times = noise.reshape(-1), times.reshape(-1)
    if not len(where) == len(what) == len(noise) == len(times):
        raise ValueError(
            f"{len(where)} pixels came with {len(what)} values, {len(noise)} variances and "
            f"{len(times)} exposures: give one each"
        )
    usable = (np.abs(what) <= LARGEST) & np.isfinite(where).all(axis=1)
    if not (noise[usable] >= 0).all() or not np.isfinite(noise[usable]).all():
        raise ValueError("a reading's variance must be finite and 0 or more, but others came")
    if not (times[usable] > 0).all() or not np.isfinite(times[usable]).all():
        raise ValueError("a reading's exposure must be finite and above 0, but others came")
    whole = np.rint(np.where(np.isfinite(where), where, -1))
    usable &= ((whole >= 0) & (whole < shape)).all(axis=1)
    whole = whole[usable].astype(np.int32)
    return GivenReadings(whole, what[usable], noise[usable], times[usable])
