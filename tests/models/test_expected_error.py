"""The expected error against the true one."""

import numpy as np
import pytest
import skimage.data
from skimage.metrics import normalized_root_mse
from skimage.transform import resize

from skysteer.agent import halton_pixels
from skysteer.models import SparseScan, expected_nrmse, inverse_distance


def picture(name):
    return resize(
        getattr(skimage.data, name)()[:300, :300].astype(float), (96, 96), anti_aliasing=True
    )


def scan_of(truth, share):
    pixels = halton_pixels(truth.shape, round(share * truth.size), seed=2)
    return SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])


@pytest.mark.parametrize("name", ["coins", "moon", "brick", "gravel"])
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_the_expected_error_is_near_the_true_one(name, share):
    truth = picture(name)
    scan = scan_of(truth, share)
    true = normalized_root_mse(truth, inverse_distance(scan))
    assert expected_nrmse(scan) == pytest.approx(true, rel=0.4)


def test_the_expected_error_knows_no_unit_of_the_values():
    scan = scan_of(picture("coins"), 0.1)
    scaled = SparseScan.of(scan.shape, scan.pixels, 1e6 * scan.values)
    assert expected_nrmse(scaled) == pytest.approx(expected_nrmse(scan), rel=1e-9)


def test_a_constant_map_is_expected_to_be_right():
    scan = scan_of(np.full((30, 40), 7.0), 0.1)
    assert expected_nrmse(scan) == pytest.approx(0.0, abs=1e-7)


def test_nothing_is_said_of_two_points_or_of_darkness():
    assert np.isnan(expected_nrmse(SparseScan.of((5, 5), [(0, 0), (1, 1)], [1.0, 2.0])))
    assert np.isnan(expected_nrmse(scan_of(np.zeros((20, 20)), 0.1)))


def test_a_map_that_is_fully_measured_has_no_error():
    truth = np.arange(12.0).reshape(3, 4)
    scan = SparseScan.of((3, 4), np.argwhere(truth >= 0), truth.ravel())
    assert expected_nrmse(scan) == 0.0
