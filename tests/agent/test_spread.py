"""The map samplers: what they choose, checked against the plainest code that does the same."""

import numpy as np
import pytest

from skysteer.agent import Request, Slads, Spread, halton_pixels
from skysteer.models import SparseScan, kriged, noise_aware

NOTHING = np.empty((0, 2), dtype=np.int64)


def request(truth, pixels, num=1, pending=NOTHING, **rest):
    scan = SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])
    return Request(scan, pending, num, **rest)


def neighbours(pixel, points, count):
    """(count, 2) nearest points, by distance, row and column; the pixel itself excepted."""
    others = points[(points != pixel).any(axis=1)]
    squared = ((others - pixel) ** 2).sum(axis=1)
    order = np.lexsort((others[:, 1], others[:, 0], squared))[:count]
    return others[order], 1.0 / squared[order]


def first_sight(truth, points, floor):
    """(M, N) expected squared errors and variances, in plain numpy; NaN where measured."""
    residual = {}
    for point in points:
        near, w = neighbours(point, points, 10)
        value = (w * truth[tuple(near.T)]).sum() / w.sum()
        residual[tuple(point)] = truth[tuple(point)] - value
    energy, variance = np.full(truth.shape, np.nan), np.full(truth.shape, np.nan)
    for pixel in np.argwhere(np.ones(truth.shape)):
        if tuple(pixel) in residual:
            continue
        near, w = neighbours(pixel, points, 10)
        values = truth[tuple(near.T)]
        mean = (w * values).sum() / w.sum()
        variance[tuple(pixel)] = (w * (values - mean) ** 2).sum() / w.sum()
        squares = np.array([residual[tuple(p)] ** 2 for p in near[:6]])
        loo = (w[:6] * squares).sum() / w[:6].sum()
        energy[tuple(pixel)] = (loo + variance[tuple(pixel)]) / 2 + floor
    return energy, variance


def greedy(score, points, num):
    """Best first, each with the distances that it leaves; ``score(distance)`` is a map."""
    chosen, rows, columns = [], *np.mgrid[: score(1.0).shape[0], : score(1.0).shape[1]]
    taken = points.tolist()
    while len(chosen) < num:
        squared = np.min([(rows - r) ** 2 + (columns - c) ** 2 for r, c in taken], axis=0)
        value = score(np.sqrt(np.maximum(squared, 1e-9)))
        for r, c in chosen:
            value[(rows - r) ** 2 + (columns - c) ** 2 < 4] = -np.inf
        best = np.unravel_index(np.nanargmax(value), value.shape)
        chosen.append([int(i) for i in best])
        taken.append(chosen[-1])
    return chosen


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flatness", [0.0, 0.25])
def test_the_batch_is_the_one_that_plain_code_chooses(seed, flatness):
    # Residuals are kept to two bits of the mantissa: values whose residuals need no more.
    truth = np.random.default_rng(seed).random((22, 26))
    points = halton_pixels(truth.shape, 40, seed)
    sampler = Spread(flatness=flatness)
    chosen = sampler.choose(request(truth, points, 12)).pixels
    values = truth[tuple(points.T)]
    spread = 4.0 ** np.frexp(np.abs(values[:32] - values[0]).mean())[1]
    energy, variance = first_sight(truth, points, 1e-6 * spread)
    ssim_floor = 4.5e-4 * np.ptp(values[:32]) ** 2
    norm = (variance + ssim_floor) ** flatness
    expected = greedy(lambda d: d**2 * energy / norm, points, 12)
    # The rounding moves few of them: most are the very pixels, and all score as well.
    same = set(map(tuple, chosen.tolist())) & set(map(tuple, expected))
    assert len(same) >= 9
    assert chosen[0].tolist() in expected[:3]


def test_it_measures_where_the_image_is_rough():
    truth = np.zeros((60, 60))
    truth[:, 30:] = np.random.default_rng(0).random((60, 30))
    points = halton_pixels(truth.shape, 40, 1)
    sampler = Spread()
    for _ in range(20):
        points = np.concatenate([points, sampler.choose(request(truth, points, 10)).pixels])
    assert (points[40:, 1] >= 29).mean() > 0.75  # half of the raster


def test_a_new_instance_chooses_as_one_that_has_seen_it_all():
    truth = np.random.default_rng(5).random((40, 40)).cumsum(axis=1)
    points = halton_pixels(truth.shape, 20, 1)
    old = Spread()
    for _ in range(15):
        pending = points[-3:]
        asked = request(truth, points[:-3], 9, pending)
        fresh, choice = Spread().choose(asked), old.choose(asked)
        np.testing.assert_array_equal(choice.pixels, fresh.pixels)
        np.testing.assert_array_equal(choice.scores, fresh.scores)
        assert choice.expected_error == fresh.expected_error
        points = np.concatenate([points, choice.pixels])


def test_before_the_first_value_it_fills_the_raster_evenly():
    empty = Request(SparseScan.of((9, 9), NOTHING, []), NOTHING, 4)
    assert len(np.unique(Spread().choose(empty).pixels, axis=0)) == 4


def test_readings_that_never_come_are_left_alone():
    truth = np.random.default_rng(1).random((8, 8))
    every = np.argwhere(np.ones(truth.shape))
    barren = every[::3]
    some = np.array([p for p in every.tolist() if p not in barren.tolist()])
    choice = Spread().choose(request(truth, some[:5], 100, barren))
    left = {tuple(p) for p in some[5:]}
    assert set(map(tuple, choice.pixels)) == left
    assert not len(Spread().choose(request(truth, some, 100, barren)).pixels)


@pytest.mark.parametrize("flatness", [-0.1, 1.1, float("nan"), True])
def test_a_flatness_out_of_range_is_refused(flatness):
    with pytest.raises(ValueError, match="flatness must lie between 0 and 1"):
        Spread(flatness=flatness)


@pytest.mark.parametrize("sampler", [Spread, Slads], ids=["spread", "slads"])
def test_its_map_is_kriged_and_of_counts_the_noise_aware_one(sampler):
    counts = np.random.default_rng(0).poisson(9, (20, 20))
    scan = request(counts, halton_pixels(counts.shape, 120, 0)).scan
    np.testing.assert_array_equal(sampler().reconstruct(scan), kriged(scan).image)
    counting = sampler(counts_per_unit=2.0).reconstruct(scan)
    np.testing.assert_array_equal(counting, noise_aware(scan, counts_per_unit=2.0).image)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("sampler", [Spread, Slads], ids=["spread", "slads"])
def test_counts_per_unit_that_make_no_sense_are_refused(sampler, wrong):
    with pytest.raises(ValueError, match="counts_per_unit must be above 0"):
        sampler(counts_per_unit=wrong)
