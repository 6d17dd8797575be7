"""The network, against scikit-learn with the same parameters, and its file."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.kernel_approximation import RBFSampler
from sklearn.neural_network import MLPRegressor

from skysteer.models import SladsNetwork, load_slads_net, save_slads_net


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 200, size=(500, 6))


def scikit_learn(network: SladsNetwork) -> MLPRegressor:
    layers = [layer for layer in network.perceptron if isinstance(layer, torch.nn.Linear)]
    regressor = MLPRegressor(hidden_layer_sizes=(50, 5), max_iter=1)
    with pytest.warns(match="Maximum iterations"):
        regressor.fit(np.zeros((10, 50)), np.arange(10.0))
    regressor.coefs_ = [layer.weight.detach().numpy().T for layer in layers]
    regressor.intercepts_ = [layer.bias.detach().numpy() for layer in layers]
    return regressor


def test_the_fourier_map_is_the_one_that_fast_draws(features):
    fast = RBFSampler(gamma=0.01, n_components=50, random_state=1).fit_transform(features)
    ours = SladsNetwork().fourier(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(ours, fast, atol=1e-12)


def test_the_network_foretells_what_scikit_learn_would(features):
    network = load_slads_net()
    components = network.fourier(torch.from_numpy(features)).numpy()
    theirs = scikit_learn(network).predict(components)
    np.testing.assert_allclose(network(torch.from_numpy(features)).detach(), theirs, rtol=1e-9)
    np.testing.assert_allclose(
        network.expected_reduction(features), np.maximum(theirs, 0), rtol=1e-9
    )


def test_expectations_are_never_negative(features):
    network = SladsNetwork()
    with torch.no_grad():
        network.perceptron[-1].bias.fill_(-1e6)
    assert not network.expected_reduction(features).any()


def test_no_pixels_have_no_expectations():
    assert load_slads_net().expected_reduction(np.empty((0, 6))).shape == (0,)


def test_weights_survive_the_file(tmp_path, features):
    network = load_slads_net()
    path = tmp_path / "copy.safetensors"
    assert len(save_slads_net(network, path)) == 64
    np.testing.assert_array_equal(
        load_slads_net(path).expected_reduction(features), network.expected_reduction(features)
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no SLADS-Net weights at .*none\.safetensors"):
        load_slads_net(tmp_path / "none.safetensors")


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "text.safetensors"
    path.write_text("not weights")
    with pytest.raises(ValueError, match=r"text\.safetensors holds no SLADS-Net weights"):
        load_slads_net(path)


def test_another_network_s_weights_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_slads_net(SladsNetwork(), path)
    tensors = load_file(path)
    tensors["perceptron.0.weight"] = tensors["perceptron.0.weight"][:, :40]
    save_file(tensors, path)
    with pytest.raises(ValueError, match="size mismatch"):
        load_slads_net(path)


def test_weights_of_nan_are_refused(tmp_path):
    path = tmp_path / "nan.safetensors"
    network = SladsNetwork()
    with torch.no_grad():
        network.perceptron[0].weight[0, 0] = float("nan")
    save_slads_net(network, path)
    with pytest.raises(ValueError, match="not finite"):
        load_slads_net(path)
