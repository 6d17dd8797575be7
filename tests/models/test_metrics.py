"""The metrics: scikit-image's where it has them, and a defined answer where it has none."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from skysteer.models import nrmse, psnr, ssim

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(5, 60, size=(20, 31))
MAP = TRUTH + RNG.normal(size=TRUTH.shape)
CONSTANT = np.full((9, 9), 4.0)


def test_nrmse_is_the_ratio_of_norms():
    assert nrmse(TRUTH, MAP) == pytest.approx(np.linalg.norm(TRUTH - MAP) / np.linalg.norm(TRUTH))


def test_ssim_and_psnr_take_the_truth_s_range():
    span = TRUTH.max() - TRUTH.min()
    assert ssim(TRUTH, MAP) == structural_similarity(TRUTH, MAP, data_range=span)
    assert psnr(TRUTH, MAP) == peak_signal_noise_ratio(TRUTH, MAP, data_range=span)
    assert psnr(TRUTH, MAP) == pytest.approx(20 * math.log10(span / np.std(TRUTH - MAP)), abs=0.1)


def test_a_perfect_map_is_perfect():
    for truth in (TRUTH, CONSTANT, np.zeros((8, 8))):
        assert (nrmse(truth, truth), ssim(truth, truth)) == (0, 1)
        assert psnr(truth, truth) == math.inf


def test_a_constant_truth_has_defined_figures():
    assert nrmse(CONSTANT, CONSTANT + 1) == 0.25
    assert ssim(CONSTANT, CONSTANT + 1) == 0
    assert psnr(CONSTANT, CONSTANT + 1) == -math.inf
    assert nrmse(np.zeros((8, 8)), np.ones((8, 8))) == math.inf


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_one_last_bit_off_a_constant_truth_is_perfect_and_a_millionth_is_not(scale):
    truth = scale * CONSTANT
    rounded, wrong = np.nextafter(truth, np.inf), truth * (1 + 1e-6)
    assert (ssim(truth, rounded), psnr(truth, rounded)) == (1, math.inf)
    assert (ssim(truth, wrong), psnr(truth, wrong)) == (0, -math.inf)


@pytest.mark.parametrize("shape", [(3, 3), (4, 50), (6, 6)])
def test_ssim_shrinks_its_window_to_a_small_image(shape):
    small = TRUTH[: shape[0], :1] + np.zeros(shape) + np.arange(shape[1])
    assert ssim(small, small) == pytest.approx(1)
    assert ssim(small, small[::-1, ::-1]) < 1


def test_ssim_of_a_line_is_not_a_number():
    assert math.isnan(ssim(TRUTH[:2], MAP[:2]))


def test_integers_are_no_trouble():
    assert nrmse(np.array([[0, 200]], np.uint8), np.array([[200, 0]], np.uint8)) > 1


@pytest.mark.parametrize("metric", [nrmse, ssim, psnr])
def test_images_of_two_shapes_are_refused(metric):
    with pytest.raises(ValueError, match=r"the truth is \(20, 31\), but the map \(31, 20\)"):
        metric(TRUTH, MAP.T)
    with pytest.raises(ValueError, match="with pixels"):
        metric(np.empty((0, 4)), np.empty((0, 4)))
