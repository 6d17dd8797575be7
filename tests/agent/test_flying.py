"""Segments are chosen by gain against time: exactly the best one, and each knows those before."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter

from skysteer.agent import Choice, Request, Slads, Spread, StageTime
from skysteer.agent.gains import Gains
from skysteer.agent.segment_choice import SegmentChoice, highest
from skysteer.agent.segment_sampler import SegmentSampler
from skysteer.models import ErrorEstimate, SparseScan

STAGE = StageTime(speed=1000.0, settle=0.05, dwell=0.01)
NOWHERE = np.empty((0, 2), dtype=np.int64)


def gains_of(worth: np.ndarray, measured: np.ndarray) -> Gains:
    """Worth of each pixel, times its squared distance."""
    near = np.rint(np.square(np.asarray(distance_transform_edt(~measured)))).astype(np.int32)
    with np.errstate(divide="ignore"):
        score = np.log2(worth * near)
    score = np.round(64 * score) / 64
    score[measured] = -np.inf
    return Gains(score.astype(np.float32), near, ErrorEstimate(0))


def scene(seed: int, shape: tuple[int, int] = (40, 90)) -> Gains:
    rng = np.random.default_rng(seed)
    worth = np.exp(2 * rng.standard_normal(shape))
    return gains_of(worth, rng.random(shape) < 0.04)


def fresh(shape: tuple[int, int] = (40, 90)) -> SegmentChoice:
    return SegmentChoice(np.zeros(shape, dtype=bool), STAGE)


def net_of(gains: Gains, line: np.ndarray, prices: np.ndarray) -> float:
    """What a segment gains less its time's price, by the definition."""
    worth = np.exp2(gains.score[tuple(line.T)].astype(float)).sum()
    a_bin, a_line, a_point = prices
    return float(worth - (a_point if len(line) == 1 else a_bin * len(line) + a_line))


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
    found = flight.choose(gains, 60, NOWHERE)
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
    found = flight.choose(gains, 200, pending)
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
        found = flight.choose(gains, room, ahead)
        again = fresh().choose(gains, room, ahead)
        np.testing.assert_array_equal(found.ends, again.ends)
        np.testing.assert_array_equal(found.scores, again.scores)


def test_nothing_is_flown_over_that_is_barred() -> None:
    wall = np.arange(90)[None] % 9 == np.zeros((40, 1))
    found = SegmentChoice(wall, STAGE).choose(scene(5), 300, NOWHERE)
    assert len(found.pixels) > 100
    assert not (found.pixels[:, 1] % 9 == 0).any()


def test_even_detail_between_flown_rows_is_flown_in_whole_rows() -> None:
    measured = np.zeros((96, 160), dtype=bool)
    measured[6::12] = True
    found = fresh((96, 160)).choose(gains_of(np.ones((96, 160)), measured), 480, NOWHERE)
    assert found.lengths.tolist() == [160, 160, 160]
    assert (found.ends[:, 0, 0] == found.ends[:, 1, 0]).all()


@pytest.mark.parametrize("even", [True, False])
def test_in_an_even_texture_the_distance_alone_counts(even: bool) -> None:
    rng = np.random.default_rng(1)
    image = gaussian_filter(rng.standard_normal((300, 400)), 6) * (even or np.arange(400) > 200)
    pixels = np.argwhere(np.arange(300)[:, None] % 12 == np.full(400, 6))
    scan = SparseScan((300, 400), pixels, image[tuple(pixels.T)])
    gains = Slads().gains(Request(scan, NOWHERE, 9))
    open_ = gains.near > 0
    beyond_distance = gains.score[open_] - np.log2(gains.near[open_])
    assert (np.ptp(beyond_distance) < 0.01) == even


def choice_of(dwell: float, num: int = 200) -> tuple[Choice, Choice]:
    """What a sampler chooses with wings, and without."""
    rng = np.random.default_rng(3)
    pixels = np.argwhere(rng.random((40, 90)) < 0.05)
    scan = SparseScan((40, 90), pixels, np.exp(rng.standard_normal(len(pixels))))
    request = Request(scan, NOWHERE, num)
    flyer = SegmentSampler(Spread(), replace(STAGE, dwell=dwell), NOWHERE)
    return flyer.choose(request), Spread().choose(replace(request, num=num))


def test_where_exposures_are_short_most_of_a_batch_lies_on_segments() -> None:
    flown, _ = choice_of(0.01)
    assert flown.lengths[flown.lengths > 1].sum() > 0.8 * len(flown.pixels) > 80
    assert len(flown.scores) == len(flown.pixels)
    assert flown.scores.max() > 0
    assert np.isfinite(flown.expected_error)


def test_where_exposures_are_long_the_points_are_those_of_a_scan_that_does_not_fly() -> None:
    flown, points = choice_of(1.0, num=3)
    np.testing.assert_array_equal(flown.pixels, points.pixels)
    assert (flown.lengths == 1).all()


def test_where_nothing_is_left_nothing_is_chosen() -> None:
    gains = gains_of(np.ones((20, 30)), np.ones((20, 30), dtype=bool))
    found = fresh((20, 30)).choose(gains, 10, NOWHERE)
    assert len(found.ends) == len(found.pixels) == len(found.lengths) == 0


@given(st.integers(-20, 19), st.integers(-40, 60))
def test_the_highest_level_that_suffices_is_found_from_anywhere(best: int, hint: int) -> None:
    assert highest(lambda level: level <= best, -20, 20, hint) == best
