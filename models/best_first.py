"""The best pixels of a score map, one after the other, each as if those before were measured."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .local_features import UNAVAILABLE
from .neighbour_tables import TILE

CROWDED = 4  # pixels squared: nearer than that to one chosen before only where nothing else is left
DEMOTED = np.float32(256.0)  # octaves that such a pixel loses


class BestFirst:
    """Tiles that know their best pixel, so that a choice looks at few others.

    Parameters
    ----------
    score : (M, N) ndarray of float32
        Octaves; minus infinity where measured.
    near : (M, N) ndarray of int32
        Squared distance of the nearest measured pixel; 0 where measured.
    power : float
        Scores grow with the distance to this power.
    """

    def __init__(self, score: NDArray[np.float32], near: NDArray[np.int32], power: float) -> None:
        rows, columns = score.shape
        self._maps = (score, near)
        self._power = power
        self._forbidden = np.zeros(score.shape, dtype=np.bool_)
        self._unavailable = np.empty((0, 2), dtype=np.int64)
        tiles = (-(-rows // TILE), -(-columns // TILE))
        self._best = np.empty(tiles, dtype=np.float32)
        self._where = np.zeros(tiles, dtype=np.int32)
        self._far = np.zeros(tiles, dtype=np.int32)
        self.refresh(np.argwhere(np.ones(tiles, dtype=bool)))

    def refresh(self, tiles: NDArray[np.int64]) -> None:
        """Look again at (T, 2) tiles whose scores or distances changed."""
        _refresh(tiles, *self._maps, self._forbidden, self._best, self._where, self._far)

    def choose(
        self, num: int, unavailable: NDArray[np.int64], counted: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Choose up to ``num`` pixels, best first.

        Parameters
        ----------
        num : int
        unavailable : (Q, 2) ndarray of int64
            Pixels that may not be chosen; the last ``counted`` of them count as measured.

        Returns
        -------
        pixels : (K, 2) ndarray of int64
        scores : (K,) ndarray of float32
            Each at the moment of its choice, octaves.
        """
        self._forbid(unavailable)
        on_the_way = unavailable[max(len(unavailable) - counted, 0) :]
        return _choose(
            num,
            on_the_way,
            *self._maps,
            self._forbidden,
            self._best,
            self._where,
            self._far,
            self._power,
        )

    def _forbid(self, pixels: NDArray[np.int64]) -> None:
        """Forbid these and no others, at the cost of what differs from the last time."""
        before, most = self._unavailable, min(len(self._unavailable), len(pixels))
        differs = (before[:most] != pixels[:most]).any(axis=1)
        common = int(np.argmax(differs)) if differs.any() else most
        if common == len(before) == len(pixels):
            return
        # Whole arrays, as a pixel may stand in a list twice.
        self._forbidden[before[common:, 0], before[common:, 1]] = False
        self._forbidden[pixels[:, 0], pixels[:, 1]] = True
        self._unavailable = pixels.copy()
        changed = np.concatenate([before[common:], pixels[common:]]) // TILE
        self.refresh(np.unique(changed, axis=0))


@njit(cache=True, error_model="numpy")
def _refresh_tile(i, j, score, near, forbidden, best, where, far):
    rows, columns = score.shape
    most, place, longest = UNAVAILABLE, 0, np.int32(0)
    left, right = j * TILE, min((j + 1) * TILE, columns)
    for row in range(i * TILE, min((i + 1) * TILE, rows)):
        for column in range(left, right):  # alone, so that it runs in vector registers
            longest = max(longest, near[row, column])
        for column in range(left, right):
            if score[row, column] > most and not forbidden[row, column]:
                most, place = score[row, column], row * columns + column
    best[i, j], where[i, j], far[i, j] = most, place, longest


@njit(cache=True, error_model="numpy")
def _refresh(tiles, score, near, forbidden, best, where, far):
    for t in range(tiles.shape[0]):
        _refresh_tile(tiles[t, 0], tiles[t, 1], score, near, forbidden, best, where, far)


@njit(cache=True, error_model="numpy")
def _choose(num, on_the_way, score, near, forbidden, best, where, far, power):
    columns = score.shape[1]
    old = [(np.int64(0), np.int64(0), np.int32(0), np.float32(0))]
    pixels = np.empty((num, 2), np.int64)
    scores = np.empty(num, np.float32)
    reach = max(int(math.sqrt(far.max())), 1)
    for p in range(on_the_way.shape[0]):
        r, c = on_the_way[p]
        _count(r, c, score, near, forbidden, best, where, far, reach, power, old)
    rows_best = np.empty(best.shape[0], np.float32)  # so that no choice walks over all tiles
    for i in range(best.shape[0]):
        rows_best[i] = best[i].max()
    chosen = 0
    while chosen < num:
        i = np.argmax(rows_best)
        if rows_best[i] == UNAVAILABLE:
            break
        place = where[i, np.argmax(best[i])]
        row, column = place // columns, place % columns
        pixels[chosen, 0], pixels[chosen, 1] = row, column
        scores[chosen] = score[row, column]
        chosen += 1
        _count(row, column, score, near, forbidden, best, where, far, reach, power, old)
        for i in range(max(row - reach, 0) // TILE, min((row + reach) // TILE + 1, best.shape[0])):
            rows_best[i] = best[i].max()
    for k in range(len(old) - 1, 0, -1):
        row, column, distance, value = old[k]
        near[row, column], score[row, column] = distance, value
    last_i = last_j = -1
    for k in range(1, len(old)):
        i, j = old[k][0] // TILE, old[k][1] // TILE
        if i != last_i or j != last_j:
            _refresh_tile(i, j, score, near, forbidden, best, where, far)
        last_i, last_j = i, j
    return pixels[:chosen], scores[:chosen]


@njit(cache=True, error_model="numpy")
def _count(r, c, score, near, forbidden, best, where, far, reach, power, old):
    """Let a pixel count as measured: it is taken, and nearer than before to those around it.

    No pixel has its nearest farther away than ``reach``.
    """
    rows, columns = score.shape
    for i in range(max(r - reach, 0) // TILE, min(r + reach, rows - 1) // TILE + 1):
        for j in range(max(c - reach, 0) // TILE, min(c + reach, columns - 1) // TILE + 1):
            window = max(int(math.sqrt(far[i, j])), 1)
            hit = False
            for row in range(max(i * TILE, r - window), min((i + 1) * TILE, rows, r + window + 1)):
                for column in range(
                    max(j * TILE, c - window), min((j + 1) * TILE, columns, c + window + 1)
                ):
                    d2 = (row - r) ** 2 + (column - c) ** 2
                    if score[row, column] == UNAVAILABLE:
                        continue
                    if d2 >= near[row, column] and d2 >= CROWDED:
                        continue
                    old.append((row, column, near[row, column], score[row, column]))
                    hit = True
                    if d2 == 0:
                        score[row, column] = UNAVAILABLE
                        continue
                    if d2 < near[row, column]:
                        ratio = np.float32(d2) / np.float32(near[row, column])
                        score[row, column] += 0.5 * power * math.log2(ratio)
                        near[row, column] = d2
                    if d2 < CROWDED:
                        score[row, column] -= DEMOTED
            if hit:
                _refresh_tile(i, j, score, near, forbidden, best, where, far)
