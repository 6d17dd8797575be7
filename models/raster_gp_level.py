"""Where readings settle on which side of a level pixels lie: the most of them, all around."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .acquisition import doubt
from .raster_gp import RasterGP
from .raster_gp_batch import Outlook
from .raster_gp_neighbours import TILE
from .triangular import cholesky, forward

Array = NDArray[np.float64]

MOST = 4096  # pixels that are judged; of larger rasters the best one of each square
REACH = 6  # pixels: as far as a reading is looked after, from 5 % on beyond the next readings
WIDE = 2 * REACH + 1
LEAST_STD = 1e-6  # of the smooth part's: below, a pixel is known
LEAST_SHARE = 1e-4  # of a pixel's variance: below, a reading tells nothing of it
DEEP, FINE, TURNS = 6.0, 20, 64  # of the table: deviations, knots for each, knots of the angle

_compiled = njit(cache=True, error_model="numpy")


def choose_for_level(
    gp: RasterGP,
    level: float,
    num: int,
    unavailable: NDArray[np.int64],
    counted: int = 0,
) -> tuple[NDArray[np.int64], Array]:
    """Choose up to ``num`` pixels by the doubt that they are expected to take off all around.

    The doubt of a pixel is p (1 - p), with p the probability to lie above the level.  Each pixel
    is chosen as if those before had been measured, whatever is read there.

    Parameters
    ----------
    gp : RasterGP
        With a reading or more.
    level : float
        In the values' unit.
    num : int
    unavailable : (Q, 2) ndarray of int64
        Pixels that may not be chosen; the last ``counted`` of them count as measured.
    counted : int

    Returns
    -------
    pixels : (K, 2) ndarray of int64
        Best first; fewer than ``num`` where no more are left.
    scores : (K,) ndarray of float64
        Sum of what is taken off the doubts, at the moment of the choice.

    Raises
    ------
    ValueError
        If there is no reading yet.

    References
    ----------
    J. Bect et al., Stat. Comput. 22, 773 (2012); C. Chevalier et al., Technometrics 56, 455 (2014),
    for the batch.  Correlations are those of the stationary covariance, given the readings near a
    tile; the local scale is in the doubts alone.
    """
    outlook, std = gp.outlook(power=0.0), gp.std
    least = LEAST_STD * math.sqrt(gp.hyperparameters.variance)
    off = np.where(std > least, np.abs(level - gp.mean) / np.maximum(std, least), np.inf)
    free = np.ones(gp.shape, dtype=bool)
    free[outlook.where[:, 0], outlook.where[:, 1]] = False
    on_the_way = unavailable[max(len(unavailable) - counted, 0) :]
    on_the_way = np.unique(on_the_way[free[on_the_way[:, 0], on_the_way[:, 1]]], axis=0)
    free[unavailable[:, 0], unavailable[:, 1]] = False
    judged = _best_of_squares(np.where(free, doubt(off) * std, -1.0))
    at = np.concatenate([on_the_way, judged]).astype(np.int64)
    order = np.lexsort((at[:, 1], at[:, 0], at[:, 1] // TILE, at[:, 0] // TILE))
    places = np.empty(len(at), dtype=np.int64)
    places[order] = np.arange(len(at))
    chosen, scores = _choose(
        min(num, len(judged)),
        places[: len(on_the_way)],
        at[order],
        off,
        np.maximum(outlook.variance, 1e-12),
        _windows(at[order], *_parts(outlook)),
        float(np.mean(outlook.noise)),
        FALLS,
    )
    return at[order][chosen], scores


def _best_of_squares(score: Array) -> NDArray[np.int64]:
    """(K, 2) best pixel of each square, where a square has one that is free."""
    rows, columns = score.shape
    side = math.ceil(math.sqrt(score.size / MOST))
    padded = np.full((-(-rows // side) * side, -(-columns // side) * side), -1.0)
    padded[:rows, :columns] = score
    squares = padded.reshape(len(padded) // side, side, -1, side).swapaxes(1, 2)
    flat = squares.reshape(*squares.shape[:2], -1)
    row, column = np.nonzero(flat.max(axis=2) >= 0)
    within = flat[row, column].argmax(axis=1)
    return np.column_stack([row * side + within // side, column * side + within % side])


def _parts(outlook: Outlook) -> tuple[NDArray[np.generic] | float, ...]:
    points, _, counts = outlook.lists
    return points, counts, outlook.where, outlook.noise, outlook.table, outlook.floor


def _falls() -> Array:
    """Table of what a reading takes off p (1 - p), by deviations off the level and the angle.

    The level is h deviations off, the reading explains a share q of the variance: before,
    Phi(h) Phi(-h) = 2 T(h, 1); after, 2 T(h, sqrt((1 - q) / (1 + q))), by Owen's T.  With
    q = sin t the difference is the integral of exp(-h^2 / (1 + sin t)) / (2 pi) from 0 to asin q.
    """
    nodes, weights = np.polynomial.legendre.leggauss(12)
    h = np.linspace(0, DEEP, round(DEEP * FINE) + 1)[:, None, None]
    t = np.linspace(0, math.pi / 2, TURNS + 1)[:, None]
    inner = np.exp(-(h**2) / (1 + np.sin(0.5 * t * (nodes + 1))))
    return (0.5 * t * weights * inner).sum(axis=-1) / (2 * math.pi)


FALLS = _falls()


@_compiled
def fall(h, q, falls):
    """Look up what a reading that explains a share q takes off the doubt at h deviations."""
    a = h * FINE
    if not a < falls.shape[0] - 1:
        return 0.0
    b = math.asin(min(q, 1.0)) * (2.0 / math.pi) * (falls.shape[1] - 1)
    i, j = int(a), min(int(b), falls.shape[1] - 2)
    x, y = a - i, b - j
    near = (1 - y) * falls[i, j] + y * falls[i, j + 1]
    far = (1 - y) * falls[i + 1, j] + y * falls[i + 1, j + 1]
    return (1 - x) * near + x * far


@_compiled
def _windows(at, points, counts, where, noise, table, floor):
    """(K, W, W) covariances of pixels, sorted by tiles, with those around, given the readings."""
    most, wide = points.shape[2], TILE + 2 * REACH
    factor, solved = np.empty((most, most)), np.empty((most, wide * wide))
    out = np.zeros((at.shape[0], WIDE, WIDE))
    k = 0
    while k < at.shape[0]:
        i, j = at[k, 0] // TILE, at[k, 1] // TILE
        last, left, right = k, at[k, 1], at[k, 1]
        while last < at.shape[0] and at[last, 0] // TILE == i and at[last, 1] // TILE == j:
            left, right = min(left, at[last, 1]), max(right, at[last, 1])
            last += 1
        near = points[i, j, : counts[i, j]]
        box = (
            at[k, 0] - REACH,
            left - REACH,
            at[last - 1, 0] - at[k, 0] + WIDE,
            right - left + WIDE,
        )
        _solve(near, where, noise, table, floor, box, factor, solved)
        while k < last:
            _window(at[k], box, len(near), solved, table, out[k])
            out[k, REACH, REACH] += floor
            k += 1
    return out


@_compiled
def _solve(near, where, noise, table, floor, box, factor, solved):
    """Solve for the covariances of readings with the pixels of a box, by the readings' factor."""
    top, left, high, wide = box
    for a in range(len(near)):
        row, column = where[near[a]]
        factor[a, a] = 1.0 + floor + noise[near[a]]
        for b in range(a + 1, len(near)):
            q = near[b]
            factor[a, b] = table[abs(row - where[q, 0]), abs(column - where[q, 1])]
        for y in range(high):
            down = min(abs(row - top - y), table.shape[0] - 1)  # a box may stand out of the raster
            for x in range(wide):
                across = min(abs(column - left - x), table.shape[1] - 1)
                solved[a, y * wide + x] = table[down, across]
        if 0 <= row - top < high and 0 <= column - left < wide:
            solved[a, (row - top) * wide + column - left] += floor
    cholesky(factor, len(near))
    forward(factor, len(near), solved, 0, high * wide)


@_compiled
def _window(pixel, box, n, solved, table, window):
    row, column = pixel
    top, left, _, wide = box
    own = (row - top) * wide + column - left
    for y in range(max(REACH - row, 0), min(WIDE, table.shape[0] + REACH - row)):
        for x in range(max(REACH - column, 0), min(WIDE, table.shape[1] + REACH - column)):
            there = (row + y - REACH - top) * wide + column + x - REACH - left
            shared = table[abs(y - REACH), abs(x - REACH)]
            for a in range(n):
                shared -= solved[a, own] * solved[a, there]
            window[y, x] = shared


@_compiled
def _choose(num, first, at, off, variance, windows, noise, falls):
    """Choose indices into (K, 2) pixels; variance (M, N) and windows are overwritten."""
    open_, settled = np.ones(at.shape[0], np.bool_), np.zeros(off.shape)
    for k in first:
        open_[k] = False
        _count(k, at, variance, settled, windows, noise)
    gains = np.empty(at.shape[0])
    for k in range(at.shape[0]):
        gains[k] = _gain(k, at, off, variance, settled, windows, noise, falls)
    chosen, scores = np.empty(num, np.int64), np.empty(num)
    for c in range(num):
        best = -1
        for k in range(at.shape[0]):
            if open_[k] and (best < 0 or gains[k] > gains[best]):
                best = k
        chosen[c], scores[c], open_[best] = best, gains[best], False
        _count(best, at, variance, settled, windows, noise)
        for k in range(at.shape[0]):
            down, across = abs(at[k, 0] - at[best, 0]), abs(at[k, 1] - at[best, 1])
            if open_[k] and down <= 2 * REACH and across <= 2 * REACH:
                gains[k] = _gain(k, at, off, variance, settled, windows, noise, falls)
    return chosen, scores


@_compiled
def _gain(k, at, off, variance, settled, windows, noise, falls):
    """Sum up what a reading would take off the doubts, given what is settled already."""
    own, gain = max(windows[k, REACH, REACH], 1e-12) + noise, 0.0
    for y in range(max(REACH - at[k, 0], 0), min(WIDE, off.shape[0] + REACH - at[k, 0])):
        row = at[k, 0] + y - REACH
        for x in range(max(REACH - at[k, 1], 0), min(WIDE, off.shape[1] + REACH - at[k, 1])):
            column = at[k, 1] + x - REACH
            share = min(windows[k, y, x] ** 2 / (own * variance[row, column]), 1.0)
            if share < LEAST_SHARE or not off[row, column] < DEEP:
                continue
            before = settled[row, column]
            after = 1.0 - (1.0 - before) * (1.0 - share)
            gain += fall(off[row, column], after, falls) - fall(off[row, column], before, falls)
    return gain


@_compiled
def _count(k, at, variance, settled, windows, noise):
    """Take a pixel for measured: by covariances around it, variances, and shares settled."""
    row, column, window = at[k, 0], at[k, 1], windows[k].copy()
    own = max(window[REACH, REACH], 1e-12) + noise
    for m in range(at.shape[0]):
        down, across = at[m, 0] - row, at[m, 1] - column
        if abs(down) > REACH or abs(across) > REACH:
            continue
        mine = window[down + REACH, across + REACH] / own
        for y in range(max(-down, 0), min(WIDE - down, WIDE)):
            for x in range(max(-across, 0), min(WIDE - across, WIDE)):
                windows[m, y, x] -= mine * window[y + down, x + across]
    for y in range(max(REACH - row, 0), min(WIDE, variance.shape[0] + REACH - row)):
        for x in range(max(REACH - column, 0), min(WIDE, variance.shape[1] + REACH - column)):
            r, c = row + y - REACH, column + x - REACH
            share = min(window[y, x] ** 2 / (own * variance[r, c]), 1.0)
            settled[r, c] = 1.0 - (1.0 - settled[r, c]) * (1.0 - share)
            variance[r, c] = max(variance[r, c] * (1.0 - share), 1e-12)
