"""The Gaussian process as an agent: where it looks, and that a batch is spread."""

import numpy as np
import pytest

from skysteer.agent import GaussianProcess, Request, halton_pixels
from skysteer.models import GPHyperparameters, RasterGP, SparseScan

NOTHING = np.empty((0, 2), dtype=np.int64)


def request(image, pixels, num=1, pending=NOTHING):
    scan = SparseScan.of(image.shape, pixels, image[pixels[:, 0], pixels[:, 1]])
    return Request(scan, pending, num)


def variances(h, shape, pixels):
    """(M, N) exact variances of all pixels, given these."""
    every = np.argwhere(np.ones(shape))

    def covariance(one, other):
        apart = np.abs(one[:, None] - other[None])
        same = (apart == 0).all(axis=-1)
        return h.variance * h.correlation(shape)[apart[..., 0], apart[..., 1]] + h.floor * same

    cross = covariance(pixels, every)
    explained = (cross * np.linalg.solve(covariance(pixels, pixels), cross)).sum(axis=0)
    return (h.variance + h.floor - explained).reshape(shape)


def test_a_batch_is_the_one_that_exact_conditioning_one_by_one_chooses():
    shape = (18, 18)
    h = GPHyperparameters(1.0, (6.0, 9.0), 0.01)
    pixels = halton_pixels(shape, 12, 0)
    gp = RasterGP(shape, h, local_scale=False)
    gp.update(pixels, np.zeros(12))
    chosen, scores = gp.choose(8, pixels[:0])
    for pixel, score in zip(chosen, scores, strict=True):
        exact = variances(h, shape, pixels)
        assert exact[tuple(pixel)] == pytest.approx(exact.max(), rel=1e-6)
        assert score == pytest.approx(np.sqrt(exact.max()), rel=1e-6)
        pixels = np.vstack([pixels, pixel])


def test_pixels_on_their_way_count_as_measured():
    shape = (18, 18)
    h = GPHyperparameters(1.0, (6.0, 6.0), 0.01)
    pixels = halton_pixels(shape, 20, 0)
    ahead, behind = RasterGP(shape, h, local_scale=False), RasterGP(shape, h, local_scale=False)
    ahead.update(pixels[:14], np.zeros(14))
    behind.update(pixels, np.zeros(20))
    one, _ = ahead.choose(5, pixels[14:], 6)
    other, _ = behind.choose(5, pixels[:0])
    np.testing.assert_array_equal(one, other)


def test_it_measures_where_the_image_is_rough():
    image = np.zeros((60, 60))
    image[:, 30:] = np.random.default_rng(0).random((60, 30))
    pixels = halton_pixels(image.shape, 60, 1)
    agent = GaussianProcess()
    for _ in range(12):
        chosen = agent.choose(request(image, pixels, 15)).pixels
        pixels = np.concatenate([pixels, chosen])
    assert (pixels[60:, 1] >= 28).mean() > 0.65  # half of the raster


def test_a_rewound_reading_is_learnt_anew():
    image = np.random.default_rng(3).random((20, 20)).cumsum(axis=1)
    pixels = halton_pixels(image.shape, 50, 0)
    agent = GaussianProcess()
    agent.choose(request(image, pixels, 5))
    image[tuple(pixels[10])] += 5.0
    choice, fresh = (a.choose(request(image, pixels, 5)) for a in (agent, GaussianProcess()))
    np.testing.assert_array_equal(choice.pixels, fresh.pixels)
    np.testing.assert_array_equal(choice.scores, fresh.scores)


def test_its_own_map_is_that_of_the_process():
    image = np.random.default_rng(5).poisson(40.0, (24, 24)).astype(float)
    pixels = halton_pixels(image.shape, 200, 0)
    scan = request(image, pixels).scan
    noisy, plain = GaussianProcess(counts_per_unit=1.0), GaussianProcess()
    np.testing.assert_array_equal(noisy.reconstruct(scan), noisy.surrogate(scan).mean)
    error = [np.sqrt(((a.reconstruct(scan) - 40.0) ** 2).mean()) for a in (noisy, plain)]
    assert error[0] < 0.7 * error[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts_per_unit": 0}, "counts_per_unit must be above 0"),
        ({"power": 1.5}, "power must lie between 0 and 1"),
        ({"power": True}, "power must lie between 0 and 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianProcess(**options)
