"""SLADS-Net as a sampler: what it chooses, and what it must not choose."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.agent import Choice, Request, Sampler, SladsNet
from skysteer.models import (
    SladsNetwork,
    SparseScan,
    inverse_distance,
    nrmse,
    reconstruct,
    rescaled,
    save_slads_net,
    slads_features,
)

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "slads-net-reference.npz"
SAMPLER = SladsNet()
NOTHING = np.empty((0, 2), dtype=np.int64)


def scan_of(truth: np.ndarray, pixels: np.ndarray) -> SparseScan:
    return SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])


def some_pixels(shape, count: int, seed: int = 0) -> np.ndarray:
    flat = np.random.default_rng(seed).choice(np.prod(shape), size=count, replace=False)
    return np.column_stack(np.unravel_index(flat, shape))


def flat_map(shape) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.where((rows - shape[0] / 2) ** 2 + columns**2 < 150, 80.0, 3.0) + columns


def choose(scan: SparseScan, num: int = 10, pending: np.ndarray = NOTHING) -> Choice:
    return SAMPLER.choose(Request(scan=scan, pending=pending, num=num))


def test_it_is_a_sampler_described_by_json():
    assert isinstance(SAMPLER, Sampler)
    assert SladsNet(**json.loads(json.dumps({"weights": None}))).weights is None
    assert SladsNet.start == 0.01


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    measured=st.integers(1, 140),
    waiting=st.integers(0, 40),
    num=st.integers(1, 60),
)
def test_it_chooses_new_pixels_as_many_as_asked_for_or_as_are_left(seed, measured, waiting, num):
    truth = np.random.default_rng(seed).poisson(20, size=(15, 12)).astype(float)
    pixels = some_pixels(truth.shape, measured + waiting, seed)
    scan, pending = scan_of(truth, pixels[:measured]), pixels[measured:]
    choice = choose(scan, num, pending)
    assert len(choice.pixels) == min(num, truth.size - measured - waiting)
    chosen = {tuple(pixel) for pixel in choice.pixels.tolist()}
    assert len(chosen) == len(choice.pixels)
    assert not chosen & {tuple(pixel) for pixel in pixels.tolist()}
    assert (np.diff(choice.scores.astype(np.float32)) <= 0).all()
    assert (choice.scores >= 0).all()


def test_it_chooses_the_best_of_all_pixels():
    truth = flat_map((40, 30))
    scan = scan_of(truth, some_pixels(truth.shape, 60))
    made = reconstruct(rescaled(scan))
    expected = SladsNet()._network.expected_reduction(slads_features(made))
    choice = choose(scan, 50)
    np.testing.assert_allclose(choice.scores, np.sort(expected)[::-1][:50])
    row_of = {tuple(pixel): row for row, pixel in enumerate(made.pixels.tolist())}
    rows = [row_of[tuple(pixel)] for pixel in choice.pixels.tolist()]
    np.testing.assert_array_equal(expected[rows], choice.scores)


def test_equal_scores_go_by_row_then_column(tmp_path):
    network = SladsNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    save_slads_net(network, tmp_path / "flat.safetensors")
    scan = scan_of(np.ones((4, 5)), np.array([[0, 1], [2, 2]]))
    sampler = SladsNet(str(tmp_path / "flat.safetensors"))
    choice = sampler.choose(Request(scan=scan, pending=NOTHING, num=5))
    assert choice.pixels.tolist() == [[0, 0], [0, 2], [0, 3], [0, 4], [1, 0]]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_request_gives_the_same_choice(threads):
    truth = flat_map((50, 40))
    pixels = some_pixels(truth.shape, 100)
    first = choose(scan_of(truth, pixels), 30, np.array([[3, 3]]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        again = SladsNet().choose(
            Request(scan=scan_of(truth, pixels[::-1]), pending=np.array([[3, 3]]), num=30)
        )
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(first.pixels, again.pixels)


@pytest.mark.parametrize(("factor", "offset"), [(1e6, 0.0), (1e-9, 0.0), (0.37, -12.0)])
def test_the_units_of_the_values_do_not_change_the_choice(factor, offset):
    truth = flat_map((40, 30))
    pixels = some_pixels(truth.shape, 80)
    plain = choose(scan_of(truth, pixels), 40)
    scaled = choose(scan_of(truth * factor + offset, pixels), 40)
    np.testing.assert_array_equal(plain.pixels, scaled.pixels)


def test_pending_pixels_count_as_measured_with_the_value_of_the_map():
    truth = flat_map((40, 30))
    pixels = some_pixels(truth.shape, 90)
    scan, pending = scan_of(truth, pixels[:60]), pixels[60:]
    pretended = inverse_distance(scan)
    pretended[tuple(scan.pixels.T)] = scan.values
    expected = choose(scan_of(pretended, pixels), 40)
    choice = choose(scan, 40, pending)
    np.testing.assert_array_equal(choice.pixels, expected.pixels)
    assert choice.pixels.tolist() != choose(scan, 40).pixels.tolist()


def test_a_pending_pixel_that_has_been_measured_meanwhile_changes_nothing():
    truth = flat_map((20, 20))
    pixels = some_pixels(truth.shape, 30)
    scan = scan_of(truth, pixels)
    np.testing.assert_array_equal(choose(scan, 9, pixels[:5]).pixels, choose(scan, 9).pixels)


def test_the_last_pixel_is_found():
    truth = flat_map((6, 7))
    everything = np.argwhere(np.isfinite(truth))
    choice = choose(scan_of(truth, np.delete(everything, 17, axis=0)), 5)
    np.testing.assert_array_equal(choice.pixels, everything[17:18])
    assert choose(scan_of(truth, everything), 5).pixels.shape == (0, 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (9, 9)])
def test_a_constant_image_and_a_single_point_are_no_trouble(shape):
    scan = scan_of(np.full(shape, 7.0), np.array([[0, 0]]))
    choice = choose(scan, 4)
    assert len(choice.pixels) == min(4, shape[0] * shape[1] - 1)
    assert np.isfinite(choice.scores).all()


def test_a_scan_without_points_is_refused():
    empty = SparseScan.of((5, 5), NOTHING, [])
    with pytest.raises(ValueError, match="at least 1 measured pixel"):
        choose(empty)


def test_missing_weights_are_refused_when_it_is_made():
    with pytest.raises(FileNotFoundError, match="no SLADS-Net weights"):
        SladsNet(weights="/nowhere/none.safetensors")


def error_after(truth: np.ndarray, pixels: np.ndarray, points: int) -> float:
    """NRMSE once the sampler has gone on to so many points."""
    while len(pixels) < points:
        num = min(50, points - len(pixels))
        pixels = np.concatenate([pixels, choose(scan_of(truth, pixels), num).pixels])
    return nrmse(truth, inverse_distance(scan_of(truth, pixels)))


def test_it_beats_uniform_points_on_a_disc():
    rows, columns = np.indices((64, 64))
    truth = np.where((rows - 26) ** 2 + (columns - 38) ** 2 < 164, 80.0, 3.0) + rows / 10
    uniform = scan_of(truth, some_pixels(truth.shape, 490, seed=1))
    error = error_after(truth, some_pixels(truth.shape, 80), 490)
    assert error < 0.7 * nrmse(truth, inverse_distance(uniform))


@pytest.mark.skipif(not REFERENCE.exists(), reason="FAST's own figures are not at hand")
@pytest.mark.parametrize(("name", "fast"), [("coins", 0.253), ("moon", 0.053)])
def test_it_reaches_fast_s_error_at_2_percent(name, fast):
    # Later coverages take minutes: benchmarks/slads_net_fidelity.py.
    with np.load(REFERENCE, allow_pickle=False) as data:
        truth, start = data[f"{name}/image"].astype(float), data[f"{name}/start/measured"]
    assert error_after(truth, start.astype(int), 1311) == pytest.approx(fast, rel=0.1)
