"""The best segments of a map of gains, one after the other, each as if those before were flown.

Lines are the raster's rows, then its columns.  Of each piece of a line the best segment is known,
a point being one of length 1: what it gains less what its time costs.  That is the largest sum over
a stretch, which takes a single walk along the piece (Kadane's algorithm, J. Bentley, Commun. ACM
27, 865 (1984)).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numba.typed import List

TILE = 16  # pixels; what changes is noted by tiles
PIECE = 64  # pixels of a line that are searched together; the best of them may go on beyond
NOTHING = np.float32(-np.inf)
STEPS = 64  # of an octave of a gain
FRACTIONS = 2.0 ** (np.arange(STEPS) / STEPS)


@njit(cache=True, error_model="numpy")
def renew_tiles(score, near, kept_score, kept_near, maps, far, stamps, now):
    """Take over scores and squared distances where they changed, as maps of both."""
    rows, columns = score.shape
    gain, distance = maps
    bits, kept_bits = score.view(np.int32), kept_score.view(np.int32)
    for i in range(far.shape[0]):
        for j in range(far.shape[1]):
            top, bottom = i * TILE, min((i + 1) * TILE, rows)
            left, right = j * TILE, min((j + 1) * TILE, columns)
            other = np.int32(0)
            for row in range(top, bottom):
                for column in range(left, right):  # in vector registers, as bits
                    other |= bits[row, column] ^ kept_bits[row, column]
                    other |= near[row, column] ^ kept_near[row, column]
            if other == 0:
                continue
            most = 0
            for row in range(top, bottom):
                for column in range(left, right):
                    kept_score[row, column] = score[row, column]
                    kept_near[row, column] = near[row, column]
                    gain[row, column] = _worth(score[row, column])
                    distance[row, column] = near[row, column]
                    most = max(most, near[row, column])
            far[i, j] = most
            _stamp(i, j, score.shape, stamps, now)


@njit(cache=True, error_model="numpy")
def _worth(score):
    """A gain from octaves, which are rounded so that the last bits decide nothing."""
    if score == NOTHING:
        return 0.0
    steps = math.floor(STEPS * min(max(score, -90.0), 90.0) + 0.5)
    return math.ldexp(FRACTIONS[steps % STEPS], steps // STEPS)


@njit(cache=True, error_model="numpy")
def _stamp(i, j, shape, stamps, now):
    """Note that the pieces through a tile have to be looked at again."""
    rows, columns = shape
    for row in range(i * TILE, min((i + 1) * TILE, rows)):
        stamps[row, j * TILE // PIECE] = now
    for column in range(j * TILE, min((j + 1) * TILE, columns)):
        stamps[rows + column, i * TILE // PIECE] = now


@njit(cache=True, error_model="numpy")
def search_stale(maps, barred, prices, stamps, seen, best):
    """Search the pieces that changed since they were searched with these prices."""
    for line in range(stamps.shape[0]):
        for piece in range(stamps.shape[1]):
            if seen[line, piece] != stamps[line, piece]:
                _search(line, piece, maps, barred, prices, best)
                seen[line, piece] = stamps[line, piece]


@njit(cache=True, error_model="numpy", inline="always")
def _walk(line, shape):
    """First flat pixel, step and length of a line, and its axis: 1 of a row, 0 of a column."""
    rows, columns = shape
    if line < rows:
        return line * columns, 1, columns, 1
    return line - rows, columns, rows, 0


@njit(cache=True, error_model="numpy")
def _search(line, piece, maps, barred, prices, best):
    """Net gain, first and last pixel of the best segment in a piece of a line."""
    gain = maps[0].ravel()
    base, step, length, axis = _walk(line, maps[0].shape)
    a_bin, a_line, a_point = prices[axis]
    barred = barred.ravel()
    net, begin, last = best
    most = -np.inf
    first = final = -1
    running = -np.inf  # the best that ends at the pixel before
    since = -1
    for k in range(piece * PIECE, min((piece + 1) * PIECE, length)):
        at = base + k * step
        if barred[at]:
            running = -np.inf
            continue
        worth = gain[at] - a_bin
        running += worth
        if gain[at] > 0:
            if running - a_line > most:
                most, first, final = running - a_line, since, k
            if gain[at] - a_point > most:
                most, first, final = gain[at] - a_point, k, k
            if worth > running:
                running, since = worth, k
    net[line, piece] = most
    begin[line, piece], last[line, piece] = first, final


@njit(cache=True, error_model="numpy")
def demand(best, rows):
    """Pixels that are worth their price, the best segment of each band of lines counted alone."""
    net, begin, last = best
    total = 0
    for first in range(0, net.shape[0], TILE):
        until = min(first + TILE, net.shape[0])
        if first < rows:
            until = min(until, rows)
        for piece in range(net.shape[1]):
            total += _band(net, begin, last, first, until, piece)
    return total


@njit(cache=True, error_model="numpy")
def _band(net, begin, last, first, until, piece):
    most, pixels = np.float32(0.0), 0
    for line in range(first, until):
        if net[line, piece] > most:
            most = net[line, piece]
            pixels = last[line, piece] - begin[line, piece] + 1
    return pixels


@njit(cache=True, error_model="numpy")
def take(room, maps, far, barred, prices, stamps, seen, best, now, old):
    """Take the best segments, one after the other, while they are worth it and there is room.

    Returns (S, 4) line, first and last pixel and the pixels left of the room, and what each pixel
    of them gained.
    """
    net, begin, last = best
    shape = maps[0].shape
    lines_best = np.empty(net.shape[0], np.float32)
    for line in range(net.shape[0]):
        lines_best[line] = net[line].max()
    found = np.empty((room, 3), np.int64)
    gains = np.empty(room, np.float64)
    used = count = 0
    while used < room:
        line = np.argmax(lines_best)
        if not lines_best[line] > 0:
            break
        piece = np.argmax(net[line])
        first, final = _extended(
            line, begin[line, piece], last[line, piece], maps, barred, prices, room - used
        )
        if used > 0 and final - first + 1 > 2 * (room - used):
            break  # a stump would be left of it
        base, step, _, _ = _walk(line, shape)
        final = min(final, first + room - used - 1)
        flat = maps[0].ravel()
        while not flat[base + final * step] > 0:
            final -= 1
        for k in range(first, final + 1):
            gains[used + k - first] = flat[base + k * step]
        used += final - first + 1
        found[count] = line, first, final
        count += 1
        cover(line, first, final, maps, far, stamps, now, old)
        _renew(line, first, final, far, shape, stamps, now, maps, barred, prices, seen, best,
               lines_best)  # fmt: skip
    return found[:count], gains[:used]


@njit(cache=True, error_model="numpy")
def _renew(line, first, final, far, shape, stamps, now, maps, barred, prices, seen, best, lines):
    """Search again what a segment changed: pieces with this moment's stamp."""
    rows, columns = shape
    reach = int(math.sqrt(far.max())) + TILE
    top, left = (line, first) if line < rows else (first, line - rows)
    bottom, right = (line, final) if line < rows else (final, line - rows)
    top, left = max(top - reach, 0), max(left - reach, 0)
    bottom, right = min(bottom + reach, rows - 1), min(right + reach, columns - 1)
    for row in range(top, bottom + 1):
        _renew_line(row, left, right, stamps, now, maps, barred, prices, seen, best, lines)
    for column in range(left, right + 1):
        _renew_line(
            rows + column, top, bottom, stamps, now, maps, barred, prices, seen, best, lines
        )


@njit(cache=True, error_model="numpy")
def _renew_line(line, first, final, stamps, now, maps, barred, prices, seen, best, lines):
    changed = False
    for piece in range(first // PIECE, final // PIECE + 1):
        if stamps[line, piece] == now:
            _search(line, piece, maps, barred, prices, best)
            stamps[line, piece] = now - 1  # another moment than that of what was not searched yet
            seen[line, piece] = now - 1
            changed = True
    if changed:
        lines[line] = best[0][line].max()


@njit(cache=True, error_model="numpy")
def _extended(line, first, final, maps, barred, prices, most):
    """A segment as far beyond its piece as that is worth it, both ways."""
    shape = maps[0].shape
    base, step, length, axis = _walk(line, shape)
    flat, closed = maps[0].ravel(), barred.ravel()
    a_bin, a_line, a_point = prices[axis]
    for way in (1, -1):
        here = final if way > 0 else first
        ahead = 0.0 if final > first else a_point - a_bin - a_line
        better, where = 0.0, here
        k = here + way
        while 0 <= k < length and not closed[base + k * step] and final - first < most:
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


@njit(cache=True, error_model="numpy")
def cover(line, first, final, maps, far, stamps, now, old):
    """Let a segment count as measured: the gains around it fall with the squared distance.

    ``old`` keeps what stood there.
    """
    gain, distance = maps
    rows, columns = gain.shape
    top, left = (line, first) if line < rows else (first, line - rows)
    bottom, right = (line, final) if line < rows else (final, line - rows)
    reach = int(math.sqrt(far.max()))
    for i in range(max(top - reach, 0) // TILE, min(bottom + reach, rows - 1) // TILE + 1):
        for j in range(max(left - reach, 0) // TILE, min(right + reach, columns - 1) // TILE + 1):
            dy = max(i * TILE - bottom, top - (i + 1) * TILE + 1, 0)
            dx = max(j * TILE - right, left - (j + 1) * TILE + 1, 0)
            if dy * dy + dx * dx >= far[i, j]:
                continue
            window = int(math.sqrt(far[i, j])) + 1
            hit = False
            for row in range(
                max(i * TILE, top - window), min((i + 1) * TILE, rows, bottom + window + 1)
            ):
                dy = max(row - bottom, top - row, 0)
                for column in range(
                    max(j * TILE, left - window), min((j + 1) * TILE, columns, right + window + 1)
                ):
                    dx = max(column - right, left - column, 0)
                    squared = dy * dy + dx * dx
                    before = distance[row, column]
                    if squared >= before:
                        continue
                    old.append((row, column, before, gain[row, column]))
                    hit = True
                    distance[row, column] = squared
                    gain[row, column] *= np.float32(squared) / np.float32(before)
            if hit:
                _stamp(i, j, gain.shape, stamps, now)


@njit(cache=True, error_model="numpy")
def nothing_covered():
    """Begin a record of what is covered: row, column, distance and gain before."""
    old = List()  # pyright: ignore[reportCallIssue]
    old.append((np.int64(0), np.int64(0), np.int32(0), np.float32(0)))
    return old


@njit(cache=True, error_model="numpy")
def restore(maps, stamps, now, old):
    """Undo what was covered, the latest first."""
    gain, distance = maps
    for k in range(len(old) - 1, 0, -1):
        row, column, before, worth = old[k]
        distance[row, column], gain[row, column] = before, worth
    last_i = last_j = -1
    for k in range(1, len(old)):
        i, j = old[k][0] // TILE, old[k][1] // TILE
        if i != last_i or j != last_j:
            _stamp(i, j, gain.shape, stamps, now)
        last_i, last_j = i, j
