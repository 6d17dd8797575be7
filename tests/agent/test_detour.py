"""Ways round keep-out zones, judged by matplotlib."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from skysteer.agent import KeepOut, KeepOutPolygon
from skysteer.agent.detour import is_clear, way_out, way_round

MARGIN = 0.25
WALL = KeepOut((-math.inf, math.inf), (4.0, 5.0))
CUP = KeepOutPolygon(((0, 0), (0, 6), (6, 6), (6, 5), (1, 5), (1, 1), (6, 1), (6, 0)))  # open above
BOX = KeepOut((2.0, 4.0), (2.0, 4.0))


def anywhere(_: Any) -> bool:
    return True


def swept(start: Any, end: Any) -> np.ndarray:
    """Places that the stage may come by when both axes move at once."""
    slow, fast = (np.linspace(start[axis], end[axis], 41) for axis in (0, 1))
    return np.stack(np.meshgrid(slow, fast), axis=-1).reshape(-1, 2)


def outline(zone: Any) -> Path:
    if isinstance(zone, KeepOutPolygon):
        return Path([*zone.polygon, zone.polygon[0]], closed=True)
    (a, b), (c, d) = (np.clip(sorted(ends), -99, 99) for ends in (zone.slow, zone.fast))
    return Path([(a, c), (a, d), (b, d), (b, c), (a, c)], closed=True)


def met(zones: Any, places: Any) -> bool:
    """Whether the stage may come into a zone on its way from one place to the next."""
    return any(
        outline(zone).contains_points(swept(*leg), radius=0).any()
        for zone in zones
        for leg in pairwise(places)
    )


places = st.tuples(st.integers(-2, 10).map(float), st.integers(-2, 10).map(float))
ends = st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda e: e[0] != e[1])
rectangles = st.builds(KeepOut, ends, ends)
corners = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=5)
polygons = corners.filter(
    lambda c: np.linalg.matrix_rank(np.array(c, float) - c[0]) == 2
).map(lambda c: KeepOutPolygon(tuple(c)))  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(zones=st.lists(rectangles | polygons, min_size=1, max_size=3), start=places, end=places)
def test_no_way_leads_through_a_zone(zones: Any, start: Any, end: Any) -> None:
    assume(not any(zone.covers(*start) or zone.covers(*end) for zone in zones))
    way = way_round(zones, start, end, MARGIN, anywhere)
    if way is None:
        assert not is_clear(zones, start, end, MARGIN)
        return
    assert way[-1] == end
    assert not met(zones, [start, *way])
    assert all(is_clear(zones, one, other, MARGIN) for one, other in pairwise([start, *way]))


@settings(deadline=None, max_examples=60)
@given(zone=rectangles | polygons, start=places, end=places)
def test_what_is_taken_for_clear_is_clear(zone: Any, start: Any, end: Any) -> None:
    assume(not zone.covers(*start))
    if is_clear([zone], start, end, MARGIN):
        assert not met([zone], [start, end])


@pytest.mark.parametrize(
    ("zone", "start", "end", "turns"),
    [
        (BOX, (0.0, 0.0), (1.0, 6.0), 0),
        (BOX, (0.0, 3.0), (3.0, 6.0), 1),
        (BOX, (3.0, 0.0), (3.0, 6.0), 2),
        (CUP, (3.0, 3.0), (3.0, 8.0), 2),
        (CUP, (3.0, 3.0), (-1.0, 3.0), 3),
    ],
)
def test_a_way_is_found_where_there_is_one(zone: Any, start: Any, end: Any, turns: int) -> None:
    way = way_round([zone], start, end, MARGIN, anywhere)
    assert way is not None and len(way) - 1 == turns
    assert not met([zone], [start, *way])


def test_where_there_is_none_none_is_found() -> None:
    assert way_round([WALL], (0.0, 0.0), (0.0, 8.0), MARGIN, anywhere) is None


def test_a_way_keeps_to_the_limits_of_the_motors() -> None:
    start, end = (3.0, 0.0), (3.0, 6.0)
    above = way_round([BOX], start, end, MARGIN, lambda place: place[0] > 2)
    assert above is not None and max(slow for slow, _ in above) == 4.0 + MARGIN
    assert way_round([BOX], start, end, MARGIN, lambda place: 2 < place[0] < 4) is None


@pytest.mark.parametrize("zone", [BOX, KeepOutPolygon(((2, 2), (2, 4), (4, 4), (4, 2)))])
def test_a_stage_in_a_zone_leaves_it_by_the_shortest_way(zone: Any) -> None:
    inside, beyond = (3.0, 3.75), (3.0, 0.0)
    assert way_out([zone], inside, MARGIN) == pytest.approx((3.0, 4.0 + MARGIN))
    assert not is_clear([zone], inside, beyond, MARGIN), "through the whole of it"
    way = way_round([zone], inside, beyond, MARGIN, anywhere)
    assert way is not None and way[0] == pytest.approx((3.0, 4.25))
    assert is_clear([zone], inside, way[0], MARGIN)
    assert not met([zone], way)
