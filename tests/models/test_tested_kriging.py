"""A kriged map to which each reading is a test: of the map that did not know it, whenever asked."""

from itertools import pairwise

import numpy as np
import pytest

from skysteer.models import SparseScan, kriged, noise_aware
from skysteer.models.forward_log import LATEST, block_end
from skysteer.models.tested_kriging import TestedKriging
from skysteer.simulators import generate

SHAPE = (48, 48)


def a_scan(num=300, seed=3):
    image = generate("cells", SHAPE, 1_000_500, peak_rate=80.0).rates[0]
    flat = np.random.default_rng(seed).permutation(image.size)[:num]
    pixels = np.column_stack(np.divmod(flat, SHAPE[1]))
    counts = np.random.default_rng(seed).poisson(image)[tuple(pixels.T)]
    return SparseScan(SHAPE, pixels, counts.astype(np.float64))


def blocks(num):
    bounds = [block_end(0)]
    while block_end(bounds[-1]) <= num:
        bounds.append(block_end(bounds[-1]))
    return list(pairwise(bounds))


@pytest.mark.parametrize("counts", [None, 1.0])
def test_a_test_is_what_a_map_without_the_reading_was_off(counts):
    scan = a_scan()
    tested = TestedKriging(counts)
    tested.update(scan)
    errors, squares = tested.tests()
    off, expected = [], []
    for known, end in blocks(300):
        part, where = scan.first(known), tuple(scan.pixels[known:end].T)
        made = kriged(part) if counts is None else noise_aware(part, counts_per_unit=counts)
        off.append(scan.values[known:end] - made.image[where])
        expected.append(made.sigma[where] ** 2)
    np.testing.assert_allclose(errors, np.concatenate(off), atol=1e-9)
    np.testing.assert_allclose(squares, np.concatenate(expected), rtol=1e-9)


def test_how_readings_came_in_batches_changes_nothing():
    scan, often, once = a_scan(), TestedKriging(), TestedKriging()
    for num in (*range(1, 300, 11), 300):
        often.update(scan.first(num))
        often.tests()
    once.update(scan)
    for one, other in zip(once.tests(), often.tests(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_scan_that_begins_otherwise_is_tested_anew():
    tested, fresh, other = TestedKriging(), TestedKriging(), a_scan(seed=4)
    tested.update(a_scan())
    tested.tests()
    tested.update(other)
    fresh.update(other)
    np.testing.assert_array_equal(tested.tests()[0], fresh.tests()[0])


def test_only_the_latest_tests_are_made():
    rng = np.random.default_rng(0)
    flat = rng.permutation(100 * 100)[:4000]
    scan = SparseScan(
        (100, 100), np.column_stack(np.divmod(flat, 100)), rng.standard_normal(len(flat))
    )
    tested = TestedKriging()
    tested.update(scan)
    assert len(tested.tests()[0]) == LATEST
    assert min(tested._blocks) > 4000 - 2 * LATEST


def test_nothing_measured_and_little_give_no_test():
    tested = TestedKriging()
    assert len(tested.tests()[0]) == 0
    tested.update(a_scan(10))
    assert len(tested.tests()[0]) == 0
