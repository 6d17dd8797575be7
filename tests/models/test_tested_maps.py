"""Each reading is a test before it is learnt: of a process, of the network's map, of both."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from skysteer.models import (
    BlendedGP,
    ErrorEstimate,
    ErrorMap,
    RasterGP,
    SparseScan,
    TestedGP,
    TestedMap,
    inverse_distance,
    points_for,
)
from skysteer.models.forward_log import block_end
from skysteer.simulators import generate

SHAPE = (48, 48)


def islands(seed=0, shape=SHAPE):
    """A smooth ground, and grain on a part of it."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.standard_normal(shape), 8)
    grain = gaussian_filter(rng.standard_normal(shape), 1.0)
    patch = gaussian_filter(rng.standard_normal(shape), 8) > 0
    return 3.0 + ground / ground.std() + 2.0 * patch * grain / grain.std()


def some_pixels(num, seed=1, shape=SHAPE):
    flat = np.random.default_rng(seed).permutation(shape[0] * shape[1])[:num]
    return np.column_stack(np.divmod(flat, shape[1]))


def blended(shape, **options):
    return BlendedGP(shape, **options)


def state(gp):
    return gp.mean, gp.std, np.array(gp.error_estimate.nrmse), gp.tests.errors


@pytest.mark.parametrize("make", [TestedGP, blended])
def test_how_readings_came_in_batches_changes_nothing(make):
    pixels = some_pixels(230)
    values = np.random.default_rng(2).poisson(20 * islands()[tuple(pixels.T)].clip(0)).astype(float)
    once, often = (make(SHAPE, counts_per_unit=20.0) for _ in range(2))
    once.update(pixels, values)
    for begin in range(0, 230, 7):
        often.update(pixels[begin : begin + 7], values[begin : begin + 7])
        _ = often.std  # a look changes nothing
    for one, other in zip(state(once), state(often), strict=True):
        np.testing.assert_array_equal(one, other)


def ends(num):
    found = [block_end(0)]
    while block_end(found[-1]) < num:
        found.append(block_end(found[-1]))
    return [*found, num]


def test_a_test_is_what_a_process_without_the_reading_was_off():
    image, pixels = islands(), some_pixels(150)
    values = image[tuple(pixels.T)]
    gp = TestedGP(SHAPE)
    gp.update(pixels, values)
    off = []
    for known, end in zip(ends(150)[:-1], ends(150)[1:], strict=True):
        before = RasterGP(SHAPE)
        for begin in range(0, known, 5):  # through every refit on the way
            part = slice(begin, min(begin + 5, known))
            before.update(pixels[part], values[part])
        off.append((values - before.mean[tuple(pixels.T)])[known:end])
    np.testing.assert_allclose(gp.tests.errors, np.concatenate(off), atol=1e-9)


def test_a_test_is_what_an_inverse_distance_map_without_the_reading_was_off():
    image, pixels = islands(), some_pixels(150)
    scan = SparseScan(SHAPE, pixels, image[tuple(pixels.T)])
    tested = TestedMap(ErrorMap(SHAPE))
    tested.update(scan)
    off = [
        (scan.values - inverse_distance(scan.first(known))[tuple(pixels.T)])[known:end]
        for known, end in zip(ends(150)[:-1], ends(150)[1:], strict=True)
    ]
    np.testing.assert_allclose(tested.tests.errors, np.concatenate(off), rtol=1e-4, atol=1e-5)


def test_a_reading_that_is_corrected_is_no_new_test():
    image, pixels = islands(), some_pixels(80)
    gp = TestedGP(SHAPE)
    gp.update(pixels, image[tuple(pixels.T)])
    before = len(gp.tests)
    gp.update(pixels[:3], [1.0, 2.0, 3.0])
    assert len(gp.tests) == before
    assert gp.mean[tuple(pixels[1])] == 2.0


def crowded(image, readings, num, make):
    """Choose where the process is least sure, as an agent does, with a random tenth."""
    rng = np.random.default_rng(3)
    order = np.random.default_rng(4).permutation(image.size)
    gp, taken = make(), np.zeros(image.shape, dtype=bool)
    new, drawn = some_pixels(40, shape=image.shape), np.zeros(40, dtype=bool)
    while True:
        gp.count_as_audits(np.concatenate([gp._audited, drawn]))
        gp.update(new, readings[tuple(new.T)])
        taken[tuple(new.T)] = True
        if gp.num_readings >= num:
            return gp, ~taken
        flat = order[~taken.ravel()[order]][:3]
        audit = np.column_stack(np.divmod(flat, image.shape[1]))
        chosen, _ = gp.choose(27, audit, 3)
        shuffled = rng.permutation(30)
        new, drawn = np.concatenate([audit, chosen])[shuffled], (shuffled < 3)


@pytest.mark.parametrize("counts", [None, 40.0])
def test_intervals_and_the_expected_error_are_honest_where_the_process_chose(counts):
    image = islands(5, (64, 64)).clip(0.1)
    noise = np.random.default_rng(6)
    readings = image if counts is None else noise.poisson(image * counts) / counts
    gp, free = crowded(image, readings, 500, lambda: TestedGP((64, 64), counts_per_unit=counts))
    covered = (np.abs(gp.mean - image) <= gp.interval(0.9))[free].mean()
    assert 0.83 < covered < 0.97
    true = np.sqrt(((gp.mean - image) ** 2).mean() / (image**2).mean())
    assert gp.error_estimate.nrmse == pytest.approx(true, rel=0.25)
    assert gp.error_estimate.low < gp.error_estimate.nrmse < gp.error_estimate.high


def test_the_inverse_distance_maps_error_is_foretold():
    image, pixels = islands(7, (64, 64)), some_pixels(600, shape=(64, 64))
    scan = SparseScan((64, 64), pixels, image[tuple(pixels.T)])
    tested = TestedMap(ErrorMap((64, 64)))
    tested.update(scan)
    true = np.sqrt(((inverse_distance(scan) - image) ** 2).mean() / (image**2).mean())
    found = tested.error_estimate(np.empty(0, dtype=bool))
    assert found.nrmse == pytest.approx(true, rel=0.2)
    assert found.rms == pytest.approx(found.nrmse * np.sqrt((image**2).mean()), rel=0.06)


def test_the_blend_leaves_the_process_where_it_does_not_serve():
    """Far from crowded readings a process falls back to its mean, an inverse distance does not."""
    shape = (64, 64)
    rows, columns = np.indices(shape)
    image = np.where(columns < 40, 10.0, 0.0) + np.where((rows // 3) % 2 & (columns > 48), 4.0, 0)
    far = np.argwhere((rows % 9 == 4) & (columns % 9 == 4))
    near = np.argwhere((columns > 46) & ((rows + columns) % 2 == 0))[::3]
    pixels = np.random.default_rng(0).permutation(np.concatenate([far, near]))
    alone, both = TestedGP(shape), blended(shape)
    for gp in (alone, both):
        gp.update(pixels, image[tuple(pixels.T)])
    errors = [np.sqrt(((gp.mean - image) ** 2).mean()) for gp in (alone, both)]
    assert errors[1] < 1.02 * errors[0]
    np.testing.assert_array_equal(both.mean[tuple(pixels.T)], image[tuple(pixels.T)])


def test_a_band_holds_as_often_as_it_says():
    estimate = ErrorEstimate.of(500, 4.0, 96.0, 0.2)
    assert estimate.nrmse == pytest.approx(0.2)
    assert estimate.rms == 2.0
    assert math.log(estimate.high / estimate.nrmse) == pytest.approx(0.2 * norm.ppf(0.9))
    assert estimate.factor(0.9) == pytest.approx(estimate.high / estimate.nrmse)
    assert estimate.sureness(estimate.factor(0.95)) == pytest.approx(0.95)


def test_an_error_that_falls_as_a_power_tells_the_points_that_less_would_take():
    fell = [ErrorEstimate(n, 3.0 * n**-0.7) for n in range(100, 2001, 100)]
    assert points_for(fell, 0.5) == pytest.approx(2000 * (2 ** (1 / 0.7) - 1), abs=2)
    assert points_for(fell[-1:], 0.5) == 3 * 2000  # by the root, where nothing is known
    assert points_for([], 0.5) == points_for(fell, 1.0) == 0


@pytest.mark.parametrize("make", [TestedGP, blended])
def test_little_or_nothing_is_no_mishap(make):
    gp = make((9, 7))
    assert np.isnan(gp.error_estimate.nrmse)
    gp.update([[1, 1]], [5.0])
    gp.update([[1, 1], [20, 3], [2, 2]], [6.0, 1.0, np.nan])
    assert gp.mean[1, 1] == 6.0
    every = np.argwhere(np.ones((9, 7)))
    gp.update(every, np.full(63, 4.0))
    assert (gp.mean == 4.0).all()
    assert gp.error_estimate.rms == 0


def test_the_blend_follows_who_is_better_now_and_not_who_was_when_errors_were_large():
    """A smooth image: the process' errors fall faster than the kriged map's."""
    image = generate("gradients", SHAPE, 1_000_305, peak_rate=1.0).rates[0]
    pixels = some_pixels(300)
    alone, both = TestedGP(SHAPE), blended(SHAPE)
    for gp in (alone, both):
        gp.update(pixels, image[tuple(pixels.T)])
    off = [np.sqrt(((gp.mean - image) ** 2).mean()) for gp in (alone, both)]
    assert off[1] < 1.05 * off[0]
