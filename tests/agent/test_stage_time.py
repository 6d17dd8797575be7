"""The cost model of the stage: the simulator's kinematics, flown lines, what it is told in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.agent import Axis, ScanGrid, StageTime
from skysteer.simulators.kinematics import plan_move

place = st.tuples(st.floats(-300, 300), st.floats(-300, 300))
pair = st.tuples(st.floats(0.1, 1000), st.floats(0.1, 1000))
ramps = st.tuples(st.floats(0, 2), st.floats(0, 2))
plays = st.tuples(st.floats(-5, 5), st.floats(-5, 5))


def simulated(start: float, stop: float, speed: float, ramp: float, backlash: float) -> float:
    """Seconds of the legs that a motor record goes through on its way."""
    through = [stop - backlash] if (stop - start) * backlash < 0 else []
    seconds, here = 0.0, start
    for target in (*through, stop):
        seconds += plan_move(0.0, here, 0.0, target, speed, ramp).duration
        here = target
    return seconds


@settings(deadline=None)
@given(start=place, stop=place, speed=pair, ramp=ramps, play=plays)
def test_a_move_takes_as_long_as_the_simulated_axes_need_for_it(
    start: tuple, stop: tuple, speed: tuple, ramp: tuple, play: tuple
) -> None:
    stage = StageTime(speed, ramp, play)
    axes = zip(start, stop, speed, ramp, play, strict=True)
    expected = max(simulated(*axis) for axis in axes)
    assert stage.moves(start, stop)[0] == pytest.approx(expected, abs=1e-9)
    assert stage.between([start, stop])[0, 1] == stage.moves(start, stop)[0]
    assert stage.between([start, stop])[1, 0] == stage.moves(stop, start)[0]


def test_the_clock_counts_ways_settling_dwell_and_overhead() -> None:
    stage = StageTime(speed=(2.0, 4.0), settle=0.5, dwell=1.0, overhead=0.25)
    points = [(0, 0), (0, 8), (3, 8)]
    assert stage.clock(points).tolist() == [1.75, 5.5, 8.75]
    assert stage.clock(points, (4, 0)).tolist() == [3.75, 7.5, 10.75]
    assert stage.path(points) == 8.75
    assert stage.travel(points) == 3.5
    assert stage.path([]) == stage.travel([]) == 0


def test_who_knows_nothing_of_a_stage_counts_chebyshev_lengths() -> None:
    stops = np.random.default_rng(0).integers(0, 50, (20, 2))
    expected = np.abs(stops[:, None] - stops[None]).max(axis=-1)
    assert np.array_equal(StageTime().between(stops), expected)


@given(
    dwell=st.floats(0, 0.1),
    ramp=st.floats(0.01, 0.5),
    bins=st.integers(1, 300),
    axis=st.sampled_from([0, 1]),
)
def test_a_line_is_flown_at_constant_speed_from_its_first_bin_to_its_last(
    dwell: float, ramp: float, bins: int, axis: int
) -> None:
    speed = (50.0, 200.0)
    stage = StageTime(speed, ramp, settle=0.3, dwell=dwell, overhead=0.2)
    seconds, run = stage.line(bins, bins, axis)
    cruise = min(1 / dwell if dwell else np.inf, speed[axis])
    ramp_to_cruise = ramp * cruise / speed[axis]  # the acceleration is the axis' own
    flight = plan_move(0.0, -run, 0.0, bins + run, cruise, ramp_to_cruise)
    assert seconds == pytest.approx(0.3 + 0.2 + flight.duration)
    for edge in (0.0, float(bins)):
        moment = ramp_to_cruise + edge / cruise
        assert flight.at(moment) == pytest.approx((edge, cruise), rel=1e-6, abs=1e-6)


def test_rows_are_flown_to_and_fro() -> None:
    # 10 px at 10 px/s, 0.5 s and 2.5 px to gather it (20 px/s2): 2 s a row; 4 rows up at 40 px/s,
    # whose 1 s to full speed the way is too short for: 2 sqrt(4 / 40) s.
    stage = StageTime(speed=(40.0, 20.0), acceleration=1.0, settle=0.05, dwell=0.1)
    hop = 2 * np.sqrt(4 / 40)
    assert stage.rows_flown([0, 4, 8], 10) == pytest.approx(3 * (0.05 + 2.0) + 2 * hop)
    assert stage.rows_flown([3], 10) == pytest.approx(2.05)
    assert stage.rows_flown([], 10) == 0


def test_a_stage_in_pixels_measures_the_same_times() -> None:
    grid = ScanGrid(Axis("y", 30.0, 0.0, 11), Axis("x", -1.0, 1.0, 201))  # y runs downwards
    stage = StageTime((2.0, 1.0), (0.1, 0.2), (0.5, -0.02), settle=0.01)
    pixels = np.random.default_rng(1).integers(0, (11, 201), (30, 2))
    places = np.array([list(grid.position((int(r), int(c))).values()) for r, c in pixels])
    assert stage.in_pixels(grid).between(pixels) == pytest.approx(stage.between(places))


def test_a_description_passes_through_json_and_may_be_of_a_few_entries() -> None:
    stage = StageTime(1000, (0.1, 0.2), (0.0, -3.0), 0.05, 0.01, 0.002)
    assert StageTime.of(json.loads(json.dumps(stage.describe()))) == stage
    assert StageTime.of({"speed": [5, 6], "settle": 1}) == StageTime((5.0, 6.0), settle=1.0)
    assert StageTime.of(stage) is stage


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({"speed": 0}, "speed is one number, or slow and fast, above 0, but 0 came"),
        ({"speed": [1, float("inf")]}, "speed is .* above 0"),
        ({"speed": "fast"}, "speed is .* but 'fast' came"),
        ({"acceleration": -1}, "acceleration is .* 0 or more, but -1 came"),
        ({"backlash": float("nan")}, "backlash is .* finite"),
        ({"backlash": [1, 2, 3]}, "backlash is one number, or slow and fast"),
        ({"settle": float("nan")}, "settle is a number, 0 or more, but nan came"),
        ({"dwell": [1, 2]}, "dwell is a number"),
        ({"velocity": 3}, "a stage is described by speed, .*, overhead, but {'velocity'"),
        ("fast", "a stage is described by"),
    ],
)
def test_what_describes_no_stage_is_refused(description: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        StageTime.of(description)  # pyright: ignore[reportArgumentType]
