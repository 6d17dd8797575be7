"""The inverse-distance map, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.models import SparseScan, inverse_distance, nearest_measured, reconstruct


def some_scan(seed: int, shape=(13, 17), measured=30) -> SparseScan:
    rng = np.random.default_rng(seed)
    flat = rng.choice(shape[0] * shape[1], size=measured, replace=False)
    pixels = np.column_stack(np.unravel_index(flat, shape))
    return SparseScan.of(shape, pixels, rng.normal(5, 20, size=measured))


def brute_force(scan: SparseScan, neighbours: int, power: float) -> np.ndarray:
    image = np.empty(scan.shape)
    for row in range(scan.shape[0]):
        for column in range(scan.shape[1]):
            ranked = sorted(
                ((r - row) ** 2 + (c - column) ** 2, r, c, v)
                for (r, c), v in zip(scan.pixels.tolist(), scan.values.tolist(), strict=True)
            )[:neighbours]
            if ranked[0][0] == 0:
                image[row, column] = ranked[0][3]
                continue
            weights = [d2 ** (-power / 2) for d2, *_ in ranked]
            values = [v for *_, v in ranked]
            image[row, column] = np.dot(weights, values) / sum(weights)
    return image


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    measured=st.integers(1, 13 * 17),
    neighbours=st.integers(1, 12),
    power=st.sampled_from([1.0, 2.0, 3.5]),
)
def test_the_map_is_the_one_that_brute_force_makes(seed, measured, neighbours, power):
    scan = some_scan(seed, measured=measured)
    np.testing.assert_allclose(
        inverse_distance(scan, neighbours=neighbours, power=power),
        brute_force(scan, neighbours, power),
        rtol=1e-10,
        atol=1e-10,
    )


def test_ties_are_broken_by_row_and_column_however_many_there_are():
    rows, columns = np.mgrid[:21, :21]
    squared = (rows - 10) ** 2 + (columns - 10) ** 2
    ring = np.argwhere(squared == 25)  # twelve pixels equally far from the centre
    scan = SparseScan.of((21, 21), ring, np.arange(12.0))
    for count in range(1, 12):
        nearest = nearest_measured(scan, np.array([[10, 10]]), neighbours=count)
        np.testing.assert_array_equal(scan.pixels[nearest.indices[0]], ring[:count])
        np.testing.assert_array_equal(nearest.distances[0], 5.0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), measured=st.integers(1, 221))
def test_the_map_does_not_depend_on_the_order_measured(seed, measured):
    scan = some_scan(seed, measured=measured)
    order = np.random.default_rng(seed).permutation(measured)
    shuffled = SparseScan.of(scan.shape, scan.pixels[order], scan.values[order])
    np.testing.assert_array_equal(inverse_distance(scan), inverse_distance(shuffled))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), measured=st.integers(1, 221))
def test_the_map_keeps_measured_values_and_stays_within_them(seed, measured):
    scan = some_scan(seed, measured=measured)
    image = inverse_distance(scan)
    np.testing.assert_array_equal(image[scan.pixels[:, 0], scan.pixels[:, 1]], scan.values)
    assert image.min() >= scan.values.min() - 1e-9
    assert image.max() <= scan.values.max() + 1e-9


def test_a_linear_change_of_the_values_changes_the_map_likewise():
    scan = some_scan(3)
    changed = SparseScan.of(scan.shape, scan.pixels, -4 * scan.values + 7)
    np.testing.assert_allclose(inverse_distance(changed), -4 * inverse_distance(scan) + 7)


def test_one_point_gives_a_constant_map():
    scan = SparseScan.of((4, 5), [(2, 3)], [-1.5])
    np.testing.assert_array_equal(inverse_distance(scan), np.full((4, 5), -1.5))


def test_a_fully_measured_raster_is_returned_as_it_is():
    truth = np.random.default_rng(0).normal(size=(6, 4))
    pixels = np.argwhere(np.isfinite(truth))
    scan = SparseScan.of((6, 4), pixels, truth.ravel())
    reconstruction = reconstruct(scan)
    np.testing.assert_array_equal(reconstruction.image, truth)
    assert len(reconstruction.pixels) == 0
    assert len(reconstruction.neighbours.indices) == 0


def test_a_measured_pixel_takes_all_the_weight_of_its_own_estimate():
    scan = some_scan(5)
    nearest = nearest_measured(scan, scan.pixels)
    np.testing.assert_array_equal(nearest.mean_of(scan.values), scan.values)


def test_nothing_measured_is_refused_with_what_to_do():
    empty = SparseScan.of((4, 5), np.empty((0, 2), int), [])
    with pytest.raises(ValueError, match="at least 1 measured pixel"):
        inverse_distance(empty)


def test_no_neighbours_are_refused():
    with pytest.raises(ValueError, match="neighbours must be 1 or more, but 0 came"):
        inverse_distance(some_scan(0), neighbours=0)
