"""Training SLADS-Net, on small images and few masks."""

import hashlib
import json

import numpy as np
import pytest
import torch

from skysteer.models import SladsNetwork, load_slads_net
from skysteer.rehearsal.train_slads import _gradients, camera_image, train, train_slads_net


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return camera_image()[64:128, 64:128]


def test_the_camera_image_spans_0_to_100():
    image = camera_image()
    assert image.shape == (256, 256)
    assert (image.min(), image.max()) == (0, 100)


def test_training_learns_to_foretell(image):
    little = train_slads_net(image, masks=6, epochs=1, seed=3)
    more = train_slads_net(image, masks=6, epochs=30, seed=3)
    assert more.r_squared > 0.3
    assert more.r_squared > little.r_squared


def test_the_same_seed_trains_the_same_network_and_another_seed_another(image):
    first, again, other = (
        train_slads_net(image, masks=2, epochs=2, seed=seed) for seed in (5, 5, 6)
    )
    features = np.random.default_rng(0).uniform(0, 100, size=(50, 6))
    foretold = first.network.expected_reduction(features)
    np.testing.assert_array_equal(foretold, again.network.expected_reduction(features))
    assert first.r_squared == again.r_squared
    assert (foretold != other.network.expected_reduction(features)).any()


def test_gradients_by_hand_are_autograd_s():
    torch.manual_seed(0)
    network = SladsNetwork()
    components, reductions = torch.randn(30, 50).double(), torch.randn(30).double()
    foretold = network.perceptron(components).squeeze(-1)
    (torch.nn.functional.mse_loss(foretold, reductions) / 2).backward()
    parameters = list(network.perceptron.parameters())
    for parameter, by_hand in zip(
        parameters, _gradients(parameters, components, reductions), strict=True
    ):
        torch.testing.assert_close(by_hand, parameter.grad)


def test_train_writes_weights_that_load_and_says_what_they_are(tmp_path, capsys):
    out = tmp_path / "net.safetensors"
    summary = train(out, seed=1, masks=1, epochs=1)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert load_slads_net(out).expected_reduction(np.ones((3, 6))).shape == (3,)
    assert "training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(9), r"shape \(9,\) came, 9 of its 9 pixels finite"),
        (np.full((8, 8), np.nan), r"0 of its 64 pixels finite"),
    ],
)
def test_an_image_that_is_none_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        train_slads_net(bad)


@pytest.mark.parametrize("number", [{"masks": 0}, {"epochs": 0}, {"masks": -3}])
def test_a_number_of_masks_or_epochs_that_is_none_is_refused(image, number):
    ((name, came),) = number.items()
    with pytest.raises(ValueError, match=f"^{name} must be a whole number, 1 or more, but {came} "):
        train_slads_net(image, **number)


@pytest.mark.parametrize("where", ["nowhere/net.safetensors", "file/net.safetensors", "."])
def test_a_place_that_cannot_be_written_to_is_refused_before_training(tmp_path, capsys, where):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="name a file in") as refused:
        train(tmp_path / where)
    assert "\n" not in str(refused.value)
    assert "training" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="more masks or a larger image"):
        train_slads_net(np.zeros((1, 2)), masks=1)


def test_a_constant_image_trains():
    training = train_slads_net(np.full((16, 16), 5.0), masks=2, epochs=1)
    assert np.isfinite(training.network.expected_reduction(np.ones((1, 6)))).all()
