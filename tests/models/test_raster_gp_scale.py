"""Honest sigma: what the local scale repairs, and what it must leave alone."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import t as student

from skysteer.models import RasterGP
from skysteer.models.raster_gp_scale import fit_local_scale, log_scales


def half_grain(side=96, seed=0):
    """A smooth left half, and a right half of grain."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((side, side)), 12)
    grain = gaussian_filter(rng.standard_normal((side, side)), 1.2)
    image = smooth / smooth.std()
    image[:, side // 2 :] += 2 * (grain / grain.std())[:, side // 2 :]
    return image


def surrogate(image, readings, share=0.12, seed=1, **options):
    flat = np.random.default_rng(seed).permutation(image.size)[: round(share * image.size)]
    pixels = np.column_stack(np.divmod(flat, image.shape[1]))
    gp = RasterGP(image.shape, **options)
    gp.update(pixels, readings[tuple(pixels.T)])
    free = np.ones(image.shape, dtype=bool)
    free[tuple(pixels.T)] = False
    return gp, free


def test_sigma_follows_the_grain_where_a_stationary_one_does_not():
    image = half_grain()
    gp, free = surrogate(image, image)
    plain, _ = surrogate(image, image, local_scale=False)
    inside = np.abs(gp.mean - image) <= gp.interval(0.9)
    flat, rough = free.copy(), free.copy()
    flat[:, 44:], rough[:, :52] = False, False
    assert 0.7 < inside[rough].mean() < 0.97
    assert inside[free].mean() == pytest.approx(0.9, abs=0.05)
    assert gp.std[rough].mean() > 3 * gp.std[flat].mean()
    gain = gp.log_density(image)[free].mean() - plain.log_density(image)[free].mean()
    assert gain > 0.3


def test_the_noise_that_a_mean_carries_is_not_scaled():
    """Constant counts: all that the map is off by is noise, and sigma must say so."""
    rng = np.random.default_rng(5)
    truth = np.full((64, 64), 30.0)
    gp, _ = surrogate(truth, rng.poisson(truth).astype(float), 0.3, counts_per_unit=1.0)
    off = np.sqrt(((gp.mean - truth) ** 2).mean())
    assert 0.4 * off < np.sqrt((gp.std**2).mean()) < 2.5 * off
    assert off < 0.4 * np.sqrt(30.0)


def test_a_regression_finds_the_scale_and_the_tails_that_residuals_were_drawn_with():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((1500, 3))
    variances = np.exp(rng.standard_normal(1500))
    truth = variances * np.exp(0.5 + 0.8 * features[:, 0])
    draws = student(5.0).rvs(1500, random_state=rng) / np.sqrt(5.0 / 3.0)
    noise = np.zeros(1500)
    found = fit_local_scale(np.sqrt(truth) * draws, variances, noise, features, np.ones(1500))
    np.testing.assert_allclose(found.weights[1:], [0.8, 0, 0, 0], atol=0.25)
    assert found.offset == pytest.approx(0.5, abs=0.25)
    assert 3.5 <= found.freedom <= 8
    gaussian = np.sqrt(truth) * rng.standard_normal(1500)
    assert fit_local_scale(gaussian, variances, noise, features, np.ones(1500)).freedom > 8


def test_with_too_few_readings_nothing_is_corrected():
    image = half_grain(24)
    gp, _ = surrogate(image, image, 10 / 576)
    np.testing.assert_array_equal(gp.std, gp.stationary_std)


def test_the_correction_is_interpolated_between_the_centres_of_blocks():
    rows, columns = np.indices((6, 4))
    features = np.zeros((6, 4, 3))
    features[..., 0] = 1.0 * rows
    features[..., 1] = 1.0 * columns
    out = log_scales(features, np.array([0.0, 2.0, -1.0, 0.0, 0.0]), 0.5, (23, 15))
    middle = (np.indices((23, 15)) - 1.5) / 4
    expected = 0.5 + 2 * np.clip(middle[0], 0, 5) - np.clip(middle[1], 0, 3)
    np.testing.assert_allclose(out, expected)
