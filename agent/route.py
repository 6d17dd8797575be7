"""The order in which a batch is visited, and the way in which each of its segments is flown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .stage_time import StageTime

LARGEST_WHOLE = 1000  # stops; beyond, the quadratic cost would be felt
PART = 200  # stops; larger parts gain 2 % and take three times as long
ROUNDING = 1e-9  # of the time of a path: no less is a gain


class Stops(NamedTuple):
    """What a path is made of: points, or segments, each of them twice, once for each way.

    Attributes
    ----------
    entries, exits : (V, 2) ndarray
        Where the stage begins with each, and where it stands afterwards.
    turned : (V,) ndarray of int64
        Its number when it is taken the other way: a point's own.
    visited : (K,) ndarray of int64
        One of each two.
    """

    entries: NDArray[np.float64]
    exits: NDArray[np.float64]
    turned: NDArray[np.int64]
    visited: NDArray[np.int64]

    @classmethod
    def points(cls, pixels: NDArray[np.int64]) -> Stops:
        """Of (K, 2) pixels."""
        every = np.arange(len(pixels))
        places = pixels.astype(np.float64)
        return cls(places, places, every, every)

    @classmethod
    def segments(cls, ends: NDArray[np.int64], stage: StageTime) -> Stops:
        """Of the (S, 2, 2) first and last pixels; the stage gathers way before and stops behind."""
        begins, finals = stage.places(ends)
        entries = np.stack([begins, finals], axis=1).reshape(-1, 2)
        exits = np.stack([finals, begins], axis=1).reshape(-1, 2)
        every = np.arange(len(entries))
        return cls(entries, exits, every ^ 1, every[::2])

    def travel(self, visit: NDArray[np.int64], stage: StageTime) -> float:
        """S in motion between them."""
        return float(stage.moves(self.exits[visit[:-1]], self.entries[visit[1:]]).sum())


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
    stops = pixels if start is None else np.concatenate([[start], pixels])
    best = _best(Stops.points(stops), stage or StageTime())
    return best if start is None else best[1:] - 1


def tour_of_segments(
    ends: NDArray[np.int64],
    start: tuple[int, int] | None = None,
    stage: StageTime | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Order segments into a quick open path, and choose the way in which each is flown.

    Parameters
    ----------
    ends : (S, 2, 2) ndarray of int64
        First and last pixel of each; the same of a point.
    start, stage
        As in `tour`; without a start the path begins with the first segment, from its first pixel.

    Returns
    -------
    order : (S,) ndarray of int64
        Indices into ``ends``: no slower than the order given.
    turned : (S,) ndarray of bool
        In that order: whether each is flown from its last pixel to its first.
    """
    if not len(ends):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
    stage = stage or StageTime()
    whole = ends if start is None else np.concatenate([np.full((1, 2, 2), start), ends])
    best = _best(Stops.segments(whole, stage), stage)
    best = best if start is None else best[1:] - 2
    return best // 2, best % 2 == 1


def flown_order(
    pixels: NDArray[np.int64],
    lengths: NDArray[np.int64],
    start: tuple[int, int] | None = None,
    stage: StageTime | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order (K, 2) pixels that lie on (S,) segments into a quick path, each segment kept whole.

    Returns
    -------
    order : (K,) ndarray of int64
        Indices into ``pixels``.
    lengths : (S,) ndarray of int64
        The segments' in that order; without those pixels at an end that lie on one flown before.
    """
    last = np.asarray(np.cumsum(lengths), dtype=np.int64) - 1
    first = last - lengths + 1
    ends = np.stack([pixels[first], pixels[last]], axis=1)
    order, turned = tour_of_segments(ends, start, stage)
    parts = [
        np.arange(int(first[k]), int(last[k]) + 1)[:: -1 if back else 1]
        for k, back in zip(order.tolist(), turned.tolist(), strict=True)
    ]
    fresh = np.split(_first_seen(pixels[np.concatenate(parts)]), np.cumsum(lengths[order])[:-1])
    kept = [part[_span(new)] for part, new in zip(parts, fresh, strict=True)]
    kept = [part for part in kept if len(part)]
    return np.concatenate(kept), np.array([len(part) for part in kept], dtype=np.int64)


def _first_seen(pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K,) True where a pixel stands in the list for the first time."""
    _, first = np.unique(pixels, axis=0, return_index=True)
    seen = np.zeros(len(pixels), dtype=np.bool_)
    seen[first] = True
    return seen


def _span(some: NDArray[np.bool_]) -> slice:
    """From the first to the last that is True."""
    places = np.flatnonzero(some)
    return slice(places[0], places[-1] + 1) if len(places) else slice(0)


def path_length(pixels: NDArray[np.int64]) -> float:
    """Length of a path through pixels in their order, Chebyshev, in pixels."""
    return float(np.abs(np.diff(pixels, axis=0)).max(axis=1, initial=0).sum())


def _best(stops: Stops, stage: StageTime) -> NDArray[np.int64]:
    """The quicker one of the path found and the order given."""
    whole = len(stops.visited) <= LARGEST_WHOLE
    found = _whole(stops, stage) if whole else _in_parts(stops, stage)
    return min(found, stops.visited, key=lambda visit: stops.travel(visit, stage))


def _whole(stops: Stops, stage: StageTime) -> NDArray[np.int64]:
    between, turned = _open_ended(stops.entries, stops.exits, stops.turned, stage)
    order = np.append(stops.visited, len(turned) - 1)
    return _shorten(between, _nearest_neighbour(between, order, turned), turned)[:-1]


def _open_ended(
    entries: NDArray[np.float64],
    exits: NDArray[np.float64],
    turned: NDArray[np.int64],
    stage: StageTime,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times from each to each; the last is the open end, no way from any stop."""
    count = len(entries)
    between = np.zeros((count + 1, count + 1))
    between[:-1, :-1] = stage.between(exits, entries)
    return between, np.append(turned, count)


def _in_parts(stops: Stops, stage: StageTime) -> NDArray[np.int64]:
    order = _strips(stops, stage)
    for first in range(0, len(order) - 1, PART):
        part = order[first : first + PART + 1]
        nodes = np.unique(np.concatenate([part, stops.turned[part]]))
        entries, exits = stops.entries[nodes], stops.exits[nodes]
        between = stage.between(exits, entries)
        turned = np.searchsorted(nodes, stops.turned[nodes])
        found = _shorten(between, np.searchsorted(nodes, part), turned)
        order[first : first + PART + 1] = nodes[found]
    return order


def _strips(stops: Stops, stage: StageTime) -> NDArray[np.int64]:
    """From the first stop to and fro along strips of rows: a path for evenly strewn stops."""
    middles = 0.5 * (stops.entries[stops.visited] + stops.exits[stops.visited])
    rows, columns = (middles[1:] / stage.speed).T
    area = np.ptp(middles[1:], axis=0) + 1
    width = np.sqrt(3 * np.prod(area / stage.speed) / len(rows))  # shortest so
    strip = (rows - rows.min()) // max(1 / stage.speed[0], width)
    along = np.where(strip % 2, -columns, columns)
    return stops.visited[np.concatenate([[0], 1 + np.lexsort((rows, along, strip))])]


@njit(cache=True)
def _nearest_neighbour(
    between: NDArray[np.float64], order: NDArray[np.int64], turned: NDArray[np.int64]
) -> NDArray[np.int64]:
    """From the first stop always on to the nearest that is left; the open end stays last."""
    for step in range(1, len(order) - 1):
        last, best = order[step - 1], step
        for k in range(step, len(order) - 1):
            if between[last, turned[order[k]]] < between[last, order[k]]:
                order[k] = turned[order[k]]
            nearer = between[last, order[k]] - between[last, order[best]]
            if nearer < 0 or (nearer == 0 and order[k] < order[best]):
                best = k
        order[step], order[best] = order[best], order[step]
    return order


@njit(cache=True)
def _shorten(
    between: NDArray[np.float64], order: NDArray[np.int64], turned: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Turn and shift stretches while that shortens the path; its ends stay where they are."""
    for _ in range(len(order)):
        _two_opt(between, order, turned)
        if not _or_opt(between, order, turned):
            break
    return order


@njit(cache=True)
def _two_opt(between, order, turned):
    """Turn stretches round; alone only what is another then."""
    forth, back = np.zeros(len(order)), np.zeros(len(order))
    least = _sum_up(between, order, turned, forth, back)
    alone = 1 if turned[order[0]] != order[0] else 2
    for _ in range(len(order)):
        improved = False
        for i in range(len(order) - 1 - alone):
            gain, end = least, 0
            first = between[order[i], order[i + 1]] - forth[i + 1] + back[i + 1]
            for k in range(i + alone, len(order) - 1):
                now = first + forth[k] - back[k] + between[order[k], order[k + 1]]
                now -= between[order[i], turned[order[k]]]
                now -= between[turned[order[i + 1]], order[k + 1]]
                if now > gain:
                    gain, end = now, k
            if end:
                order[i + 1 : end + 1] = turned[order[i + 1 : end + 1][::-1]]
                least = _sum_up(between, order, turned, forth, back)
                improved = True
        if not improved:
            break


@njit(cache=True)
def _sum_up(between, order, turned, forth, back):
    """Time from the first stop to each along the path, and the same way back: backlash differs.

    Returns the least gain that is more than the rounding of these sums.
    """
    for k in range(1, len(order)):
        forth[k] = forth[k - 1] + between[order[k - 1], order[k]]
        back[k] = back[k - 1] + between[turned[order[k]], turned[order[k - 1]]]
    return ROUNDING * max(forth[-1], back[-1])


@njit(cache=True)
def _or_opt(between, order, turned):
    """Shift stretches of up to three stops, turned round or not; tell whether one was."""
    least = _sum_up(between, order, turned, np.zeros(len(order)), np.zeros(len(order)))
    improved = False
    for length in range(1, 4):
        for first in range(1, len(order) - length):
            behind, turn = _better_place(between, order, turned, first, length, least)
            if behind >= 0:
                _shift(order, turned, first, length, behind, turn)
                improved = True
    return improved


@njit(cache=True)
def _better_place(between, order, turned, first, length, least):
    """Behind which place a stretch saves most, and whether turned round; -1 where nowhere."""
    after = first + length
    head, tail = order[first], order[after - 1]
    saved = between[order[first - 1], head] + between[tail, order[after]]
    saved -= between[order[first - 1], order[after]]
    longer = 0.0  # what the stretch itself takes so when it is turned round
    for k in range(first, after - 1):
        longer += between[turned[order[k + 1]], turned[order[k]]] - between[order[k], order[k + 1]]
    gain, behind, turn = least, -1, False
    for k in range(len(order) - 1):
        if first - 1 <= k < after:
            continue
        here, there = order[k], order[k + 1]
        straight = saved + between[here, there] - between[here, head] - between[tail, there]
        flipped = saved + between[here, there] - longer
        flipped -= between[here, turned[tail]] + between[turned[head], there]
        if max(straight, flipped) > gain:
            gain, behind, turn = max(straight, flipped), k, flipped > straight
    return behind, turn


@njit(cache=True)
def _shift(order, turned, first, length, behind, turn):
    """Put a stretch behind another place."""
    stretch = order[first : first + length].copy()
    if turn:
        stretch = turned[stretch[::-1]]
    if behind > first:
        order[first : behind - length + 1] = order[first + length : behind + 1].copy()
        order[behind - length + 1 : behind + 1] = stretch
    else:
        order[behind + 1 + length : first + length] = order[behind + 1 : first].copy()
        order[behind + 1 : behind + 1 + length] = stretch
