"""Segments are chosen by gain against time: exactly the best one, and each knows those before."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from skysteer.agent import StageTime
from skysteer.agent.flying import LINE_POWER, Flight, highest
from skysteer.agent.gains import Gains
from skysteer.models import ErrorEstimate

POWER = 2.1
STAGE = StageTime(speed=1000.0, settle=0.05, dwell=0.01)
NOWHERE = np.empty((0, 2), dtype=np.int64)


def gains_of(worth: np.ndarray, measured: np.ndarray) -> Gains:
    """Scores of a point: worth of a pixel, times its distance to a power."""
    near = np.rint(distance_transform_edt(~measured) ** 2).astype(np.int32)
    with np.errstate(divide="ignore"):
        score = np.log2(worth) + 0.5 * POWER * np.log2(near)
    score = np.round(64 * score) / 64
    score[measured] = -np.inf
    return Gains(score.astype(np.float32), near, POWER, ErrorEstimate(0))


def scene(seed: int, shape: tuple[int, int] = (40, 90)) -> Gains:
    rng = np.random.default_rng(seed)
    worth = np.exp(2 * rng.standard_normal(shape))
    return gains_of(worth, rng.random(shape) < 0.04)


def fresh(shape: tuple[int, int] = (40, 90)) -> Flight:
    return Flight(shape, STAGE)


def net_of(gains: Gains, line: np.ndarray, prices: np.ndarray) -> float:
    """What a segment gains less its time's price, by the definition."""
    at = tuple(line.T)
    whole = np.exp2(gains.score[at].astype(float))
    distance = np.sqrt(np.maximum(gains.near[at], 1))
    along = whole * distance ** (LINE_POWER - POWER)
    ends = np.maximum(0.0, 0.5 * (whole - along))
    a_bin, a_line, a_point = prices
    if len(line) == 1:
        return float(whole[0]) - a_point
    return float(along.sum() + ends[0] + ends[-1]) - a_bin * len(line) - a_line


def lines_of(shape: tuple[int, int]) -> list[tuple[int, np.ndarray]]:
    rows, columns = shape
    along = [(1, np.column_stack([np.full(columns, r), np.arange(columns)])) for r in range(rows)]
    return along + [
        (0, np.column_stack([np.arange(rows), np.full(rows, c)])) for c in range(columns)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_segment_is_the_best_of_all_at_its_price(seed: int) -> None:
    shape = (14, 40)
    gains, flight = scene(seed, shape), fresh(shape)
    found = flight.choose(gains, 60, NOWHERE, NOWHERE)
    level = flight._hint[(60).bit_length()]
    prices = flight._prices(level, (60).bit_length())
    measured = gains.near == 0
    nets = [
        net_of(gains, line[a : b + 1], prices[axis])
        for axis, line in lines_of(shape)
        for a, b in product(range(len(line)), repeat=2)
        if a <= b and not measured[tuple(line[a])] and not measured[tuple(line[b])]
    ]
    first = found.pixels[: found.lengths[0]]
    axis = 1 if len(first) == 1 or first[0, 0] == first[-1, 0] else 0
    assert net_of(gains, first, prices[axis]) == pytest.approx(max(nets), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_segments_stay_in_the_room_and_end_where_nothing_was_measured(seed: int) -> None:
    gains, flight = scene(seed), fresh()
    pending = np.argwhere(np.random.default_rng(seed).random((40, 90)) < 0.01)
    found = flight.choose(gains, 200, pending, NOWHERE)
    assert 100 < len(found.pixels) <= 200
    assert len(found.scores) == len(found.pixels)
    taken = gains.near == 0
    taken[tuple(pending.T)] = True
    for first, last in found.ends:
        assert not taken[tuple(first)]
        assert not taken[tuple(last)]
        low, high = np.minimum(first, last), np.maximum(first, last)
        taken[low[0] : high[0] + 1, low[1] : high[1] + 1] = True


@given(seed=st.integers(0, 999), room=st.integers(1, 400))
@settings(deadline=None, max_examples=15)
def test_what_is_kept_from_before_changes_no_choice(seed: int, room: int) -> None:
    rng = np.random.default_rng(seed)
    one, other, flight = scene(seed), scene(seed + 1), fresh()
    pending = np.argwhere(rng.random((40, 90)) < 0.01)
    for gains, ahead in ((one, NOWHERE), (other, pending), (one, pending), (one, NOWHERE)):
        found = flight.choose(gains, room, ahead, NOWHERE)
        again = fresh().choose(gains, room, ahead, NOWHERE)
        np.testing.assert_array_equal(found.ends, again.ends)
        np.testing.assert_array_equal(found.scores, again.scores)


def test_nothing_is_flown_over_that_is_barred() -> None:
    gains, wall = scene(5), np.argwhere(np.arange(90)[None] % 9 == np.zeros((40, 1)))
    found = fresh().choose(gains, 300, NOWHERE, wall)
    assert len(found.pixels) > 100
    assert not (found.pixels[:, 1] % 9 == 0).any()


def test_even_detail_between_flown_rows_is_flown_in_whole_rows() -> None:
    measured = np.zeros((96, 160), dtype=bool)
    measured[6::12] = True
    found = Flight((96, 160), STAGE).choose(
        gains_of(np.ones((96, 160)), measured), 480, NOWHERE, NOWHERE
    )
    assert found.lengths.tolist() == [160, 160, 160]
    assert (found.ends[:, 0, 0] == found.ends[:, 1, 0]).all()


def test_where_exposures_are_long_points_are_worth_more_than_lines() -> None:
    long = StageTime(speed=1000.0, settle=0.05, dwell=1.0)
    found = Flight((40, 90), long).choose(scene(1), 50, NOWHERE, NOWHERE)
    assert np.median(found.lengths) == 1


def test_where_nothing_is_left_nothing_is_chosen() -> None:
    gains = gains_of(np.ones((20, 30)), np.ones((20, 30), dtype=bool))
    found = Flight((20, 30), STAGE).choose(gains, 10, NOWHERE, NOWHERE)
    assert len(found.ends) == len(found.pixels) == len(found.lengths) == 0


@given(st.integers(-20, 19), st.integers(-40, 60))
def test_the_highest_level_that_suffices_is_found_from_anywhere(best: int, hint: int) -> None:
    assert highest(lambda level: level <= best, -20, 20, hint) == best
