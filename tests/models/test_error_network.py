"""Weights: what is written is read again, and nothing else is."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save

from skysteer.models import load_error_network, save_error_network
from skysteer.models.error_network import NAMES
from skysteer.models.local_features import ANSWERS, FEATURES


def some_layers(h1=8, h2=4):
    rng = np.random.default_rng(0)
    shapes = [(FEATURES, h1), (h1,), (h1, h2), (h2,), (h2, ANSWERS), (ANSWERS,)]
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def test_weights_survive_the_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    digest = save_error_network(some_layers(), path)
    layers, read = load_error_network(path)
    assert read == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    for one, other in zip(layers, some_layers(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float32


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights at .*nowhere"):
        load_error_network(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"x" * 1000, b"\xff" * 64])
def test_a_file_that_is_no_safetensors_fails_with_one_line(tmp_path, content):
    path = tmp_path / "weights"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no safetensors file") as failure:
        load_error_network(path)
    assert "\n" not in str(failure.value)


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(save({"perceptron.0.weight": np.zeros((3, 3), np.float32)}))
    with pytest.raises(ValueError, match=r"expected first\.weight"):
        load_error_network(path)


@pytest.mark.parametrize(
    "changed",
    [
        {0: np.zeros((3, 8))},
        {1: np.zeros(7)},
        {5: np.zeros(1)},
        {4: np.zeros(4), 5: np.zeros(1)},
        {2: np.zeros((4, 8))},
        {4: np.zeros(())},
    ],
)
def test_layers_that_do_not_fit_are_refused(tmp_path, changed):
    layers = [changed.get(k, layer).astype(np.float32) for k, layer in enumerate(some_layers())]
    path = tmp_path / "weights"
    path.write_bytes(save(dict(zip(NAMES, layers, strict=True))))
    with pytest.raises(ValueError, match="layers of shapes"):
        load_error_network(path)
    with pytest.raises(ValueError, match="layers of shapes"):
        save_error_network(tuple(layers), path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    layers = some_layers()
    layers[3][1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        save_error_network(layers, tmp_path / "weights")
