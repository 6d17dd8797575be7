"""Pixels and positions: there and back, and what lies off the grid."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skysteer.agent import Axis, ScanGrid

ends = st.floats(-1e6, 1e6)


def axes(name: str) -> st.SearchStrategy[Axis]:
    def build(start: float, stop: float, num: int) -> Axis:
        assume(abs(stop - start) > 1e-3 or num == 1)
        return Axis(name, start, stop, num)

    return st.builds(build, ends, ends, st.integers(1, 700))


grids = st.builds(ScanGrid, axes("y"), axes("x"))


@given(grid=grids, data=st.data())
def test_a_pixel_comes_back_from_its_position(grid: ScanGrid, data: st.DataObject) -> None:
    pixel = tuple(data.draw(st.integers(0, num - 1)) for num in grid.shape)
    assert grid.pixel(grid.position(pixel)) == pixel


@given(grid=grids, data=st.data(), slip=st.floats(-0.49, 0.49))
def test_a_stage_that_slips_by_less_than_half_a_pitch_keeps_its_pixel(
    grid: ScanGrid, data: st.DataObject, slip: float
) -> None:
    pixel = tuple(data.draw(st.integers(0, num - 1)) for num in grid.shape)
    position = grid.position(pixel)
    position["x"] += slip * grid.fast.pitch
    assert grid.pixel(position) == pixel


@given(axis=axes("x"), beyond=st.floats(0.51, 1e3))
def test_over_half_a_pitch_outside_is_off_the_grid(axis: Axis, beyond: float) -> None:
    outside = [axis.setpoints[0] - beyond * axis.pitch, axis.setpoints[-1] + beyond * axis.pitch]
    assert axis.index(outside).tolist() == [-1, -1]


@given(axis=axes("x"))
def test_the_ends_are_reached_exactly(axis: Axis) -> None:
    assert axis.setpoints[0] == axis.start
    assert axis.num == 1 or axis.setpoints[-1] == axis.stop


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_a_position_that_is_no_number_has_no_pixel(lost: float) -> None:
    grid = ScanGrid(Axis("y", 0, 1, 2), Axis("x", 0, 1, 2))
    assert grid.pixel({"y": 0.0, "x": lost}) is None
    assert grid.pixel({"y": lost, "x": 0.0}) is None


def test_a_reversed_axis_counts_from_its_start() -> None:
    grid = ScanGrid(Axis("y", 4, 0, 5), Axis("x", 0, 1, 2))
    assert grid.position((1, 0)) == {"y": 3.0, "x": 0.0}
    assert grid.pixel({"y": 3.4, "x": 0.0}) == (1, 0)


@given(grid=grids)
def test_a_grid_survives_its_description(grid: ScanGrid) -> None:
    assert ScanGrid.from_description(json.loads(json.dumps(grid.describe()))) == grid


@pytest.mark.parametrize(
    "start, stop, num",
    [
        (0, 0, 2),
        (math.nan, 1, 3),
        (0, math.inf, 3),
        (0, math.inf, 1),
        (-1e308, 1e308, 3),
        (0, 5e-324, 3),
        (1e16, 1e16 + 4, 9),
    ],
)
def test_ends_that_give_no_different_setpoints_are_refused(
    start: float, stop: float, num: int
) -> None:
    with pytest.raises(ValueError, match="axis 'x' needs two finite ends"):
        Axis("x", start, stop, num)


@pytest.mark.parametrize("num", [0, -1, 2.5, 3.0, math.nan, True, "3"])
def test_a_number_of_points_that_is_none_is_refused(num: Any) -> None:
    with pytest.raises(ValueError, match="whole number of points, 1 or more"):
        Axis("x", 0, 1, num)


def test_numpy_integers_count_points() -> None:
    assert Axis("x", 0, 1, np.int64(3)).setpoints.tolist() == [0.0, 0.5, 1.0]


def test_one_motor_cannot_be_both_axes() -> None:
    with pytest.raises(ValueError, match="both are 'x'"):
        ScanGrid(Axis("x", 0, 1, 2), Axis("x", 0, 1, 2))


def test_setpoints_have_the_digits_that_a_person_would_write() -> None:
    axis = Axis("x", 0, 3.1, 32)
    assert axis.setpoints.tolist() == [float(f"{k / 10:.1f}") for k in range(32)]
    assert np.linspace(0, 3.1, 32).tolist() != axis.setpoints.tolist()


@given(grid=grids)
def test_setpoints_lie_where_they_must_and_begin_and_end_exactly(grid: ScanGrid) -> None:
    for axis in (grid.slow, grid.fast):
        points, exact = axis.setpoints, np.linspace(axis.start, axis.stop, axis.num)
        assert points[0] == axis.start and points[-1] == exact[-1]
        assert (np.abs(points - exact) <= 1e-6 * abs(axis.pitch)).all()
