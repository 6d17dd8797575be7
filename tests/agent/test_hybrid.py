"""Network and process in one agent: who is heard, who is not, and that it is rebuilt."""

import numpy as np
import pytest

from skysteer.agent import (
    GaussianProcess,
    Hybrid,
    LowDiscrepancy,
    Request,
    Slads,
    halton_pixels,
    make_sampler,
)
from skysteer.models import SparseScan, inverse_distance, load_error_network, save_error_network
from skysteer.rehearsal import run_agent
from skysteer.simulators import generate

NOTHING = np.empty((0, 2), dtype=np.int64)


def specimen(kind="cells", side=64):
    return generate(kind, (side, side), 1_000_321, peak_rate=1.0).rates[0]


def request(image, pixels, num=12, **more):
    scan = SparseScan.of(image.shape, pixels, image[pixels[:, 0], pixels[:, 1]])
    return Request(scan, NOTHING, num, **more)


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """Weights that correct at random: a network outside of all that it ever learnt."""
    path = tmp_path_factory.mktemp("weights") / "lost.safetensors"
    rng = np.random.default_rng(1)
    layers, _ = load_error_network()
    shuffled = (rng.permuted(each.ravel()).reshape(each.shape) for each in layers)
    save_error_network(tuple(np.float32(4.0) * each for each in shuffled), path)
    return str(path)


def test_both_are_heard_where_both_foretell_the_errors():
    image = specimen()
    pixels = halton_pixels(image.shape, 500, 3)
    agent = Hybrid()
    choice = agent.choose(request(image, pixels, 40))
    voices = agent.voices(request(image, pixels).scan)
    assert min(voices.network, voices.process) >= 0.25
    assert voices.nobody == 0
    network = Slads().choose(request(image, pixels, 40)).pixels
    part = np.floor(voices.network * 540) - np.floor(voices.network * 500)
    np.testing.assert_array_equal(choice.pixels[: int(part)], network[: int(part)])


def test_a_network_that_has_lost_its_way_is_not_heard(lost):
    image = specimen()
    pixels = halton_pixels(image.shape, 500, 3)
    scan = request(image, pixels).scan
    assert Hybrid(weights=lost).voices(scan).process > 0.98
    assert Hybrid().voices(scan).network > 0.2


@pytest.mark.parametrize("kind", ["white", "counts"])
def test_nor_is_one_that_sees_what_it_never_saw(kind):
    """Every pixel on its own: a reading tells nothing of those beside it."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((64, 64)) if kind == "white" else rng.poisson(2.0, (64, 64)) + 0.0
    voices = Hybrid().voices(request(image, halton_pixels(image.shape, 500, 3)).scan)
    assert voices == (0.0, 1.0, 0.0)


def test_its_map_is_then_as_good_as_that_of_the_process(lost):
    image = specimen("cells", 48)
    errors = []
    for agent, options in (("hybrid", {"weights": lost}), ("gp", {})):
        *_, (_, found) = run_agent(image, agent, 460, batch=30, options=options, seed=2)
        mean = make_sampler(agent, options).reconstruct(found.scan)
        errors.append(np.sqrt(((mean - image) ** 2).mean()))
    assert errors[0] < 1.15 * errors[1]


def test_where_neither_can_speak_points_are_spread_evenly():
    image = np.full((40, 40), 7.0)
    pixels = halton_pixels(image.shape, 60, 3)
    asked = request(image, pixels, 15, seed=11)
    np.testing.assert_array_equal(
        Hybrid().choose(asked).pixels, LowDiscrepancy().choose(asked).pixels
    )


def test_its_map_beats_both_maps_of_the_same_points():
    image = specimen(side=48)
    *_, (_, found) = run_agent(image, "hybrid", 400, batch=50, seed=2)
    scan = found.scan
    maps = (Hybrid().reconstruct(scan), GaussianProcess().reconstruct(scan), inverse_distance(scan))
    mine, process, network = (np.sqrt(((each - image) ** 2).mean()) for each in maps)
    assert mine < 1.01 * min(process, network)


def test_who_is_heard_is_a_function_of_the_points():
    """A new agent, as one that resumes, hears the two as the old one does."""
    image = specimen()
    pixels = halton_pixels(image.shape, 400, 3)
    old = Hybrid()
    for num in range(40, 401, 30):
        choice = old.choose(request(image, pixels[:num]))
    fresh = Hybrid().choose(request(image, pixels[:num]))
    np.testing.assert_array_equal(choice.pixels, fresh.pixels)
    np.testing.assert_array_equal(choice.scores, fresh.scores)
    assert (choice.expected_error, choice.error_high) == (fresh.expected_error, fresh.error_high)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="power must lie between 0 and 1"):
        Hybrid(power=2.0)
    with pytest.raises(FileNotFoundError, match="no weights at"):
        Hybrid(weights="/nowhere/w.safetensors")
