"""Hyperparameters: the likelihood against scipy's, and what is recovered from draws."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from skysteer.models import GPHyperparameters
from skysteer.models.fisher_scoring import fisher_scoring
from skysteer.models.raster_gp_fit import counting_noise, fit_hyperparameters
from skysteer.models.raster_gp_kernel import vecchia


def drawn(h, shape, num, seed, noise=0.0):
    """Pixels of a raster and values drawn from the process itself."""
    rng = np.random.default_rng(seed)
    flat = rng.permutation(shape[0] * shape[1])[:num]
    where = np.column_stack(np.divmod(flat, shape[1])).astype(np.int32)
    apart = np.abs(where[:, None] - where[None])
    covariance = h.variance * h.correlation(shape)[apart[..., 0], apart[..., 1]]
    covariance += (h.floor + noise) * np.eye(num)
    values = h.mean + np.linalg.cholesky(covariance) @ rng.standard_normal(num)
    return where, values, covariance


def parameters(h):
    return np.array([*np.log([h.variance, *h.lengths, h.floor]), h.mean])


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
def test_given_all_earlier_readings_the_likelihood_is_the_exact_one(smoothness):
    h = GPHyperparameters(1.7, (5.0, 8.0), 0.1, 0.4, smoothness)
    where, values, covariance = drawn(h, (20, 20), 30, 0, noise=0.05)
    found = np.tile(np.arange(30, dtype=np.int32), (30, 1))
    likelihood, _, _ = vecchia(
        parameters(h), where, values, np.full(30, 0.05), np.arange(30), found, np.arange(30),
        smoothness,
    )  # fmt: skip
    expected = -multivariate_normal(np.full(30, h.mean), covariance).logpdf(values)
    assert likelihood == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
def test_the_gradient_is_that_of_finite_differences(smoothness):
    h = GPHyperparameters(1.7, (5.0, 8.0), 0.1, 0.4, smoothness)
    where, values, _ = drawn(h, (20, 20), 40, 1)
    found = np.tile(np.arange(40, dtype=np.int32), (40, 1))
    data = (where, values, np.full(40, 0.02), np.arange(40), found, np.minimum(np.arange(40), 12))
    x = parameters(h) + 0.1
    _, gradient, information = vecchia(x, *data, smoothness)
    numeric = approx_fprime(x, lambda x: vecchia(x, *data, smoothness)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)
    assert np.linalg.eigvalsh(information).min() > 0


def test_what_a_draw_was_made_with_is_found_again():
    truth = GPHyperparameters(4.0, (6.0, 12.0), 0.2, 10.0)
    found = []
    for seed in range(4):
        where, values, _ = drawn(truth, (90, 90), 900, seed)
        found.append(fit_hyperparameters((90, 90), where, values))
    logs = np.mean([parameters(h) for h in found], axis=0) - parameters(truth)
    assert np.abs(logs[:4]).max() < np.log(1.6)
    assert all(h.lengths[1] > h.lengths[0] for h in found)
    assert abs(logs[4]) < 1.5


def test_known_noise_is_not_taken_for_texture():
    truth = GPHyperparameters(4.0, (10.0, 10.0), 0.02, 0.0)
    where, values, _ = drawn(truth, (80, 80), 800, 0, noise=1.0)
    told = fit_hyperparameters((80, 80), where, values, np.full(800, 1.0))
    untold = fit_hyperparameters((80, 80), where, values)
    assert told.floor < 0.4
    assert untold.floor > 0.6


def test_counting_noise_follows_the_readings_around_and_not_the_count_itself():
    where = np.argwhere(np.ones((9, 9))).astype(np.int32)
    counts = np.full(81, 25.0)
    counts[40] = 70.0
    noise = counting_noise((9, 9), where, counts, 1.0)
    assert noise[40] < 40
    np.testing.assert_allclose(noise[0], 25, rtol=0.1)
    assert (counting_noise((9, 9), where, 0 * counts, 1.0) > 0).all()


def test_scoring_finds_the_least_of_a_poisson_likelihood_from_a_bad_start():
    counts = np.random.default_rng(0).poisson(np.exp(1.0 + 0.5 * np.linspace(-1, 1, 200)))
    design = np.column_stack([np.ones(200), np.linspace(-1, 1, 200)])

    def likelihood(b):
        rate = np.exp(np.clip(design @ b, -30, 30))
        value = float((rate - counts * np.log(rate)).sum())
        return value, design.T @ (rate - counts), design.T @ (rate[:, None] * design)

    found = fisher_scoring(likelihood, [8.0, -4.0])
    np.testing.assert_allclose(likelihood(found)[1], 0, atol=0.1)
    assert fisher_scoring(likelihood, [8.0, 0.0], ([5.0, -1.0], [9.0, 1.0]))[0] == 5.0
