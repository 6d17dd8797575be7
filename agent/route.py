"""The order in which a batch is visited."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .stage_time import StageTime

LARGEST_WHOLE = 1000  # stops; beyond, the quadratic cost would be felt
PART = 200  # stops; larger parts gain 2 % and take three times as long
ROUNDING = 1e-9  # of the time of a path: no less is a gain


def tour(
    pixels: NDArray[np.int64],
    start: tuple[int, int] | None = None,
    stage: StageTime | None = None,
) -> NDArray[np.int64]:
    """Order pixels into a quick open path: nearest neighbour, 2-opt, Or-opt.

    Parameters
    ----------
    pixels : (K, 2) ndarray of int64
    start : (2,) tuple of int, optional
        Where the stage stands: its way to the first pixel counts.  Without it the path starts at
        the first pixel.
    stage : StageTime, optional
        Tells the time of a move, in pixels; Chebyshev's distance without it.

    Returns
    -------
    (K,) ndarray of int64
        Indices into ``pixels``, in the order of the visit: no slower than the order given.

    Notes
    -----
    Stops beyond a thousand are strung along strips first, and shortened in parts.
    """
    if len(pixels) < 2:
        return np.arange(len(pixels))
    stage = stage or StageTime()
    stops = pixels if start is None else np.concatenate([[start], pixels])
    order = _whole(stops, stage) if len(stops) <= LARGEST_WHOLE else _in_parts(stops, stage)
    best = min(order, np.arange(len(stops)), key=lambda visit: stage.travel(stops[visit]))
    return best if start is None else best[1:] - 1


def path_length(pixels: NDArray[np.int64]) -> float:
    """Length of a path through pixels in their order, Chebyshev, in pixels."""
    return float(np.abs(np.diff(pixels, axis=0)).max(axis=1, initial=0).sum())


def _whole(stops: NDArray[np.int64], stage: StageTime) -> NDArray[np.int64]:
    count = len(stops)
    between = np.zeros((count + 1, count + 1))  # the last is the open end, no way from any stop
    between[:-1, :-1] = stage.between(stops)
    return _shorten(between, _nearest_neighbour(between))[:-1]


def _in_parts(stops: NDArray[np.int64], stage: StageTime) -> NDArray[np.int64]:
    order = _strips(stops, stage)
    for first in range(0, len(order) - 1, PART):
        part = order[first : first + PART + 1]
        between = stage.between(stops[part])
        order[first : first + PART + 1] = part[_shorten(between, np.arange(len(part)))]
    return order


def _strips(stops: NDArray[np.int64], stage: StageTime) -> NDArray[np.int64]:
    """From the first stop to and fro along strips of rows: a path for evenly strewn stops."""
    rows, columns = (stops[1:] / stage.speed).T
    area = np.ptp(stops[1:], axis=0) + 1
    width = np.sqrt(3 * np.prod(area / stage.speed) / len(rows))  # shortest so
    strip = (rows - rows.min()) // max(1 / stage.speed[0], width)
    along = np.where(strip % 2, -columns, columns)
    return np.concatenate([[0], 1 + np.lexsort((rows, along, strip))])


@njit(cache=True)
def _nearest_neighbour(between: NDArray[np.float64]) -> NDArray[np.int64]:
    """From the first stop always on to the nearest that is left; the open end stays last."""
    order = np.arange(len(between))
    for step in range(1, len(order) - 1):
        last, best = order[step - 1], step
        for k in range(step + 1, len(order) - 1):
            nearer = between[last, order[k]] - between[last, order[best]]
            if nearer < 0 or (nearer == 0 and order[k] < order[best]):
                best = k
        order[step], order[best] = order[best], order[step]
    return order


@njit(cache=True)
def _shorten(between: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn and shift stretches while that shortens the path; its ends stay where they are."""
    for _ in range(len(order)):
        _two_opt(between, order)
        if not _or_opt(between, order):
            break
    return order


@njit(cache=True)
def _two_opt(between, order):
    """Turn stretches round."""
    forth, back = np.zeros(len(order)), np.zeros(len(order))
    least = _sum_up(between, order, forth, back)
    for _ in range(len(order)):
        improved = False
        for i in range(len(order) - 3):
            gain, end = least, 0
            first = between[order[i], order[i + 1]] - forth[i + 1] + back[i + 1]
            for k in range(i + 2, len(order) - 1):
                now = first + forth[k] - back[k] + between[order[k], order[k + 1]]
                now -= between[order[i], order[k]] + between[order[i + 1], order[k + 1]]
                if now > gain:
                    gain, end = now, k
            if end:
                order[i + 1 : end + 1] = order[i + 1 : end + 1][::-1].copy()
                least = _sum_up(between, order, forth, back)
                improved = True
        if not improved:
            break


@njit(cache=True)
def _sum_up(between, order, forth, back):
    """Time from the first stop to each along the path, and the same way back: backlash differs.

    Returns the least gain that is more than the rounding of these sums.
    """
    for k in range(1, len(order)):
        forth[k] = forth[k - 1] + between[order[k - 1], order[k]]
        back[k] = back[k - 1] + between[order[k], order[k - 1]]
    return ROUNDING * max(forth[-1], back[-1])


@njit(cache=True)
def _or_opt(between, order):
    """Shift stretches of up to three stops, turned round or not; tell whether one was."""
    least = _sum_up(between, order, np.zeros(len(order)), np.zeros(len(order)))
    improved = False
    for length in range(1, 4):
        for first in range(1, len(order) - length):
            behind, turn = _better_place(between, order, first, length, least)
            if behind >= 0:
                _shift(order, first, length, behind, turn)
                improved = True
    return improved


@njit(cache=True)
def _better_place(between, order, first, length, least):
    """Behind which place a stretch saves most, and whether turned round; -1 where nowhere."""
    after = first + length
    head, tail = order[first], order[after - 1]
    saved = between[order[first - 1], head] + between[tail, order[after]]
    saved -= between[order[first - 1], order[after]]
    turned = 0.0  # what the stretch itself takes longer
    for k in range(first, after - 1):
        turned += between[order[k + 1], order[k]] - between[order[k], order[k + 1]]
    gain, behind, turn = least, -1, False
    for k in range(len(order) - 1):
        if first - 1 <= k < after:
            continue
        here, there = order[k], order[k + 1]
        straight = saved + between[here, there] - between[here, head] - between[tail, there]
        flipped = saved + between[here, there] - between[here, tail] - between[head, there] - turned
        if max(straight, flipped) > gain:
            gain, behind, turn = max(straight, flipped), k, flipped > straight
    return behind, turn


@njit(cache=True)
def _shift(order, first, length, behind, turn):
    """Put a stretch behind another place."""
    stretch = order[first : first + length].copy()
    if turn:
        stretch = stretch[::-1].copy()
    if behind > first:
        order[first : behind - length + 1] = order[first + length : behind + 1].copy()
        order[behind - length + 1 : behind + 1] = stretch
    else:
        order[behind + 1 + length : first + length] = order[behind + 1 : first].copy()
        order[behind + 1 : behind + 1 + length] = stretch
