"""The best segments of a map of gains, one after the other, each as if those before were flown.

Lines are the raster's rows, then its columns.  Of each block, 16 neighbouring lines by 64 pixels,
the best segment is known, a point being one of length 1: what it gains less what its time costs.
That is the largest sum over a stretch, which takes a single walk along a line (Kadane's algorithm,
J. Bentley, Commun. ACM 27, 865 (1984)); the lines of a block are walked side by side, in vector
registers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .segment_maps import PIECE, TILE, SegmentMaps, corners, cover


class Bounds(NamedTuple):
    """From which price on no segment of a block is worth it: a higher one need not be tried.

    Attributes
    ----------
    level : (B, K) ndarray of int64
        The lowest price tried in vain.
    seen : (B, K) ndarray of int64
        Stamp of the block at that time.
    """

    level: NDArray[np.int64]
    seen: NDArray[np.int64]

    @classmethod
    def of(cls, maps: SegmentMaps) -> Bounds:
        """Nothing tried as yet."""
        shape = maps.stamps.shape
        return cls(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))


class Price(NamedTuple):
    """The best segment of every block at one price.

    Attributes
    ----------
    level : int
        How high the price is, among those that share their bounds.
    costs : (2, 3) ndarray of float64
        What a pixel of a line, a line and a point cost, along the slow and the fast axis.
    net : (B, K) ndarray of float32
        Gain of the best one less its costs; where that is 0 or less, it is not looked for.
    line, first, final : (B, K) ndarray of int32
        Where it lies: its line, and where it begins and ends on that.
    seen : (B, K) ndarray of int64
        Stamp of the block when it was searched.
    bounds : Bounds
    """

    level: int
    costs: NDArray[np.float64]
    net: NDArray[np.float32]
    line: NDArray[np.int32]
    first: NDArray[np.int32]
    final: NDArray[np.int32]
    seen: NDArray[np.int64]
    bounds: Bounds

    @classmethod
    def of(cls, level: int, costs: NDArray[np.float64], bounds: Bounds) -> Price:
        """Nothing searched as yet."""
        shape = bounds.level.shape
        line, first, final = (np.full(shape, -1, dtype=np.int32) for _ in range(3))
        net = np.full(shape, -np.inf, dtype=np.float32)
        seen = np.zeros(shape, dtype=np.int64)
        return cls(level, costs, net, line, first, final, seen, bounds)


@njit(cache=True, error_model="numpy")
def search_stale(maps, price):
    """Search the blocks that changed since they were searched at this price."""
    space = _space()
    for band in range(maps.stamps.shape[0]):
        for piece in range(maps.stamps.shape[1]):
            if price.seen[band, piece] != maps.stamps[band, piece]:
                _search(band, piece, maps, price, space)


@njit(cache=True, error_model="numpy")
def _space():
    """Room for the gains of a block, pixel by pixel, and for what a walk along them remembers."""
    return np.zeros((PIECE, TILE)), np.empty((5, TILE))


@njit(cache=True, error_model="numpy")
def _search(band, piece, maps, price, space):
    """The best segment of a block, the first of equals; none where none can be worth it."""
    row_bands = maps.far.shape[0]
    along = 1 if band < row_bands else 0
    a_bin, a_line, a_point = price.costs[along]
    price.seen[band, piece] = maps.stamps[band, piece]
    price.net[band, piece] = -np.inf
    if _worthless(band, piece, maps, price) or not _promising(band, piece, maps, a_bin):
        return
    gains, state = space
    first_line = (band if along else band - row_bands) * TILE
    lines, length = _load(first_line, piece * PIECE, along, maps.gain, gains)
    _walk(gains, length, a_bin, a_line, a_point, state)
    for b in range(lines):
        if np.float32(state[2, b]) > price.net[band, piece]:
            price.net[band, piece] = state[2, b]
            price.line[band, piece] = first_line + b + (0 if along else maps.gain.shape[0])
            price.first[band, piece] = piece * PIECE + np.int64(state[3, b])
            price.final[band, piece] = piece * PIECE + np.int64(state[4, b])
    if price.net[band, piece] <= 0:
        price.bounds.level[band, piece] = price.level
        price.bounds.seen[band, piece] = maps.stamps[band, piece]


@njit(cache=True, error_model="numpy")
def _worthless(band, piece, maps, price):
    """Whether nothing was worth it at this price or a lower one, the gains being the same."""
    bounds = price.bounds
    unchanged = bounds.seen[band, piece] == maps.stamps[band, piece]
    return unchanged and bounds.level[band, piece] <= price.level


@njit(cache=True, error_model="numpy")
def _promising(band, piece, maps, a_bin):
    """Whether any pixel is worth its dwell, as one of every segment worth its price is."""
    rows, columns = maps.top.shape
    for k in range(piece * PIECE // TILE, (piece + 1) * PIECE // TILE):
        if band < rows:
            if k < columns and maps.top[band, k] > a_bin:
                return True
        elif k < rows and maps.top[k, band - rows] > a_bin:
            return True
    return False


@njit(cache=True, error_model="numpy")
def _load(first_line, begin, along, gain, gains):
    """Copy the gains of a block, each of its lines a column; tell how many, and how long."""
    rows, columns = gain.shape
    if along:
        lines, length = min(TILE, rows - first_line), min(PIECE, columns - begin)
        for b in range(lines):
            for k in range(length):
                gains[k, b] = gain[first_line + b, begin + k]
    else:
        lines, length = min(TILE, columns - first_line), min(PIECE, rows - begin)
        for k in range(length):
            for b in range(lines):
                gains[k, b] = gain[begin + k, first_line + b]
    return lines, length


@njit(cache=True, error_model="numpy")
def _walk(gains, length, a_bin, a_line, a_point, state):
    """Find the best segment of each line: in ``state`` its net gain (2), begin (3) and end (4).

    Rows 0 and 1 hold the best that ends at the pixel before, and where that begins.  All is
    loaded before anything is chosen, as only then lines share vector registers.
    """
    for b in range(TILE):
        state[0, b] = state[2, b] = -np.inf
        state[1, b] = state[3, b] = state[4, b] = -1.0
    for k in range(length):
        here = np.float64(k)
        for b in range(TILE):
            gain, ended, since = gains[k, b], state[0, b], state[1, b]
            most, first, final = state[2, b], state[3, b], state[4, b]
            running = ended + (gain - a_bin)
            better = (gain > 0) & (running - a_line > most)
            most = running - a_line if better else most
            first = since if better else first
            final = here if better else final
            better = (gain > 0) & (gain - a_point > most)
            most = gain - a_point if better else most
            first = here if better else first
            final = here if better else final
            anew = gain - a_bin > running
            state[0, b] = gain - a_bin if anew else running
            state[1, b] = here if anew else since
            state[2, b], state[3, b], state[4, b] = most, first, final


@njit(cache=True, error_model="numpy")
def demand(price):
    """Pixels that are worth their price, the best segment of each block counted alone."""
    total = 0
    for band in range(price.net.shape[0]):
        for piece in range(price.net.shape[1]):
            if price.net[band, piece] > 0:
                total += price.final[band, piece] - price.first[band, piece] + 1
    return total


@njit(cache=True, error_model="numpy")
def take(room, maps, price, reach, old):
    """Take the best segments, one after the other, while they are worth it and there is room.

    ``reach`` is that of the maps.  Returns (S, 3) line, first and last pixel, and what each pixel
    of them gained.
    """
    space = _space()
    bands = np.empty(price.net.shape[0], np.float32)
    for band in range(bands.size):
        bands[band] = price.net[band].max()
    found, gains = np.empty((room, 3), np.int64), np.empty(room, np.float64)
    used = count = 0
    while used < room:
        band = np.argmax(bands)
        if not bands[band] > 0:
            break
        line, first, final = _best_of(band, maps, price, room - used)
        if used > 0 and final - first + 1 > 2 * (room - used):
            break  # a stump would be left of it
        base, step, _, _ = _way(line, maps.gain.shape)
        flat = maps.gain.ravel()
        final = min(final, first + room - used - 1)
        while not flat[base + final * step] > 0:
            final -= 1
        for k in range(first, final + 1):
            gains[used + k - first] = flat[base + k * step]
        used += final - first + 1
        found[count] = line, first, final
        count += 1
        cover(line, first, final, maps, reach, old)
        _renew(corners(line, first, final, maps.gain.shape), reach, maps, price, bands, space)
    return found[:count], gains[:used]


@njit(cache=True, error_model="numpy")
def _best_of(band, maps, price, most):
    """The best segment of a band, of equals that of the first line, drawn out beyond its piece."""
    best = -1
    for piece in range(price.net.shape[1]):
        if best < 0 or price.net[band, piece] > price.net[band, best]:
            best = piece
        elif price.net[band, piece] == price.net[band, best]:
            best = piece if price.line[band, piece] < price.line[band, best] else best
    line = np.int64(price.line[band, best])
    first, final = np.int64(price.first[band, best]), np.int64(price.final[band, best])
    first, final = _extended(line, first, final, maps.gain, price.costs, most)
    return line, first, final


@njit(cache=True, error_model="numpy")
def _renew(box, reach, maps, price, bands, space):
    """Search again what a segment changed."""
    rows, columns = maps.gain.shape
    top, left, bottom, right = box
    top, bottom = max(top - reach, 0) // TILE, min(bottom + reach, rows - 1) // TILE
    left, right = max(left - reach, 0) // TILE, min(right + reach, columns - 1) // TILE
    for i in range(top, bottom + 1):
        _renew_band(i, left, right, maps, price, bands, space)
    for j in range(left, right + 1):
        _renew_band(maps.far.shape[0] + j, top, bottom, maps, price, bands, space)


@njit(cache=True, error_model="numpy")
def _renew_band(band, first, final, maps, price, bands, space):
    changed = False
    for piece in range(first * TILE // PIECE, final * TILE // PIECE + 1):
        if price.seen[band, piece] != maps.stamps[band, piece]:
            _search(band, piece, maps, price, space)
            changed = True
    if changed:
        bands[band] = price.net[band].max()


@njit(cache=True, error_model="numpy", inline="always")
def _way(line, shape):
    """First flat pixel, step and length of a line, and its axis: 1 of a row, 0 of a column."""
    rows, columns = shape
    if line < rows:
        return line * columns, 1, columns, 1
    return line - rows, columns, rows, 0


@njit(cache=True, error_model="numpy")
def _extended(line, first, final, gain, costs, most):
    """A segment as far beyond its piece as that is worth it, both ways."""
    base, step, length, axis = _way(line, gain.shape)
    flat = gain.ravel()
    a_bin, a_line, a_point = costs[axis]
    for way in (1, -1):
        here = final if way > 0 else first
        ahead = 0.0 if final > first else a_point - a_bin - a_line
        better, where = 0.0, here
        k = here + way
        while 0 <= k < length and flat[base + k * step] >= 0 and final - first < most:
            at = base + k * step
            ahead += flat[at] - a_bin
            if flat[at] > 0 and ahead > better:
                better, where = ahead, k
            if ahead < -2.0 * a_line:
                break
            k += way
        if way > 0:
            final = where
        else:
            first = where
    return first, final
