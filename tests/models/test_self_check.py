"""How far a scan's errors are trusted: wholly where structure has borders, not in a texture."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from skysteer.agent import halton_pixels
from skysteer.models import ErrorMap, SparseScan
from skysteer.models.self_check import self_check
from skysteer.rehearsal.sampler_images import specimen

SHAPE = (128, 128)


def halton_scan(truth, share=0.10):
    pixels = halton_pixels(truth.shape, round(share * truth.size), 0)
    return SparseScan.of(truth.shape, pixels, truth[tuple(pixels.T)])


def texture(seed):
    return gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.0)


@pytest.mark.parametrize("kind", ["flakes", "phases", "fringes"])
def test_errors_are_trusted_where_structure_has_borders(kind):
    assert self_check(halton_scan(specimen(kind, SHAPE, 3))).trust > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_errors_are_hardly_trusted_in_an_even_texture(seed):
    assert self_check(halton_scan(texture(seed))).trust < 0.5


def test_what_cannot_be_told_is_trusted():
    few = SparseScan.of(SHAPE, [(0, k) for k in range(10)], np.arange(10.0) ** 2)
    assert self_check(few).trust == 1.0
    assert self_check(halton_scan(np.full(SHAPE, 7.0))).trust == 1.0


def test_neither_unit_nor_offset_of_whole_numbers_changes_it():
    truth = np.round(100 * specimen("speckle", SHAPE, 3))
    scan = halton_scan(truth)
    maps = [ErrorMap(SHAPE, checked=True) for _ in range(2)]
    for error_map, values in zip(maps, (scan.values, 1024 * (scan.values + 5)), strict=True):
        error_map.update(SparseScan(SHAPE, scan.pixels, values))
    np.testing.assert_array_equal(maps[0].score, maps[1].score)


def test_a_checked_map_spreads_its_points_evenly_over_texture():
    def distance(checked):
        truth = texture(5)
        error_map = ErrorMap(SHAPE, checked=checked)
        pixels = halton_pixels(SHAPE, 160, 0)
        while len(pixels) < 1600:
            error_map.update(SparseScan.of(SHAPE, pixels, truth[tuple(pixels.T)]))
            chosen, _ = error_map.choose(25, np.empty((0, 2), dtype=np.int64))
            pixels = np.concatenate([pixels, chosen])
        error_map.update(SparseScan.of(SHAPE, pixels, truth[tuple(pixels.T)]))
        return error_map.near.mean()

    assert distance(True) < 0.97 * distance(False)
