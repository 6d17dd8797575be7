"""Kriging: exact where measured, right against a solution by hand, honest of its error."""

import numpy as np
import pytest

from skysteer.agent import halton_pixels
from skysteer.models import SparseScan, inverse_distance, kriged, nrmse
from skysteer.rehearsal.sampler_images import counted, specimen

SHAPE = (80, 80)
SEED = 2_000_500  # neither learnt from nor in the benchmark


def halton_scan(truth, share=0.10):
    pixels = halton_pixels(truth.shape, round(share * truth.size), 0)
    return SparseScan.of(truth.shape, pixels, truth[tuple(pixels.T)])


def test_between_two_points_the_linear_variogram_interpolates_linearly():
    made = kriged(SparseScan.of((1, 5), [(0, 0), (0, 4)], [0.0, 8.0]))
    np.testing.assert_allclose(made.image, [[0, 2, 4, 6, 8]], atol=1e-9)
    # b = (8 - 0)^2 / (2 * 4) and the variance 2 b h (1 - h / 4) of a Brownian bridge
    np.testing.assert_allclose(made.sigma**2, [[0, 12, 16, 12, 0]], atol=1e-9)


def test_an_inclined_plane_is_told_better_than_by_inverse_distances():
    truth = np.add.outer(2.0 * np.arange(80), np.arange(80)) + 1e6
    scan = halton_scan(truth, 0.05)
    errors = [np.abs(m - truth).max() for m in (kriged(scan).image, inverse_distance(scan))]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("kind", ["flakes", "cells", "phases", "crystals", "fringes"])
def test_it_errs_less_than_inverse_distances_and_knows_by_how_much(kind):
    truth = specimen(kind, SHAPE, SEED)
    scan = halton_scan(truth)
    made = kriged(scan)
    assert nrmse(truth, made.image) < nrmse(truth, inverse_distance(scan))
    hidden = ~scan.mask
    found = np.sqrt(np.square(truth - made.image)[hidden].mean())
    assert 0.5 < found / np.sqrt(np.square(made.sigma[hidden]).mean()) < 2.0


def test_among_chance_values_it_is_no_worse_than_inverse_distances():
    truth = counted(np.ones(SHAPE) + np.eye(*SHAPE), 10, np.random.default_rng(0))
    truth = np.random.default_rng(1).permutation(truth.ravel()).reshape(SHAPE)
    scan = halton_scan(truth, 0.2)
    assert nrmse(truth, kriged(scan).image) < 1.01 * nrmse(truth, inverse_distance(scan))


def test_measured_pixels_keep_their_values_and_have_no_error():
    truth = specimen("flakes", SHAPE, SEED)
    scan = halton_scan(truth)
    made = kriged(scan)
    np.testing.assert_array_equal(made.image[scan.mask], truth[scan.mask])
    assert (made.sigma[scan.mask] == 0).all()


@pytest.mark.parametrize("num", [1, 2, 3, 30])
def test_few_points_and_a_constant_give_an_orderly_map(num):
    pixels = np.argwhere(np.ones((5, 6)))[:num]
    made = kriged(SparseScan.of((5, 6), pixels, np.full(num, -3.0)))
    np.testing.assert_allclose(made.image, -3.0)
    np.testing.assert_allclose(made.sigma, 0.0)


def test_a_map_of_nothing_is_refused():
    with pytest.raises(ValueError, match="1 measured pixel"):
        kriged(SparseScan.of((3, 3), [], []))
