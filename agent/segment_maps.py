"""Gains as maps on which segments can be covered, and that note by tiles where they changed.

Gains and squared distances of the nearest measured pixel stand in arrays of their own, so that a
segment can count as measured before it is.  What is barred gains minus infinity.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.typed import List
from numpy.typing import NDArray

TILE = 16  # pixels; what changes is noted by tiles, and lines are searched so many together
PIECE = 64  # pixels of a line that are searched together
STEPS = 64  # of an octave of a gain
FRACTIONS = (2.0 ** (np.arange(STEPS) / STEPS)).astype(np.float32)
NOTHING = np.float32(-np.inf)
LARGEST = np.float32(90.0)  # octaves, either way: what is beyond counts as that


class SegmentMaps(NamedTuple):
    """What is known of the raster's pixels, and when each part of it changed.

    Lines are searched in blocks of 16 lines by 64 pixels: those along rows first, then those along
    columns.  A block's stamp is another after each change.

    Attributes
    ----------
    gain : (M, N) ndarray of float32
        0 where measured, minus infinity where barred.
    distance : (M, N) ndarray of int32
        Squared distance of the nearest pixel that counts as measured.
    far : (I, J) ndarray of int32
        The largest distance of a tile, before anything was covered.
    top : (I, J) ndarray of float32
        The largest gain of a tile, before anything was covered.
    stamps : (I + J, K) ndarray of int64
        When each block changed last.
    clock : (1,) ndarray of int64
    """

    gain: NDArray[np.float32]
    distance: NDArray[np.int32]
    far: NDArray[np.int32]
    top: NDArray[np.float32]
    stamps: NDArray[np.int64]
    clock: NDArray[np.int64]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> SegmentMaps:
        """Maps of a raster on which nothing is to be gained."""
        rows, columns = shape
        tiles = (-(-rows // TILE), -(-columns // TILE))
        pieces = -(-max(rows, columns) // PIECE)
        return cls(
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.int32),
            np.zeros(tiles, dtype=np.int32),
            np.zeros(tiles, dtype=np.float32),
            np.zeros((sum(tiles), pieces), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )


@njit(cache=True, error_model="numpy")
def renew(tiles, score, near, barred, maps):
    """Take over scores, in octaves, and squared distances of (T, 2) tiles."""
    rows, columns = score.shape
    maps.clock[0] += 1
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        longest, most = np.int32(0), np.float32(0.0)
        for row in range(i * TILE, min((i + 1) * TILE, rows)):
            for column in range(j * TILE, min((j + 1) * TILE, columns)):
                closed = barred[row, column]
                distance = np.int32(0) if closed else near[row, column]
                gain = NOTHING if closed else _worth(score[row, column])
                maps.distance[row, column], maps.gain[row, column] = distance, gain
                longest, most = max(longest, distance), max(most, gain)
        maps.far[i, j], maps.top[i, j] = longest, most
        _stamp(i, j, maps)


@njit(cache=True, error_model="numpy")
def _worth(score):
    """A gain from octaves, which are rounded so that the last bits decide nothing."""
    if score == NOTHING:
        return np.float32(0.0)
    steps = math.floor(STEPS * np.float64(min(max(score, -LARGEST), LARGEST)) + 0.5)
    power = np.int32((steps // STEPS + 127) << 23).view(np.float32)
    return FRACTIONS[steps % STEPS] * power


@njit(cache=True, error_model="numpy")
def _stamp(i, j, maps):
    """Note that the blocks through a tile have to be looked at again."""
    maps.stamps[i, j * TILE // PIECE] = maps.clock[0]
    maps.stamps[maps.far.shape[0] + j, i * TILE // PIECE] = maps.clock[0]


@njit(cache=True, error_model="numpy")
def reach_of(maps):
    """No pixel has its nearest farther away, pixels."""
    return int(math.sqrt(maps.far.max()))


@njit(cache=True, error_model="numpy")
def corners(line, first, final, shape):
    """Top, left, bottom and right of a segment."""
    if line < shape[0]:
        return line, first, line, final
    return first, line - shape[0], final, line - shape[0]


@njit(cache=True, error_model="numpy")
def cover(line, first, final, maps, reach, old):
    """Let a segment count as measured: the gains around it fall with the squared distance.

    ``old`` keeps what stood there.
    """
    maps.clock[0] += 1
    rows, columns = maps.gain.shape
    top, left, bottom, right = corners(line, first, final, maps.gain.shape)
    for i in range(max(top - reach, 0) // TILE, min(bottom + reach, rows - 1) // TILE + 1):
        for j in range(max(left - reach, 0) // TILE, min(right + reach, columns - 1) // TILE + 1):
            dy = max(i * TILE - bottom, top - (i + 1) * TILE + 1, 0)
            dx = max(j * TILE - right, left - (j + 1) * TILE + 1, 0)
            if dy * dy + dx * dx < maps.far[i, j] and _cover_tile(
                i, j, top, left, bottom, right, maps, old
            ):
                _stamp(i, j, maps)


@njit(cache=True, error_model="numpy")
def _cover_tile(i, j, top, left, bottom, right, maps, old):
    rows, columns = maps.gain.shape
    window = int(math.sqrt(maps.far[i, j])) + 1
    hit = False
    for row in range(max(i * TILE, top - window), min((i + 1) * TILE, rows, bottom + window + 1)):
        dy = max(row - bottom, top - row, 0)
        for column in range(
            max(j * TILE, left - window), min((j + 1) * TILE, columns, right + window + 1)
        ):
            dx = max(column - right, left - column, 0)
            squared = dy * dy + dx * dx
            before = maps.distance[row, column]
            if squared >= before:
                continue
            old.append((row, column, before, maps.gain[row, column]))
            hit = True
            maps.distance[row, column] = squared
            maps.gain[row, column] *= np.float32(squared) / np.float32(before)
    return hit


@njit(cache=True, error_model="numpy")
def nothing_covered():
    """Begin a record of what is covered: row, column, distance and gain before."""
    old = List()  # pyright: ignore[reportCallIssue]
    old.append((np.int64(0), np.int64(0), np.int32(0), np.float32(0)))
    return old


@njit(cache=True, error_model="numpy")
def restore(maps, old):
    """Undo what was covered, the latest first."""
    maps.clock[0] += 1
    for k in range(len(old) - 1, 0, -1):
        row, column, before, gain = old[k]
        maps.distance[row, column], maps.gain[row, column] = before, gain
    last_i = last_j = -1
    for k in range(1, len(old)):
        i, j = old[k][0] // TILE, old[k][1] // TILE
        if i != last_i or j != last_j:
            _stamp(i, j, maps)
        last_i, last_j = i, j
