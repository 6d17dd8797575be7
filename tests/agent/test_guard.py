"""The guard: what it lets through, what it refuses, and that it fails closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path

from skysteer.agent import (
    Axis,
    Guard,
    KeepOut,
    KeepOutPolygon,
    RefusedTargetError,
    ScanGrid,
    UnansweredCheckError,
    keep_out_zone,
)

GRID = ScanGrid(Axis("y", 0.0, 3.0, 4), Axis("x", 10.0, 14.0, 5))
NOTHING = np.zeros(GRID.shape, dtype=bool)


def anything_goes(position: Mapping[str, float]) -> None:
    return None


def guard(**changes: object) -> Guard:
    return Guard(**{"grid": GRID, "check": anything_goes, **changes})  # pyright: ignore


@pytest.mark.parametrize(
    "target, why",
    [
        ((math.nan, 1), "not finite"),
        ((1, math.inf), "not finite"),
        ((None, 1), "not finite"),
        ((1.5, 1), "no whole pixel"),
        ((-1, 0), "off the grid"),
        ((4, 0), "off the grid"),
        ((0, 5), "off the grid"),
        ((1e300, 0), "off the grid"),
    ],
)
def test_a_target_that_is_no_pixel_is_refused_alone(target: tuple, why: str) -> None:
    verdict = guard().vet([(0, 0), target, (3, 4)], NOTHING, 10)
    assert verdict.pixels.tolist() == [[0, 0], [3, 4]]
    assert verdict.index.tolist() == [0, 2]
    assert verdict.refused == {why: 1}


def test_a_measured_pixel_and_a_repeated_one_are_refused() -> None:
    taken = NOTHING.copy()
    taken[1, 1] = True
    verdict = guard().vet([(1, 1), (2, 2), (2, 2)], taken, 10)
    assert verdict.pixels.tolist() == [[2, 2]]
    assert verdict.refused == {"already measured": 2}
    assert taken.sum() == 1


@pytest.mark.parametrize("error", [ValueError("limits"), RuntimeError("gone"), KeyError("y")])
def test_a_check_that_raises_anything_refuses_its_target(error: Exception) -> None:
    def check(position: Mapping[str, float]) -> None:
        if position["y"] > 1:
            raise error

    verdict = guard(check=check).vet([(0, 0), (2, 0)], NOTHING, 10)
    assert verdict.pixels.tolist() == [[0, 0]]
    assert verdict.refused.total() == 1


def test_the_check_is_asked_about_positions_in_motor_units() -> None:
    asked = []
    guard(check=asked.append).vet([(1, 2)], NOTHING, 1)
    assert asked == [{"y": 1.0, "x": 12.0}]


def test_a_keep_out_zone_holds_its_ends_in_whatever_order_they_came() -> None:
    zone = KeepOut(slow=(2.0, 1.0), fast=(11.0, 12.0))
    kept = guard(keep_out=[zone])
    inside = [(row, column) for row in (1, 2) for column in (1, 2)]
    verdict = kept.vet([(0, 0), *inside, (3, 3)], NOTHING, 99)
    assert verdict.pixels.tolist() == [[0, 0], [3, 3]]
    assert verdict.refused == {"kept out": 4}
    assert np.argwhere(kept.forbidden()).tolist() == [list(pixel) for pixel in inside]


def test_a_zone_may_be_a_half_plane() -> None:
    half = KeepOut(slow=(-math.inf, math.inf), fast=(12.5, math.inf))
    assert guard(keep_out=[half]).forbidden().sum(axis=0).tolist() == [0, 0, 0, 4, 4]


@pytest.mark.parametrize("ends", [(math.nan, 1.0), (1.0,), (1.0, 2.0, 3.0)])
def test_a_zone_that_would_keep_nothing_out_is_refused(ends: tuple) -> None:
    with pytest.raises(ValueError):
        KeepOut(slow=ends, fast=(0.0, 1.0))


TRIANGLE = ((0.0, 10.0), (3.0, 10.0), (0.0, 14.0))


def test_a_polygon_holds_its_edges_and_corners() -> None:
    kept = guard(keep_out=[KeepOutPolygon(TRIANGLE)])
    inside = [(r, c) for r in range(4) for c in range(5) if r / 3 + c / 4 <= 1 + 1e-12]
    assert [tuple(pixel) for pixel in np.argwhere(kept.forbidden()).tolist()] == inside
    assert kept.vet([(0, 0), (3, 4)], NOTHING, 9).refused == {"kept out": 1}


@given(
    corners=st.lists(
        st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=3, unique=True
    ),
    slow=st.floats(-10, 10),
    fast=st.floats(-10, 10),
)
def test_a_triangle_keeps_out_what_matplotlib_finds_inside(
    corners: list, slow: float, fast: float
) -> None:
    (a, b), (c, d), (e, f) = corners
    if (c - a) * (f - b) == (e - a) * (d - b):
        return
    inside = Path(corners).contains_points([(slow, fast)], radius=0)[0]
    covered = bool(KeepOutPolygon(tuple(corners)).covers(slow, fast))
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    to_an_edge = min(
        abs((q[0] - p[0]) * (fast - p[1]) - (q[1] - p[1]) * (slow - p[0])) for p, q in edges
    )
    assert covered == inside or to_an_edge < 1e-6


@pytest.mark.parametrize("turn", [1, -1])
def test_what_crossing_edges_enclose_is_kept_out_whole(turn: int) -> None:
    angles = [0.8 * math.pi * k for k in range(5)][::turn]
    star = KeepOutPolygon(tuple((math.cos(angle), math.sin(angle)) for angle in angles))
    assert star.covers(0.0, 0.0), "the middle of a pentagram, around which its edges go twice"
    assert star.covers(0.9, 0.0)
    assert not star.covers(-0.9, 0.0), "between two of its points"
    bow_tie = KeepOutPolygon(((0, 0), (2, 2), (2, 0), (0, 2))[::turn])
    assert bow_tie.covers([0.2, 1.8], [1.0, 1.0]).all()
    assert not bow_tie.covers([1.0, 1.0], [0.2, 1.8]).any()


@pytest.mark.parametrize(
    "corners",
    [(), ((0, 0), (1, 1)), ((0, 0), (1, 1), (2, 2)), ((0, 0), (1, math.nan), (2, 0)), ((0, 1, 2),)],
)
def test_a_polygon_that_encloses_nothing_is_refused(corners: tuple) -> None:
    with pytest.raises(ValueError, match="a polygon needs"):
        KeepOutPolygon(corners)


def test_zones_are_read_from_their_json_form() -> None:
    assert keep_out_zone({"polygon": [list(corner) for corner in TRIANGLE]}).covers(0.5, 11)
    assert keep_out_zone({"slow": [0, 1], "fast": [2, 3]}) == KeepOut((0.0, 1.0), (2.0, 3.0))
    for nonsense in ({}, {"polygon": [[0, 1]]}, {"polygon": 3}, {"slow": [0, 1]}):
        with pytest.raises(ValueError, match="a keep-out zone has"):
            keep_out_zone(nonsense)


@pytest.mark.parametrize(
    ("position", "why"),
    [
        ({"y": 1.0, "x": 12.0}, None),
        ({"y": 1.0, "x": math.nan}, "not finite"),
        ({"y": 1.0}, "not finite"),
        ({"y": 3.0, "x": 14.0}, "kept out"),
        ({"y": 1.0, "x": 99.0}, "off limits (too far right)"),
    ],
)
def test_a_position_is_judged_without_a_pixel(position: dict, why: str | None) -> None:
    def check(asked: Mapping[str, float]) -> None:
        if asked["x"] > 50:
            raise ValueError("too far right")

    assert guard(check=check, keep_out=[KeepOut((3, 3), (14, 14))]).objection(position) == why


def test_a_long_way_is_cut_into_steps() -> None:
    stepping = guard(largest_step=(1.0, 1.5))
    start, end = {"y": 0.0, "x": 10.0}, {"y": 3.0, "x": 14.0}
    way = stepping.way(start, end)
    assert way[-1] == end
    assert len(way) == 3
    for before, after in zip([start, *way], way, strict=False):
        assert stepping.objection(after, before) is None
        assert after["y"] - before["y"] == pytest.approx(1.0)
    assert stepping.objection(end, start) == "further than the largest step"
    assert stepping.way(end, end) == [end]
    assert guard().way({}, end) == [end], "without a largest step, where it stands is no matter"


def test_a_long_way_goes_around_a_zone_where_it_can() -> None:
    start, end = {"y": 0.0, "x": 10.0}, {"y": 3.0, "x": 14.0}
    in_the_middle = KeepOut((1.0, 2.0), (11.0, 13.0))
    stepping = guard(largest_step=(0.5, 0.5), keep_out=[in_the_middle])
    way = stepping.way(start, end)
    assert way[-1] == end
    assert not any(in_the_middle.covers(step["y"], step["x"]) for step in way)
    for before, after in zip([start, *way], way, strict=False):
        assert stepping.objection(after, before) is None
    wall = KeepOut((1.0, 2.0), (-math.inf, math.inf))
    blocked = guard(largest_step=(0.5, 0.5), keep_out=[wall])
    assert any(blocked.objection(step) for step in blocked.way(start, end))


def test_zones_hold_for_the_way_without_a_largest_step_too() -> None:
    start, end = {"y": 0.0, "x": 12.0}, {"y": 3.0, "x": 12.0}
    kept = guard(keep_out=[KeepOut((1.0, 2.0), (11.0, 13.0))])
    assert kept.objection(end) is None
    assert kept.objection(end, start) == "the way leads through a keep-out zone"
    way = kept.way(start, end)
    assert len(way) == 3 and way[-1] == end
    for before, after in zip([start, *way], way, strict=False):
        assert kept.objection(after, before) is None
    with pytest.raises(RefusedTargetError, match="nobody knows where x stands"):
        kept.way({"y": 0.0}, end)


@pytest.mark.parametrize("error", [ConnectionError("away"), TimeoutError("no answer")])
def test_motors_that_cannot_be_asked_refuse_no_target_of_a_batch_but_each_move(
    error: Exception,
) -> None:
    def check(position: Mapping[str, float]) -> None:
        raise error

    assert len(guard(check=check).vet([(0, 0), (2, 0)], NOTHING, 10).pixels) == 2
    with pytest.raises(UnansweredCheckError, match=str(error)):
        guard(check=check).objection({"y": 0.0, "x": 10.0})


@pytest.mark.parametrize("stands", [{}, {"y": 0.0}, {"y": math.nan, "x": 10.0}])
def test_a_step_from_nowhere_is_refused(stands: dict) -> None:
    with pytest.raises(RefusedTargetError, match="nobody knows where"):
        guard(largest_step=(1.0, 1.0)).way(stands, {"y": 0.0, "x": 10.0})
    if "x" in stands:
        assert guard(largest_step=(1.0, 1.0)).objection({"y": 0.0, "x": 10.0}, stands)


@pytest.mark.parametrize("step", [(0.0, 1.0), (1.0, -1.0), (1.0,), (math.nan, 1.0)])
def test_a_largest_step_that_is_none_is_refused(step: tuple) -> None:
    with pytest.raises(ValueError, match="largest_step takes"):
        guard(largest_step=step)


def test_the_budget_is_kept() -> None:
    verdict = guard().vet([(0, k) for k in range(5)], NOTHING, 2)
    assert verdict.pixels.tolist() == [[0, 0], [0, 1]]
    assert verdict.refused == {"budget spent": 3}


def test_refused_targets_cost_no_budget() -> None:
    verdict = guard().vet([(9, 9), (0, 0)], NOTHING, 1)
    assert verdict.pixels.tolist() == [[0, 0]]


@pytest.mark.parametrize("nonsense", [[(1, 2, 3)], ["ab"], [(0, 0), (1,)]])
def test_what_is_no_list_of_pixels_gets_nowhere(nonsense: list) -> None:
    with pytest.raises(ValueError):
        guard().vet(nonsense, NOTHING, 9)


def test_an_empty_batch_is_let_through_empty() -> None:
    verdict = guard().vet([], NOTHING, 9)
    assert verdict.pixels.shape == (0, 2)
    assert not verdict.refused


@given(
    batch=hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 12), st.just(2)),
        elements=st.floats(-2, 6) | st.floats(),
    ),
    whole=st.booleans(),
    taken=hnp.arrays(np.bool_, GRID.shape),
    most=st.integers(-1, 12),
)
def test_whatever_comes_only_safe_new_pixels_pass(
    batch: np.ndarray, whole: bool, taken: np.ndarray, most: int
) -> None:
    batch = np.rint(batch) if whole else batch
    zone = KeepOut(slow=(0.5, 1.5), fast=(10.5, 12.5))
    verdict = guard(keep_out=[zone]).vet(batch, taken, most)
    passed = list(map(tuple, verdict.pixels.tolist()))
    assert len(set(passed)) == len(passed) <= max(most, 0)
    assert len(passed) + verdict.refused.total() == len(batch)
    assert [tuple(batch[k]) for k in verdict.index] == passed
    for row, column in passed:
        assert not taken[row, column]
        assert not (row == 1 and column in (1, 2))


def test_dwells_out_of_range_are_refused_and_measured_pixels_only_where_they_may_differ() -> None:
    batch, dwells = [(0, 0), (0, 1), (1, 0), (1, 1)], [1.0, 8.0, math.nan, 0.5]
    one = guard().vet(batch, NOTHING, 9, dwells=dwells)
    assert one.pixels.tolist() == [[0, 0]]
    assert one.refused["dwell out of range"] == 3
    several = replace(guard(), most_dwells=8.0)
    assert several.vet(batch, NOTHING, 9, dwells=dwells).pixels.tolist() == [[0, 0], [0, 1]]
    assert several.vet([(0, 1)], NOTHING, 9, dwells=[8.1]).refused.total() == 1
    assert several.repeats
    assert not guard().repeats
