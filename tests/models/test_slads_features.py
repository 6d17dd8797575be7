"""The six features and the training target, against slow and plain definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.models import (
    SparseScan,
    reconstruct,
    reduction_in_distortion,
    rescaled,
    slads_features,
)


def scan_of(truth: np.ndarray, measured: int, seed: int = 0) -> SparseScan:
    flat = np.random.default_rng(seed).choice(truth.size, size=measured, replace=False)
    pixels = np.column_stack(np.unravel_index(flat, truth.shape))
    return SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])


def plain_features(scan: SparseScan, image: np.ndarray, row: int, column: int) -> list[float]:
    near = sorted(
        (math.dist(pixel, (row, column)), *pixel, value)
        for pixel, value in zip(scan.pixels.tolist(), scan.values.tolist(), strict=True)
    )[:10]
    weights = np.array([distance**-2 for distance, *_ in near])
    gaps = np.array([abs(value - image[row, column]) for *_, value in near])
    circle = math.ceil(math.sqrt(0.25 / 100 * image.size / math.pi))
    inside = sum(distance <= circle for distance, *_ in near)
    return [
        float(weights @ gaps / weights.sum()),
        math.sqrt(sum(gaps**2)),
        near[0][0],
        (1 + math.pi * circle**2) / (1 + inside),
        abs(np.gradient(image, axis=1)[row, column]),
        abs(np.gradient(image, axis=0)[row, column]),
    ]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), measured=st.integers(1, 219))
def test_features_are_the_plain_ones(seed, measured):
    truth = np.random.default_rng(seed).uniform(0, 100, size=(11, 20))
    made = reconstruct(scan_of(truth, measured, seed))
    plain = [plain_features(made.scan, made.image, *pixel) for pixel in made.pixels]
    np.testing.assert_allclose(slads_features(made), plain, rtol=1e-9, atol=1e-9)


def plain_reduction(error: np.ndarray, row: int, column: int, sigma: float) -> float:
    reach = math.ceil(3 * sigma)
    total = 0.0
    for r in range(max(0, row - reach), min(error.shape[0], row + reach + 1)):
        for c in range(max(0, column - reach), min(error.shape[1], column + reach + 1)):
            squared = (r - row) ** 2 + (c - column) ** 2
            total += error[r, c] * math.exp(-squared / (2 * sigma**2))
    return total


@pytest.mark.parametrize("measured", [1, 7, 150])
@pytest.mark.parametrize("c", [2.0, 8.0])
def test_the_target_is_the_plain_one(measured, c):
    truth = np.random.default_rng(4).uniform(0, 100, size=(15, 12))
    made = reconstruct(scan_of(truth, measured))
    error = np.abs(truth - made.image)
    distances = made.neighbours.distances[:, 0]
    plain = [
        plain_reduction(error, row, column, distance / c)
        for (row, column), distance in zip(made.pixels, distances, strict=True)
    ]
    np.testing.assert_allclose(reduction_in_distortion(made, truth, c=c), plain, rtol=1e-9)


def test_a_perfect_map_has_nothing_left_to_mend():
    made = reconstruct(scan_of(np.random.default_rng(0).normal(size=(9, 8)), 5))
    assert not reduction_in_distortion(made, made.image).any()


def test_another_image_is_refused():
    made = reconstruct(scan_of(np.zeros((9, 8)), 5))
    with pytest.raises(ValueError, match=r"the map is \(9, 8\), but the image \(8, 9\)"):
        reduction_in_distortion(made, np.zeros((8, 9)))


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (1, 2)])
def test_a_line_has_no_gradient_across(shape):
    truth = np.arange(float(np.prod(shape))).reshape(shape)
    features = slads_features(reconstruct(scan_of(truth, 1)))
    assert np.isfinite(features).all()
    assert not features[:, 5 if shape[0] == 1 else 4].any()


def test_nothing_left_to_measure_gives_no_features():
    made = reconstruct(scan_of(np.ones((4, 4)), 16))
    assert slads_features(made).shape == (0, 6)
    assert reduction_in_distortion(made, np.ones((4, 4))).shape == (0,)


def test_values_too_near_to_tell_apart_count_as_equal():
    scaled = rescaled(SparseScan.of((1, 2), [(0, 0), (0, 1)], [0.0, 5e-324])).values
    np.testing.assert_array_equal(scaled, 0)


@given(
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        min_size=1,
        max_size=9,
    ),
)
def test_rescaled_values_span_0_to_100_whatever_their_size(values):
    pixels = [(0, column) for column in range(len(values))]
    scaled = rescaled(SparseScan.of((1, 9), pixels, values)).values
    assert np.isfinite(scaled).all()
    if min(values) == max(values):
        assert not scaled.any()
    else:
        assert scaled.min() == 0
        assert scaled.max() == pytest.approx(100)
        assert (np.diff(scaled[np.argsort(values)]) >= 0).all()
