from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysteer.simulators.kinematics import Axis, plan_halt, plan_move

places = st.floats(-100, 100)


def test_a_long_move_is_a_trapezoid() -> None:
    profile = plan_move(5.0, 1.0, 0.0, 21.0, speed=4.0, ramp=0.5)
    # closed form: distance / speed + ramp, and a ramp covers speed * ramp / 2
    assert profile.duration == pytest.approx(20 / 4 + 0.5)
    assert profile.at(5.5) == pytest.approx((1.0 + 1.0, 4.0))
    assert profile.at(6.5) == pytest.approx((2.0 + 4.0, 4.0))
    assert profile.at(5.0 + 5.25) == pytest.approx((21.0 - 0.25, 2.0))
    assert profile.at(99.0) == (21.0, 0.0)
    assert profile.at(0.0) == (1.0, 0.0)


def test_a_short_move_is_a_triangle() -> None:
    profile = plan_move(0.0, 0.0, 0.0, -0.5, speed=4.0, ramp=0.5)
    acceleration = 8.0
    assert profile.duration == pytest.approx(2 * np.sqrt(0.5 / acceleration))
    assert profile.at(profile.duration / 2) == pytest.approx((-0.25, -np.sqrt(0.5 * acceleration)))


@pytest.mark.parametrize("speed", [0.0, np.inf])
def test_a_speed_of_zero_or_inf_arrives_at_once(speed: float) -> None:
    profile = plan_move(0.0, 0.0, 0.0, 7.0, speed, 0.5)
    assert profile.duration == 0
    assert profile.at(0.0) == (7.0, 0.0)


def test_without_a_ramp_the_speed_is_constant() -> None:
    profile = plan_move(0.0, 0.0, 0.0, -8.0, 2.0, 0.0)
    assert profile.duration == pytest.approx(4.0)
    assert profile.at(1.0) == (-2.0, -2.0)


@given(
    start=places,
    velocity=st.floats(-10, 10),
    target=places,
    speed=st.floats(0.1, 20),
    ramp=st.floats(0.01, 5),
)
def test_from_any_motion_it_comes_to_rest_at_the_target(
    start: float, velocity: float, target: float, speed: float, ramp: float
) -> None:
    profile = plan_move(0.0, start, velocity, target, speed, ramp)
    position, v, t = profile.position, profile.velocity, 0.0
    for length, acceleration in profile.pieces:  # integrate by hand what the pieces say
        assert length >= 0
        assert abs(acceleration) <= speed / ramp * (1 + 1e-9)
        position += v * length + acceleration * length**2 / 2
        v += acceleration * length
        t += length
        assert profile.at(t - 1e-12)[0] == pytest.approx(position, abs=1e-6)
    assert position == pytest.approx(target, abs=1e-6)
    assert v == pytest.approx(0, abs=1e-6)


@given(velocity=st.floats(-10, 10), time=st.floats(0, 3))
def test_position_is_continuous_through_a_new_target(velocity: float, time: float) -> None:
    first = plan_move(0.0, 0.0, velocity, 10.0, 5.0, 1.0)
    second = plan_move(time, *first.at(time), -3.0, 5.0, 1.0)
    assert second.at(time) == pytest.approx(first.at(time))


def test_a_halt_brakes_within_v_squared_over_2a() -> None:
    profile = plan_halt(1.0, 2.0, -4.0, 8.0)
    assert profile.duration == pytest.approx(0.5)
    assert profile.end == pytest.approx(2.0 - 1.0)
    assert plan_halt(1.0, 2.0, -4.0, np.inf).end == 2.0
    assert plan_halt(1.0, 2.0, 0.0, np.inf).end == 2.0


def test_a_target_gives_one_resting_place_whatever_came_before() -> None:
    def ends(seed: int, number: int, targets: list[float]) -> list[float]:
        axis = Axis(number, scatter=0.05, seed=seed)
        found = []
        for target in targets:
            axis.move(0.0, target, 0.0, 0.0)
            axis.arrive()
            found.append(axis.at(0.0)[0])
        return found

    targets = list(np.linspace(-5, 5, 200))
    forward = ends(1, 0, targets)
    assert forward == ends(1, 0, targets[::-1])[::-1]
    errors = np.array(forward) - targets
    assert errors.std() == pytest.approx(0.05, rel=0.2)
    assert abs(errors.mean()) < 0.02
    assert forward != ends(2, 0, targets)
    assert forward != ends(1, 1, targets)
    assert ends(1, 0, [0.1 + 0.2]) == pytest.approx(ends(1, 0, [0.3]), abs=1e-12)


def test_travel_ends_at_the_limit_switches() -> None:
    axis = Axis(travel=(-1.0, 2.0))
    axis.move(0.0, 5.0, 0.0, 0.0)
    assert axis.at(1.0)[0] == 2.0
    assert axis.switches == (False, True)
    axis.move(1.0, -5.0, 0.0, 0.0)
    assert axis.switches == (True, False)
    axis.move(2.0, 0.5, 0.0, 0.0)
    assert axis.switches == (False, False)


def test_play_is_lost_at_each_reversal_and_an_approach_from_one_side_hides_it() -> None:
    axis = Axis(play=0.2)

    def go(target: float) -> float:
        axis.move(0.0, target, 0.0, 0.0)
        axis.arrive()
        return axis.sample(0.0)

    assert go(1.0) == pytest.approx(0.9)
    assert go(0.5) == pytest.approx(0.6)
    assert go(0.4) == pytest.approx(0.5)
    go(0.0)
    assert go(0.5) == pytest.approx(0.4)  # always from below: always 0.1 short
    go(3.0)
    go(0.0)
    assert go(0.5) == pytest.approx(0.4)
