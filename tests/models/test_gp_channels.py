"""One choice for several processes, against exact conditioning of them all."""

import numpy as np
import pytest

from skysteer.models import GPChannels, GPHyperparameters, SparseScan, TestedGP

SHAPE = (18, 18)
KINDS = (GPHyperparameters(4.0, (6.0, 9.0), 0.04), GPHyperparameters(0.5, (15.0, 4.0), 0.2))


def some_pixels(num, seed=1):
    flat = np.random.default_rng(seed).permutation(SHAPE[0] * SHAPE[1])[:num]
    return np.column_stack(np.divmod(flat, SHAPE[1]))


def variances(h, pixels):
    """(M, N) exact variances of all pixels, given these."""
    every = np.argwhere(np.ones(SHAPE))

    def covariance(one, other):
        apart = np.abs(one[:, None] - other[None])
        same = (apart == 0).all(axis=-1)
        return h.variance * h.correlation(SHAPE)[apart[..., 0], apart[..., 1]] + h.floor * same

    cross = covariance(pixels, every)
    explained = (cross * np.linalg.solve(covariance(pixels, pixels), cross)).sum(axis=0)
    return (h.variance + h.floor - explained).reshape(SHAPE)


def learnt(pixels, values, kinds=KINDS):
    processes = [TestedGP(SHAPE, h, local_scale=False) for h in kinds]
    for process, each in zip(processes, values, strict=True):
        process.update(pixels, each)
    return GPChannels.of(SparseScan(SHAPE, pixels, values[0], tuple(values[1:])), processes)


def test_a_batch_is_the_one_that_exact_conditioning_of_every_channel_chooses():
    pixels = some_pixels(16)
    values = 10.0 * np.random.default_rng(2).random((2, 16)) * [[1.0], [0.3]]
    spreads = values.std(axis=1)
    chosen, scores = learnt(pixels, values).choose(8, pixels[:0])
    for pixel, score in zip(chosen, scores, strict=True):
        exact = sum(variances(h, pixels) / s**2 for h, s in zip(KINDS, spreads, strict=True))
        assert exact[tuple(pixel)] == pytest.approx(exact.max(), rel=1e-6)
        assert score == pytest.approx(np.sqrt(exact.max()), rel=1e-6)
        pixels = np.vstack([pixels, pixel])


def test_the_deviation_is_that_of_all_shares():
    pixels = some_pixels(16)
    values = np.random.default_rng(2).random((2, 16))
    found = learnt(pixels, values)
    exact = sum(variances(h, pixels) / v.var() for h, v in zip(KINDS, values, strict=True))
    free = np.ones(SHAPE, dtype=bool)
    free[tuple(pixels.T)] = False
    np.testing.assert_allclose(found.std[free], np.sqrt(exact[free]), rtol=1e-6)


@pytest.mark.parametrize("constant", [0, 1])
def test_a_channel_that_does_not_vary_is_not_heard(constant):
    pixels = some_pixels(16)
    values = np.random.default_rng(2).random((2, 16))
    values[constant] = 3.0
    both = learnt(pixels, values)
    alone = learnt(pixels, values[[1 - constant]], KINDS[1 - constant :][:1])
    assert both.heard == (1 - constant,)
    np.testing.assert_array_equal(both.choose(6, pixels[:0])[0], alone.choose(6, pixels[:0])[0])


def test_where_none_varies_the_first_is_heard():
    pixels = some_pixels(16)
    assert learnt(pixels, np.zeros((2, 16))).heard == (0,)
