"""The incremental map: equal to one made at once, right, and orderly on whatever comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.models import ErrorMap, SparseScan, inverse_distance
from skysteer.models.local_features import ANSWERS, FEATURES, coarse, octaves

NOTHING = np.empty((0, 2), dtype=np.int64)


def some_layers(seed=0, hidden=(8, 4)):
    rng = np.random.default_rng(seed)
    first, second = hidden
    shapes = [(FEATURES, first), first, hidden, second, (second, ANSWERS), ANSWERS]
    return tuple(rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes)


def some_truth(shape, seed):
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 4, shape).cumsum(axis=0) // 7
    return (steps + (rng.random(shape) < 0.05) * 50).astype(float)


def scan_of(truth, pixels):
    return SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])


def start(shape, seed, num):
    return np.random.default_rng(seed).permutation(np.argwhere(np.ones(shape)))[:num]


def assert_equal(one, other):
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.squared_error, other.squared_error)
    np.testing.assert_array_equal(one.score, other.score)
    assert one.expected_nrmse == other.expected_nrmse or np.isnan(one.expected_nrmse)
    for mine, theirs in zip(one.choose(9, NOTHING), other.choose(9, NOTHING), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("layers", [None, some_layers()], ids=["rule", "network"])
@pytest.mark.parametrize("flatness", [0.0, 0.25])
@pytest.mark.parametrize("shape", [(37, 50), (1, 120), (90, 1)])
def test_a_map_grown_batch_by_batch_equals_one_made_at_once(layers, flatness, shape):
    truth = some_truth(shape, 3)
    checked = layers is not None
    options = {"power": 0.85, "flatness": flatness, "gain_share": 0.4, "checked": checked}
    grown = ErrorMap(shape, layers, **options)
    pixels = start(shape, 1, 6)
    while len(pixels) < truth.size:
        grown.update(scan_of(truth, pixels))
        chosen, _ = grown.choose(4 + len(pixels) // 40, NOTHING)
        assert len(chosen) > 0
        pixels = np.concatenate([pixels, chosen])
        if len(pixels) < 40 or len(pixels) % 5 == 0:
            fresh = ErrorMap(shape, layers, **options)
            fresh.update(scan_of(truth, pixels))
            grown.update(scan_of(truth, pixels))
            assert_equal(grown, fresh)
    assert len(np.unique(pixels, axis=0)) == truth.size


@pytest.mark.parametrize("channels", [1, 2])
def test_a_tile_whose_scores_or_distances_change_is_counted_and_others_are_not(channels):
    truth = np.stack([some_truth((100, 120), seed) for seed in range(channels)], axis=-1)
    pixels = start(truth.shape[:2], 1, 320)
    error_map = ErrorMap(truth.shape[:2])
    for num in (300, 301, 310, 320):
        before = error_map.changes.copy(), error_map.score.copy(), error_map.near.copy()
        some = pixels[:num]
        error_map.update(SparseScan.of(truth.shape[:2], some, truth[tuple(some.T)]))
        differs = (error_map.score != before[1]) | (error_map.near != before[2])
        changed = {(row // 16, column // 16) for row, column in np.argwhere(differs).tolist()}
        counted = set(map(tuple, np.argwhere(error_map.changes != before[0]).tolist()))
        assert changed <= counted
        assert num == 300 or len(counted) < 56  # not all tiles


def test_the_map_is_the_inverse_distance_one():
    truth = some_truth((31, 44), 5)
    scan = scan_of(truth, start(truth.shape, 2, 140))
    error_map = ErrorMap(truth.shape)
    error_map.update(scan)
    np.testing.assert_allclose(error_map.image, inverse_distance(scan), rtol=1e-12, atol=1e-12)


def test_expected_errors_are_the_formula_worked_out_by_hand():
    truth = some_truth((20, 21), 8)
    scan = scan_of(truth, start(truth.shape, 4, 60))
    error_map = ErrorMap(truth.shape)
    error_map.update(scan)

    def nearest(row, column, but=None):
        ranked = sorted(
            ((r - row) ** 2 + (c - column) ** 2, r, c)
            for r, c in scan.pixels.tolist()
            if (r, c) != but
        )[:10]
        d2 = np.array([d for d, *_ in ranked], dtype=float)
        return 1 / d2, np.array([truth[r, c] for _, r, c in ranked]), [p[1:] for p in ranked]

    spread = np.mean(np.abs(scan.values[:48] - scan.values[0]))
    floor = 1e-6 * 4.0 ** np.frexp(spread)[1]
    for row, column in scan.unmeasured[::37]:
        w, v, where = nearest(row, column)
        r = (w * v).sum() / w.sum()
        variance = (w * (v - r) ** 2).sum() / w.sum()
        squares = []
        for i, j in where[:6]:
            w_i, v_i, _ = nearest(i, j, but=(i, j))
            squares.append((truth[i, j] - (w_i * v_i).sum() / w_i.sum()) ** 2)
        loo = (w[:6] * squares).sum() / w[:6].sum()
        expected = (loo + variance) / 2 + floor
        # Residuals are kept to two bits of the mantissa: their squares to 27 %.
        assert error_map.squared_error[row, column] == pytest.approx(expected, rel=0.27)


@pytest.mark.parametrize("num", [3, 12, 70])
def test_a_gain_is_what_the_map_comes_nearer_to_the_truth_by_one_more_point(num):
    truth = some_truth((26, 31), 6)
    pixels = start(truth.shape, 3, num)
    error_map = ErrorMap(truth.shape)
    error_map.update(scan_of(truth, pixels))
    unmeasured = scan_of(truth, pixels).unmeasured[::41]
    off = np.square(truth - inverse_distance(scan_of(truth, pixels))).sum()
    for pixel, gain in zip(unmeasured, error_map.gains(unmeasured, truth), strict=True):
        more = scan_of(truth, np.vstack([pixels, pixel]))
        left = np.square(truth - inverse_distance(more)).sum()
        assert gain == pytest.approx(off - left, rel=1e-9, abs=1e-9 * off)


def test_the_share_of_the_gain_moves_scores_and_no_expected_error():
    truth = some_truth((24, 24), 3)
    scan = scan_of(truth, start(truth.shape, 5, 60))
    maps = [ErrorMap(truth.shape, some_layers(), gain_share=share) for share in (0.0, 0.5, 1.0)]
    for error_map in maps:
        error_map.update(scan)
    error, both, gain = (m.score[tuple(scan.unmeasured.T)] for m in maps)
    assert np.abs(gain - error).max() > 0.1
    np.testing.assert_allclose(both, (error + gain) / 2, atol=1e-5)
    np.testing.assert_array_equal(maps[0].squared_error, maps[2].squared_error)


def test_a_revised_value_begins_anew():
    truth = some_truth((25, 25), 1)
    scan = scan_of(truth, start(truth.shape, 1, 80))
    revised = SparseScan(scan.shape, scan.pixels, scan.values + (np.arange(80) == 30) * 17.0)
    updated, fresh = ErrorMap(truth.shape), ErrorMap(truth.shape)
    updated.update(scan)
    updated.update(revised)
    fresh.update(revised)
    assert_equal(updated, fresh)


def test_a_removed_point_and_another_raster_begin_anew():
    truth = some_truth((25, 25), 1)
    pixels = start(truth.shape, 1, 80)
    updated, fresh = ErrorMap(truth.shape), ErrorMap(truth.shape)
    updated.update(scan_of(truth, pixels))
    updated.update(scan_of(truth, pixels[1:]))
    fresh.update(scan_of(truth, pixels[1:]))
    assert_equal(updated, fresh)
    other = scan_of(truth[:, :7].copy(), start((25, 7), 2, 20))
    updated.update(other)
    fresh = ErrorMap((25, 7))
    fresh.update(other)
    assert_equal(updated, fresh)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), exponent=st.integers(-900, 900), offset=st.integers(-1000, 1000))
def test_scale_and_offset_of_the_values_leave_the_choice(seed, exponent, offset):
    truth = some_truth((24, 24), seed)
    pixels = start(truth.shape, seed, 70)
    one, other = (ErrorMap(truth.shape, some_layers()) for _ in range(2))
    one.update(scan_of(truth, pixels))
    other.update(scan_of(np.ldexp(truth + offset, exponent), pixels))
    np.testing.assert_array_equal(one.choose(8, NOTHING)[0], other.choose(8, NOTHING)[0])


@pytest.mark.parametrize("turn", [np.rot90, np.fliplr, np.flipud, np.transpose])
def test_a_turned_image_has_the_turned_errors(turn):
    # Six points, so that every pixel sees all of them and no tie parts equals.
    truth = np.random.default_rng(4).random((23, 23))
    mask = np.zeros(truth.shape, dtype=bool)
    mask[tuple(start(truth.shape, 9, 6).T)] = True
    one, turned = ErrorMap(truth.shape), ErrorMap(truth.shape)
    one.update(scan_of(truth, np.argwhere(mask)))
    turned.update(scan_of(turn(truth), np.argwhere(turn(mask))))
    np.testing.assert_allclose(turned.squared_error, turn(one.squared_error), rtol=1e-2)


def test_points_that_count_as_measured_are_kept_away_from():
    truth = np.zeros((1, 101))
    error_map = ErrorMap(truth.shape)
    error_map.update(scan_of(truth, np.array([[0, 0], [0, 100]])))
    middle = np.array([[0, 50]])
    assert error_map.choose(1, NOTHING)[0].tolist() == [[0, 50]]
    assert error_map.choose(1, middle, counted=1)[0].tolist() in ([[0, 25]], [[0, 75]])
    assert error_map.choose(1, middle, counted=0)[0].tolist() == [[0, 49]]
    first, second, third = error_map.choose(3, NOTHING)[0].tolist()
    assert first == [0, 50] and {second[1], third[1]} == {25, 75}


def test_what_is_unavailable_is_free_again_when_it_no_longer_is():
    truth = some_truth((20, 20), 2)
    error_map = ErrorMap(truth.shape)
    error_map.update(scan_of(truth, start(truth.shape, 1, 40)))
    best, _ = error_map.choose(5, NOTHING)
    others, _ = error_map.choose(5, best)
    assert not set(map(tuple, best)) & set(map(tuple, others))
    walls = np.concatenate([best[:2], best[:2], best[3:]])
    assert tuple(best[2]) in set(map(tuple, error_map.choose(5, walls)[0]))
    np.testing.assert_array_equal(error_map.choose(5, NOTHING)[0], best)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(30),
        np.full(30, 7.25),
        np.where(np.arange(30) == 20, 1e300, 0.0),
        np.where(np.arange(30) == 2, -1e308, 1e308),
        np.arange(30) * 1e-310,
        1e12 + np.arange(30) * 1e-3,
    ],
    ids=["zero", "constant", "hot", "opposite", "subnormal", "offset"],
)
@pytest.mark.parametrize("layers", [None, some_layers()], ids=["rule", "network"])
def test_whatever_the_values_are_the_batch_is_whole(values, layers):
    pixels = start((17, 19), 3, 30)
    error_map = ErrorMap((17, 19), layers, power=0.85, flatness=0.25)
    error_map.update(SparseScan.of((17, 19), pixels, values))
    chosen, scores = error_map.choose(400, NOTHING)
    assert len(chosen) == len(np.unique(chosen, axis=0)) == 17 * 19 - 30
    assert not np.isnan(scores).any()
    assert not np.isnan(error_map.image).any()


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-30, 1e30))
def test_octaves_are_base_2_logarithms(x):
    assert octaves(x) == pytest.approx(np.log2(x), abs=3e-4)
    assert coarse(x) == pytest.approx(x, rel=0.125)
    assert coarse(-x) == -coarse(x)
