"""Several channels in one map of errors: each on its own scale, none spoils the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from skysteer.models import ErrorMap, SparseScan, TestedMap, inverse_distance, nrmse
from skysteer.models.score_sum import power_of_two

NOTHING = np.empty((0, 2), dtype=np.int64)
SHAPE = (44, 60)


def elements(seed=0, shape=SHAPE):
    """(3, M, N): steps and hot pixels, a rough patch at the left, a slow rise."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 4, shape).cumsum(axis=0) // 7 + (rng.random(shape) < 0.05) * 50.0
    rough = gaussian_filter(rng.standard_normal(shape), 1.5) * (np.arange(shape[1]) < 20)
    rise = np.add.outer(np.arange(shape[0]) / 9.0, np.arange(shape[1]) / 7.0)
    return np.array([steps, rough, rise])


def start(num, seed=1, shape=SHAPE):
    return np.random.default_rng(seed).permutation(np.argwhere(np.ones(shape)))[:num]


def scan_of(truth, pixels):
    return SparseScan.of(truth.shape[1:], pixels, truth[:, *pixels.T].T)


def made_of(scan, **options):
    error_map = ErrorMap(scan.shape, **options)
    error_map.update(scan)
    return error_map


def same(one, other):
    """Share of the first's choice that the other makes, too."""
    return np.mean([tuple(p) in set(map(tuple, other)) for p in one])


@pytest.mark.parametrize("flatness", [0.0, 0.25])
def test_a_map_of_elements_grown_batch_by_batch_equals_one_made_at_once(flatness):
    truth = elements(shape=(30, 37))
    options = {"flatness": flatness, "checked": True}
    grown, pixels = ErrorMap((30, 37), **options), start(8, shape=(30, 37))
    while len(pixels) < 400:
        grown.update(scan_of(truth, pixels))
        pixels = np.concatenate([pixels, grown.choose(6 + len(pixels) // 20, NOTHING)[0]])
    scan = scan_of(truth, pixels)
    grown.update(scan)
    fresh = made_of(scan, **options)
    np.testing.assert_array_equal(grown.score, fresh.score)
    assert grown.expected_nrmse == fresh.expected_nrmse
    for mine, its, alone in zip(grown.channels, fresh.channels, scan.channels, strict=True):
        np.testing.assert_array_equal(mine.error, its.error)
        np.testing.assert_allclose(mine.estimates, inverse_distance(alone), atol=1e-12)
    for mine, its in zip(grown.choose(9, NOTHING), fresh.choose(9, NOTHING), strict=True):
        np.testing.assert_array_equal(mine, its)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), exponent=st.integers(-300, 300), offset=st.integers(-999, 999))
def test_gain_and_offset_of_a_channel_leave_the_choice(seed, exponent, offset):
    truth, pixels = elements(seed).round(2), start(90, seed)
    other = truth.copy()
    other[1] = np.ldexp(truth[1] * 64 + offset, exponent)
    before = made_of(scan_of(np.array([truth[0], truth[1] * 64]), pixels))
    after = made_of(scan_of(other[:2], pixels))
    assert same(before.choose(20, NOTHING)[0], after.choose(20, NOTHING)[0]) >= 0.95


def test_a_gain_that_is_no_power_of_two_all_but_leaves_the_choice():
    """Residuals are kept to two bits, so that the last of equals may differ."""
    truth, pixels = elements(), start(300)
    plain = made_of(scan_of(truth, pixels), checked=True).choose(40, NOTHING)[0]
    gained = truth * np.array([1.0, 3e5, 0.0007])[:, None, None]
    again = made_of(scan_of(gained, pixels), checked=True).choose(40, NOTHING)[0]
    assert same(plain, again) >= 0.8


@pytest.mark.parametrize("constant", [0.0, -7.5, 1e300])
@pytest.mark.parametrize("place", [0, 1])
def test_a_constant_channel_leaves_the_choice_to_the_others(constant, place):
    truth, pixels = elements(), start(200)
    alone = made_of(scan_of(truth[:1], pixels))
    both = made_of(scan_of(np.insert(truth[:1], place, constant, axis=0), pixels))
    np.testing.assert_array_equal(alone.choose(30, NOTHING)[0], both.choose(30, NOTHING)[0])
    assert both.expected_nrmse == alone.expected_nrmse


def test_where_all_channels_are_constant_the_points_are_spread():
    flat = np.array([np.zeros((20, 20)), np.ones((20, 20))])
    chosen, scores = made_of(scan_of(flat, start(5, shape=(20, 20)))).choose(30, NOTHING)
    assert len(np.unique(chosen, axis=0)) == 30
    assert np.isfinite(scores).all()


def test_points_go_where_any_channel_has_structure():
    truth, pixels = elements()[[2, 1]], start(200)
    slow = made_of(scan_of(truth[:1], pixels)).choose(100, NOTHING)[0]
    both = made_of(scan_of(truth, pixels)).choose(100, NOTHING)[0]
    rough = [(chosen[:, 1] < 22).mean() for chosen in (slow, both)]
    assert rough[0] < 0.45 < 0.6 < rough[1]


def test_the_order_of_two_channels_is_of_no_account():
    truth, pixels = elements()[:2], start(150)
    one, other = (made_of(scan_of(t, pixels), checked=True) for t in (truth, truth[::-1]))
    np.testing.assert_array_equal(one.score, other.score)


def test_a_map_that_gets_a_channel_more_or_less_begins_anew():
    truth, pixels = elements(), start(60)
    error_map = made_of(scan_of(truth[:1], pixels))
    for channels in (3, 2, 1):
        error_map.update(scan_of(truth[:channels], pixels))
        fresh = made_of(scan_of(truth[:channels], pixels))
        np.testing.assert_array_equal(error_map.score, fresh.score)


def test_the_error_expected_of_a_map_of_elements_is_the_channels_mean():
    truth, pixels = elements(7, (64, 64)) + 3.0, start(700, shape=(64, 64))
    scan = scan_of(truth, pixels)
    tested = TestedMap(ErrorMap((64, 64)))
    for num in range(50, 701, 50):
        tested.update(scan.first(num))
    nobody = np.empty(0, dtype=bool)
    alone = []
    for channel in scan.channels:
        one = TestedMap(ErrorMap((64, 64)))
        one.update(channel)
        alone.append(one.error_estimate(nobody))
    together = tested.error_estimate(nobody)
    assert together.nrmse == pytest.approx(np.mean([e.nrmse for e in alone]))
    assert together.rms == alone[0].rms
    true = [nrmse(t, inverse_distance(c)) for t, c in zip(truth, scan.channels, strict=True)]
    assert together.nrmse == pytest.approx(np.mean(true), rel=0.3)


@settings(max_examples=50, deadline=None)
@given(st.floats(-140, 0))
def test_powers_of_two_are_right_to_a_ten_thousandth(octaves):
    assert power_of_two(octaves) == pytest.approx(2.0**octaves, rel=2e-4, abs=2e-38)
