"""Designs that look at no value: even, exact in number, and prefixes of each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.spatial.distance import pdist
from scipy.stats import chisquare, qmc

from skysteer.agent import (
    RasterSubgrid,
    Request,
    UniformRandom,
    halton_pixels,
    subgrid_pixels,
)
from skysteer.agent.low_discrepancy import scrambled_halton
from skysteer.models import SparseScan

shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))


def discrepancy(pixels: np.ndarray, shape: tuple[int, int]) -> float:
    return float(qmc.discrepancy((pixels + 0.5) / shape))


def request(shape: tuple[int, int], num: int, **changes: object) -> Request:
    nothing = np.empty((0, 2), dtype=np.int64)
    scan = SparseScan(shape, nothing, np.empty(0))
    return Request(**{"scan": scan, "pending": nothing, "num": num, **changes})  # pyright: ignore


@settings(deadline=None)
@given(shape=shapes, seed=st.integers(0, 9), data=st.data())
def test_a_longer_design_starts_as_a_shorter_one(
    shape: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    size = shape[0] * shape[1]
    num = data.draw(st.integers(0, size))
    whole = halton_pixels(shape, size, seed)
    assert_array_equal(halton_pixels(shape, num, seed), whole[:num])
    assert set(map(tuple, whole.tolist())) == set(np.ndindex(shape))


@pytest.mark.parametrize("shape", [(64, 64), (30, 200)])
def test_low_discrepancy_pixels_are_more_even_than_random_ones(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    size = shape[0] * shape[1]
    for num in (30, 100, 400):
        even = [discrepancy(halton_pixels(shape, num, seed), shape) for seed in range(20)]
        random = [
            discrepancy(np.column_stack(np.divmod(rng.choice(size, num, False), shape[1])), shape)
            for _ in range(20)
        ]
        assert np.median(even) < 0.5 * np.median(random)


def test_another_seed_is_another_design() -> None:
    assert halton_pixels((32, 32), 20, 0).tolist() != halton_pixels((32, 32), 20, 1).tolist()


@given(shape=shapes, data=st.data())
def test_a_subgrid_has_exactly_its_points_in_even_rows(
    shape: tuple[int, int], data: st.DataObject
) -> None:
    num = data.draw(st.integers(1, shape[0] * shape[1]))
    pixels = subgrid_pixels(shape, num)
    assert len(set(map(tuple, pixels.tolist()))) == num
    assert ((pixels >= 0) & (pixels < shape)).all()

    rows, counts = np.unique(pixels[:, 0], return_counts=True)
    assert np.ptp(counts) <= 1
    assert np.ptp(np.diff(rows)) <= 1 if len(rows) > 2 else True
    assert abs(rows[0] - (shape[0] - 1 - rows[-1])) <= 1
    for row in rows:
        columns = np.sort(pixels[pixels[:, 0] == row, 1])
        assert np.ptp(np.diff(columns)) <= 1 if len(columns) > 2 else True


def test_a_square_number_of_points_on_a_square_is_a_square_lattice() -> None:
    pixels = subgrid_pixels((40, 40), 100)
    assert np.unique(pixels[:, 0]).tolist() == np.unique(pixels[:, 1]).tolist()
    assert pdist(pixels, "chebyshev").min() == 4


def test_a_full_subgrid_is_driven_as_a_stage_drives_a_raster() -> None:
    assert subgrid_pixels((2, 3), 6).tolist() == [[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]]


def test_a_subgrid_of_no_points_is_empty_for_a_budget_spent_beforehand() -> None:
    assert len(RasterSubgrid().choose(request((4, 4), 2, budget=0)).pixels) == 2


def test_a_raster_that_is_not_told_its_points_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="stop by coverage or points, or give it num"):
        RasterSubgrid().choose(request((4, 4), 2))


@pytest.mark.parametrize("num", [0, -3, 2.5])
def test_a_raster_of_no_whole_number_of_points_is_refused(num: int) -> None:
    with pytest.raises(ValueError, match="whole number of points, 1 or more"):
        RasterSubgrid(num)


def test_a_raster_fills_up_what_its_design_lacks() -> None:
    sampler = RasterSubgrid(num=4)
    pixels = sampler.choose(request((6, 6), 7)).pixels
    assert pixels[:4].tolist() == subgrid_pixels((6, 6), 4).tolist()
    assert len(np.unique(pixels, axis=0)) == 7


def test_random_pixels_favour_none() -> None:
    counts = np.zeros((4, 5))
    for seed in range(2000):
        pixels = UniformRandom().choose(request((4, 5), 3, seed=seed)).pixels
        counts[pixels[:, 0], pixels[:, 1]] += 1
    assert counts.sum() == 6000
    assert chisquare(counts.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("seed", [0, 1, 2**40])
@pytest.mark.parametrize("num", [0, 1, 2, 4000])
def test_the_scrambled_halton_sequence_is_that_of_scipy(num, seed):
    theirs = qmc.Halton(2, scramble=True, rng=np.random.default_rng(seed)).random(num)
    assert_array_equal(scrambled_halton(num, seed), theirs)
