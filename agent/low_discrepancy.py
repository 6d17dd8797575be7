"""Designs that look at no value: the honest baselines, and what an agent falls back to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .sampler import Choice, Request


def halton_pixels(shape: tuple[int, int], num: int, seed: int) -> NDArray[np.int64]:
    """First ``num`` distinct pixels that a scrambled Halton sequence visits.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns of the raster.
    num : int
        How many pixels, at most rows x columns; the last few of a nearly full raster, which the
        sequence would take for ever to meet, follow in a random order of the same seed.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    (num, 2) ndarray of int64
        A longer request with the same seed starts with the same pixels.

    References
    ----------
    A. B. Owen, "A randomized Halton algorithm in R", arXiv:1706.02808 (2017).
    """
    size = shape[0] * shape[1]
    draws = min(2 * num, 4 * size)
    flat = _halton_visits(shape, draws, seed)
    while len(flat) < num and draws < 4 * size:
        draws = min(2 * draws, 4 * size)
        flat = _halton_visits(shape, draws, seed)
    if len(flat) < num:
        rest = np.setdiff1d(np.arange(size), flat, assume_unique=True)
        flat = np.concatenate([flat, np.random.default_rng([seed, 1]).permutation(rest)])
    return np.column_stack(np.divmod(flat[:num], shape[1]))


def _halton_visits(shape: tuple[int, int], draws: int, seed: int) -> NDArray[np.int64]:
    """Flat indices of the pixels met in so many draws, in the order first met."""
    sequence = scrambled_halton(draws, seed)
    flat = (sequence * shape).astype(np.int64) @ np.array([shape[1], 1])
    _, first = np.unique(flat, return_index=True)
    return flat[np.sort(first)]


def scrambled_halton(num: int, seed: int) -> NDArray[np.float64]:
    """(num, 2) first places of a scrambled Halton sequence in the unit square, bases 2 and 3.

    The numbers of ``scipy.stats.qmc.Halton``, without the half second that its import takes of
    every process that only wants a start.

    References
    ----------
    A. B. Owen, "A randomized Halton algorithm in R", arXiv:1706.02808 (2017), algorithm 1.
    """
    (rng,) = np.random.default_rng(seed).spawn(1)
    places = np.empty((num, 2))
    for axis, base in enumerate((2, 3)):
        digits = math.ceil(54 / math.log2(base)) - 1  # those that a double can tell apart
        permutations = np.repeat(np.arange(base)[None], digits, axis=0)
        for permutation in permutations:
            rng.shuffle(permutation)
        _radical_inverse(permutations, places[:, axis])
    return places


@njit(cache=True)
def _radical_inverse(permutations, inverse):
    """Mirror the digits of 0, 1, 2, ... at the point, each permuted in its own way."""
    base = permutations.shape[1]
    for k in range(len(inverse)):
        rest, weight, value = k, 1.0 / base, 0.0
        for permutation in permutations:
            value += permutation[rest % base] * weight
            rest //= base
            weight /= base
        inverse[k] = value


def subgrid_pixels(shape: tuple[int, int], num: int) -> NDArray[np.int64]:
    """``num`` pixels spread evenly in rows, as near to a square lattice as they go.

    Rows are as far apart as the points within them; where the points do not divide evenly, some
    rows hold one more.  Ordered boustrophedon, as a stage would drive it.  ``num`` is at most
    rows x columns.

    Returns
    -------
    (num, 2) ndarray of int64
    """
    num_rows = int(
        np.clip(
            np.rint(np.sqrt(num * shape[0] / shape[1])), np.ceil(num / shape[1]), min(shape[0], num)
        )
    )
    counts = np.diff(np.rint(np.linspace(0, num, num_rows + 1)).astype(np.int64))
    rows = _evenly(shape[0], num_rows)
    columns = [_evenly(shape[1], count)[:: 1 - 2 * (k % 2)] for k, count in enumerate(counts)]
    return np.column_stack([np.repeat(rows, counts), np.concatenate(columns)])


def _evenly(length: int, count: int) -> NDArray[np.int64]:
    """Centres of ``count`` equal parts of ``length`` pixels, all different."""
    return np.floor((np.arange(count) + 0.5) * length / count).astype(np.int64)


class LowDiscrepancy:
    """A scrambled Halton sequence over the raster: even at every length."""

    start = 0.0
    large_batches = True

    def __init__(self) -> None:
        self._orders: dict[tuple[tuple[int, int], int], NDArray[np.int64]] = {}

    def choose(self, request: Request) -> Choice:
        """Choose the next pixels of the sequence that are still free."""
        shape, key = request.scan.shape, (request.scan.shape, request.seed)
        taken = request.taken
        needed = min(int(taken.sum()) + request.num, shape[0] * shape[1])
        if len(self._orders.get(key, ())) < needed:
            self._orders[key] = halton_pixels(shape, min(2 * needed, taken.size), request.seed)
        return _next_free(self._orders[key], request)


class UniformRandom:
    """Every free pixel alike: uniform random without replacement."""

    start = 0.0
    large_batches = True

    def choose(self, request: Request) -> Choice:
        """Choose the next free pixels of one random order of the raster."""
        rows, columns = request.scan.shape
        order = np.random.default_rng(request.seed).permutation(rows * columns)
        return _next_free(np.column_stack(np.divmod(order, columns)), request)


class RasterSubgrid:
    """An even sub-grid of the raster, with exactly as many points as the run may take.

    It needs to know how many points the whole run has: from the stop criterion (coverage or
    points), or from ``num``.  When its points are used up it goes on with low-discrepancy ones.

    Parameters
    ----------
    num : int, optional
        Points of the sub-grid, where the stop criterion does not tell.
    """

    start = 0.0
    large_batches = True
    ordered = True
    one_design_per_budget = True

    def __init__(self, num: int | None = None) -> None:
        if num is not None and (not isinstance(num, int) or num < 1):
            raise ValueError(f"num must be a whole number of points, 1 or more, but {num!r} came")
        self.num = num
        self._rest = LowDiscrepancy()

    def choose(self, request: Request) -> Choice:
        """Choose the next pixels along the sub-grid's rows."""
        planned = self.num or request.budget
        if planned is None:
            raise ValueError(
                "a raster sub-grid needs the number of points: stop by coverage or "
                "points, or give it num"
            )
        size = request.scan.shape[0] * request.scan.shape[1]
        design = subgrid_pixels(request.scan.shape, min(max(planned, 1), size))
        chosen = _next_free(design, request).pixels
        short = request.num - len(chosen)
        if short:
            on_the_way = np.concatenate([request.pending, chosen])
            rest = self._rest.choose(replace(request, pending=on_the_way, num=short))
            chosen = np.concatenate([chosen, rest.pixels])
        return Choice(chosen)


def _next_free(order: NDArray[np.int64], request: Request) -> Choice:
    free = ~request.taken[order[:, 0], order[:, 1]]
    return Choice(order[free][: request.num])
