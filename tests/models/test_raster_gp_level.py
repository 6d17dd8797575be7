"""Pixels chosen by the doubt that they settle, against exact covariances and drawn readings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, owens_t

from skysteer.agent import halton_pixels
from skysteer.models import GPHyperparameters, RasterGP, choose_for_level
from skysteer.models.raster_gp_level import FALLS, REACH, fall

SHAPE, LEVEL = (14, 15), 0.2
H = GPHyperparameters(1.0, (4.0, 5.0), 0.02)
EVERY = np.argwhere(np.ones(SHAPE))
NOTHING = np.empty((0, 2), dtype=np.int64)


def process(num=24, noise=None):
    pixels = halton_pixels(SHAPE, num, 0)
    values = np.random.default_rng(1).standard_normal(num)
    gp = RasterGP(SHAPE, H, local_scale=False)
    gp.update(pixels, values, None if noise is None else np.full(num, noise))
    return gp, pixels


def covariances(pixels, noise):
    """Exact ones of all pixels, given readings."""
    apart = np.abs(EVERY[:, None] - EVERY[None])
    prior = H.correlation(SHAPE)[apart[..., 0], apart[..., 1]] + H.floor * np.eye(len(EVERY))
    read = pixels @ (SHAPE[1], 1)
    inner = prior[np.ix_(read, read)] + noise * np.eye(len(read))
    return prior - prior[:, read] @ np.linalg.solve(inner, prior[read])


def doubts_left(gp, covariance, batch, noise):
    """Sum of p (1 - p) that is expected once a batch has been read, in closed form."""
    inner = covariance[np.ix_(batch, batch)] + noise * np.eye(len(batch))
    cross = covariance[:, batch]
    explained = np.einsum("pk,kp->p", cross, np.linalg.solve(inner, cross.T))
    variance = np.diag(covariance)
    unknown = variance > 1e-9
    q = np.clip(explained[unknown] / variance[unknown], 0, 1)
    h = (LEVEL - gp.mean.ravel()[unknown]) / np.sqrt(variance[unknown])
    return (2 * owens_t(h, np.sqrt((1 - q) / (1 + q)))).sum()


def test_what_a_reading_settles_is_owens_difference():
    rng = np.random.default_rng(0)
    for h, q in zip(rng.uniform(0, 5, 200), rng.uniform(0, 1, 200), strict=True):
        exact = ndtr(h) * ndtr(-h) - 2 * owens_t(h, np.sqrt((1 - q) / (1 + q)))
        assert fall(h, q, FALLS) == pytest.approx(exact, abs=2e-4)
    assert fall(7.0, 0.9, FALLS) == fall(np.inf, 0.9, FALLS) == 0.0


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_each_pixel_of_a_batch_settles_about_as_much_as_the_best_one(noise):
    gp, pixels = process(noise=noise or None)
    chosen, scores = choose_for_level(gp, LEVEL, 4, NOTHING)
    covariance, batch = covariances(pixels, noise), []
    free = np.setdiff1d(np.arange(len(EVERY)), pixels @ (SHAPE[1], 1))
    for pixel, score in zip(chosen @ (SHAPE[1], 1), scores, strict=True):
        before = doubts_left(gp, covariance, batch, noise)
        left = np.setdiff1d(free, batch)
        gains = [before - doubts_left(gp, covariance, [*batch, k], noise) for k in left]
        gain = before - doubts_left(gp, covariance, [*batch, pixel], noise)
        assert gain > 0.95 * max(gains)
        assert score == pytest.approx(gain, rel=0.15)  # what lies beyond its reach is left out
        batch.append(pixel)


def test_the_doubt_that_is_expected_is_what_drawn_readings_leave():
    gp, pixels = process()
    (pixel, *_), (score, *_) = choose_for_level(gp, LEVEL, 1, NOTHING)
    std, rng, left = gp.std[tuple(pixel)], np.random.default_rng(3), []
    for value in gp.mean[tuple(pixel)] + std * rng.standard_normal(400):
        after = RasterGP(SHAPE, H, local_scale=False)
        after.update(pixels, [gp.mean[tuple(p)] for p in pixels])
        after.update([pixel], [value])
        p = ndtr((after.mean - LEVEL) / np.maximum(after.std, 1e-9))
        left.append((p * (1 - p)).sum())
    p = ndtr((gp.mean - LEVEL) / np.maximum(gp.std, 1e-9))
    assert score == pytest.approx((p * (1 - p)).sum() - np.mean(left), rel=0.1)


def test_pixels_on_their_way_count_and_are_not_chosen():
    gp, _ = process()
    first, _ = choose_for_level(gp, LEVEL, 5, NOTHING)
    rest, _ = choose_for_level(gp, LEVEL, 3, first[:2], 2)
    np.testing.assert_array_equal(rest, first[2:])
    uncounted, _ = choose_for_level(gp, LEVEL, 1, first[:1], 0)
    assert np.abs(uncounted[0] - first[0]).max() <= REACH  # as nothing is known there yet


def test_as_many_as_are_left_are_chosen():
    gp, pixels = process(200)
    assert len(pixels) == 200
    chosen, scores = choose_for_level(gp, LEVEL, 20, NOTHING)
    assert len(np.unique(np.concatenate([pixels, chosen]), axis=0)) == 210 == 200 + len(scores)


def test_of_a_large_raster_one_pixel_of_each_square_is_judged():
    gp = RasterGP((130, 150), GPHyperparameters(1.0, (10.0, 10.0)), local_scale=False)
    pixels = halton_pixels(gp.shape, 400, 0)
    gp.update(pixels, np.sin(pixels[:, 0] / 9.0) + np.cos(pixels[:, 1] / 7.0))
    chosen, _ = choose_for_level(gp, 0.5, 30, NOTHING)
    assert len(np.unique(chosen, axis=0)) == 30
    assert np.abs(gp.mean[tuple(chosen.T)] - 0.5).max() < 2 * gp.std[tuple(chosen.T)].max()
