"""Ways round keep-out zones.

The two axes of a move do not keep in step, so the stage may come by any place of the rectangle
between start and end: a move is clear where no zone meets that. Else one axis goes after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from .keep_out import Zone

Place = tuple[float, float]

MOST_LINES = 40  # along which a way is sought, a side: it takes some 50 ms
COMPASS = [(np.cos(angle), np.sin(angle)) for angle in np.arange(8) * np.pi / 4]
ROUNDING = 1e-6  # of a distance


def is_clear(zones: Iterable[Zone], start: Place, end: Place, margin: float) -> bool:
    """Whether a move of both axes stays out of all zones, or leaves by the shortest way.

    Parameters
    ----------
    zones : iterable of KeepOut or KeepOutPolygon
    start, end : (slow, fast)
    margin : float
        How far from a zone a way out of it ends.
    """
    inside, outside = [], []
    for zone in zones:
        (inside if zone.covers(*start) else outside).append(zone)
    if not _apart(outside, start, end):
        return False
    shortest = way_out([*inside, *outside], start, margin) if inside else None
    return not inside or (
        shortest is not None
        and not any(zone.covers(*end) for zone in inside)
        and _distance(start, end) <= _distance(start, shortest) * (1 + ROUNDING)
    )


def way_round(
    zones: Sequence[Zone],
    start: Place,
    end: Place,
    margin: float,
    reachable: Callable[[Place], bool],
) -> list[Place] | None:
    """Find places to go to, one after the other; the last one is the end.

    At once where that is clear, else with one axis after the other, else along lines beside the
    zones. A stage that stands in a zone leaves it by the shortest way first.

    Parameters
    ----------
    zones, start, end, margin
        As in ``is_clear``.
    reachable : callable
        Whether the motors' limits let the stage go to a place.

    Returns
    -------
    list of (slow, fast) or None
        None where no way is found.
    """
    places: list[Place] = []
    if any(zone.covers(*start) for zone in zones):
        out = way_out(zones, start, margin)
        if out is None:
            return None
        places = [out]
    onward = _from_outside(zones, places[-1] if places else start, end, margin, reachable)
    return None if onward is None else places + onward


def way_out(zones: Iterable[Zone], start: Place, margin: float) -> Place | None:
    """Nearest place outside all zones, of those at a margin from an outline; None without any."""
    zones = list(zones)
    edges = [point for zone in zones if zone.covers(*start) for point in zone.outline_near(*start)]
    places = (
        (point[0] + margin * slow, point[1] + margin * fast)
        for point in sorted(edges, key=lambda point: _distance(start, point))
        for slow, fast in (_direction(start, point), *COMPASS)
    )
    free = (place for place in places if not any(zone.covers(*place) for zone in zones))
    return next(free, None)


def _apart(zones: Iterable[Zone], start: Place, end: Place) -> bool:
    low, high = np.minimum(start, end), np.maximum(start, end)
    return not any(zone.meets((low[0], low[1]), (high[0], high[1])) for zone in zones)


def _from_outside(
    zones: Sequence[Zone],
    start: Place,
    end: Place,
    margin: float,
    reachable: Callable[[Place], bool],
) -> list[Place] | None:
    if _apart(zones, start, end):
        return [end]
    for corner in ((end[0], start[1]), (start[0], end[1])):
        if _apart(zones, start, corner) and _apart(zones, corner, end):
            return [corner, end]
    slow, fast = (_lines(zones, start, end, margin, axis, reachable) for axis in (0, 1))
    return _shortest(zones, start, end, slow, fast)


def _lines(
    zones: Sequence[Zone],
    start: Place,
    end: Place,
    margin: float,
    axis: int,
    reachable: Callable[[Place], bool],
) -> list[float]:
    """Coordinates on an axis beside the zones' corners, thinned where there are many."""
    corners = {float(corner[axis]) for zone in zones for corner in zone.corners}
    beside = sorted({c + side for c in corners if np.isfinite(c) for side in (-margin, margin)})
    allowed = [c for c in beside if reachable((c, end[1]) if axis == 0 else (end[0], c))]
    thinned = allowed[:: 1 + len(allowed) // MOST_LINES]
    return sorted({*thinned, *allowed[:1], *allowed[-1:], start[axis], end[axis]})


def _shortest(
    zones: Sequence[Zone], start: Place, end: Place, slow: list[float], fast: list[float]
) -> list[Place] | None:
    """Go along the lines."""
    places = [(s, f) for s in slow for f in fast]
    clear = [
        (one, other)
        for one, other in _neighbours(len(slow), len(fast))
        if _apart(zones, places[one], places[other])
    ]
    if not clear:
        return None
    lengths = [_distance(places[one], places[other]) for one, other in clear]
    graph = coo_array((lengths, np.transpose(clear)), shape=(len(places),) * 2)
    first, last = places.index(start), places.index(end)
    distance, before = dijkstra(
        graph.tocsr(), directed=False, indices=first, return_predecessors=True
    )
    if not np.isfinite(distance[last]):
        return None
    path = [last]
    while path[-1] != first:
        path.append(int(before[path[-1]]))
    return _shortened(zones, [places[k] for k in reversed(path)])


def _neighbours(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    for k in range(rows * columns):
        if (k + 1) % columns:
            yield k, k + 1
        if k + columns < rows * columns:
            yield k, k + columns


def _shortened(zones: Sequence[Zone], path: list[Place]) -> list[Place]:
    """Leave out places of a path that need not be stopped at; its start is left out, too."""
    kept, here = [], 0
    while here < len(path) - 1:
        reach = (
            k for k in reversed(range(here + 1, len(path))) if _apart(zones, path[here], path[k])
        )
        here = next(reach)
        kept.append(path[here])
    return kept


def _direction(start: Place, end: Place) -> Place:
    distance = _distance(start, end)
    if not distance:
        return (0.0, 0.0)
    return ((end[0] - start[0]) / distance, (end[1] - start[1]) / distance)


def _distance(one: Place, other: Place) -> float:
    return float(np.hypot(other[0] - one[0], other[1] - one[1]))
