"""What a reading would bring, against botorch's own functions and against brute force."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from botorch.acquisition import ExpectedImprovement
from botorch.acquisition.active_learning import qNegIntegratedPosteriorVariance
from scipy.special import ndtr, owens_t

from skysteer.models import (
    BoundaryGain,
    MotorGP,
    MotorHyperparameters,
    OffHill,
    Search,
    SearchRegion,
    Travel,
    UpperConfidence,
    VarianceReduction,
    choose_with_botorch,
    improvement,
)
from skysteer.models.acquisition_botorch import botorch_model

LOW, HIGH = np.array([0.0, -10.0]), np.array([2.0, 10.0])
BOX = SearchRegion(LOW, HIGH)


def hill(at):
    """Highest at (1.5, 4)."""
    return 10 * np.exp(-((at[:, 0] - 1.5) ** 2) / 0.3 - (at[:, 1] - 4) ** 2 / 30)


def process(num=12, noise=0.01):
    gp = MotorGP(LOW, HIGH, noise=noise)
    where = BOX.spread(num, 0)
    gp.update(where, hill(where))
    return gp


def places(num=6):
    return BOX.spread(num, 9)


def in_unit(gp, at):
    return torch.tensor(gp.unit(at))[:, None]


def test_expected_improvement_is_botorchs():
    gp, at = process(), places()
    mean, std = gp.predict(at)
    scale = float(np.std(gp.values))
    with torch.no_grad():
        theirs = ExpectedImprovement(botorch_model(gp), 5.0 / scale)(in_unit(gp, at)).numpy()
    np.testing.assert_allclose(improvement(mean, std, 5.0) / scale, theirs, rtol=1e-5, atol=1e-9)


def test_the_variance_that_is_left_is_botorchs():
    gp, at, over = process(), places(), BOX.spread(64, 3)
    scale = float(np.std(gp.values))
    acquisition = qNegIntegratedPosteriorVariance(botorch_model(gp), in_unit(gp, over))
    with torch.no_grad():
        left = -acquisition(in_unit(gp, at)).numpy() * scale**2
    gain = VarianceReduction(gp, over).gain(gp.posterior(at))
    np.testing.assert_allclose(gp.posterior(over).variance.mean() - gain, left, rtol=1e-5)


def test_the_boundary_gain_is_what_readings_drawn_from_the_posterior_bring():
    gp, over, threshold = process(8, noise=0.3), BOX.spread(32, 3), 4.0
    at = places(1)
    here = gp.posterior(at)
    expected = BoundaryGain(gp, threshold, over).gain(here)[0]
    rng = np.random.default_rng(0)

    def doubt(process):
        mean, std = process.predict(over)
        draws = mean[:, None] + std[:, None] * NORMAL
        above = (draws > threshold).mean(axis=1)
        return (above * (1 - above)).mean()

    left = []
    for _ in range(400):
        value = here.mean[0] + np.sqrt(here.variance[0] + here.noise) * rng.standard_normal()
        more = MotorGP(LOW, HIGH, hyperparameters=gp.hyperparameters)
        more.update(np.r_[gp.positions, at], np.r_[gp.values, value])
        left.append(doubt(more))
    brought = doubt(gp) - np.mean(left)
    assert expected == pytest.approx(brought, abs=4 * np.std(left) / 20 + 1e-4)
    assert expected > 0


NORMAL = np.random.default_rng(7).standard_normal(4000)


def test_a_point_that_is_counted_brings_little_a_second_time():
    gp, at = process(), places(1)
    for acquisition in (
        VarianceReduction(gp, BOX.spread(64, 3)),
        BoundaryGain(gp, 4.0, BOX.spread(64, 3)),
    ):
        before = acquisition.gain(gp.posterior(at))[0]
        acquisition.count(at)
        assert acquisition.gain(gp.posterior(at, pending=at))[0] < 0.2 * before


def test_pending_at_the_start_is_the_same_as_counted_later():
    gp, at, pending = process(), places(), places(8)[6:]
    one = BoundaryGain(gp, 4.0, BOX.spread(64, 3), pending)
    other = BoundaryGain(gp, 4.0, BOX.spread(64, 3))
    other.count(pending)
    here = gp.posterior(at, pending)
    np.testing.assert_allclose(one.gain(here), other.gain(here), rtol=1e-8)


def test_the_gains_of_a_batch_sum_up_to_what_it_settles_as_a_whole():
    gp, batch, points = process(), places(8)[6:], BOX.spread(64, 3)
    one, other = batch[:1], batch[1:]
    first = BoundaryGain(gp, 4.0, points).gain(gp.posterior(one))[0]
    second = BoundaryGain(gp, 4.0, points, one).gain(gp.posterior(other, one))[0]
    before, after = gp.posterior(points), gp.posterior(points, batch)
    h, q = (4.0 - before.mean) / before.std, 1 - after.variance / before.variance
    left = 2 * owens_t(h, np.sqrt((1 - q) / (1 + q)))
    assert first + second == pytest.approx((ndtr(h) * ndtr(-h) - left).mean(), rel=1e-6)


def light(gp, region=BOX, num=1, pending=(), seed=0, **more):
    rng = np.random.default_rng(seed)
    return Search(region, **more).choose(gp, UpperConfidence(gp), num, pending, rng)


def test_the_light_search_finds_the_highest_bound_of_a_fine_grid():
    gp = process()
    axes = np.meshgrid(np.linspace(0, 2, 201), np.linspace(-10, 10, 201))
    grid = np.column_stack([axis.ravel() for axis in axes])
    highest = UpperConfidence(gp).gain(gp.posterior(grid)).max()
    assert light(gp)[1][0] > highest - 0.02


def test_a_look_off_a_hill_is_for_what_is_not_alike_to_its_top():
    gp, top = process(), np.array([1.5, 4.0])
    lengths = np.array(gp.hyperparameters.lengths)
    sideways = top + np.array([0.3, 1.8]) * lengths * [[1, 0], [0, 1]]
    there = gp.posterior(sideways)
    r = np.sqrt(5) * np.array([0.3, 1.8])
    np.testing.assert_allclose(there.likeness(top), (1 + r + r * r / 3) * np.exp(-r))
    gains = OffHill(UpperConfidence(gp), top).gain(there)
    assert gains[0] == -np.inf  # 0.93
    assert gains[1] == UpperConfidence(gp).gain(there)[1]  # 0.21


@pytest.mark.parametrize("criterion", ["noisy-ei", "ucb", "integrated-variance"])
def test_the_full_search_chooses_inside_and_the_same_again(criterion):
    gp = process()
    once = choose_with_botorch(gp, BOX, 1, criterion=criterion, seed=3)
    again = choose_with_botorch(gp, BOX, 1, criterion=criterion, seed=3)
    np.testing.assert_array_equal(once[0], again[0])
    assert BOX.contains(once[0]).all() and once[0].shape == (1, 2)


def test_the_full_search_goes_to_the_top_of_a_hill_that_is_known():
    position, _ = choose_with_botorch(process(40), BOX, 1, seed=1)
    assert hill(position)[0] > 9.0


REGION = SearchRegion(
    LOW,
    HIGH,
    inequalities=[((1.0, 0.1), 1.6)],  # the top has 1.9
    allowed=lambda at: np.abs(at[:, 1] - 4) > 1,
)


@pytest.mark.parametrize("path", ["light", "full"])
def test_constraints_and_zones_are_obeyed(path):
    gp = process(30)
    search = light if path == "light" else choose_with_botorch
    chosen, _ = search(gp, REGION, 2)
    assert (chosen @ [1.0, 0.1] <= 1.6 + 1e-6).all()
    assert (np.abs(chosen[:, 1] - 4) > 1).all()


@pytest.mark.parametrize("path", ["light", "full"])
def test_fixed_motors_stay(path):
    region = SearchRegion(LOW, HIGH, fixed={1: -3.0})
    chosen, _ = (light if path == "light" else choose_with_botorch)(process(), region, 1)
    np.testing.assert_array_equal(chosen[:, 1], -3.0)
    assert ((chosen[:, 0] >= 0) & (chosen[:, 0] <= 2)).all()


@pytest.mark.parametrize("path", ["light", "full"])
def test_a_batch_is_spread_for_a_map(path):
    gp = process(5)
    if path == "light":
        acquisition = VarianceReduction(gp, BOX.spread(256, 0))
        chosen, _ = Search(BOX).choose(gp, acquisition, 4, (), np.random.default_rng(0))
    else:
        chosen, _ = choose_with_botorch(gp, BOX, 3, criterion="integrated-variance")
    apart = np.linalg.norm(gp.unit(chosen)[:, None] - gp.unit(chosen)[None], axis=-1)
    assert apart[np.triu_indices(len(chosen), 1)].min() > 0.1


@pytest.mark.parametrize("path", ["light", "full"])
def test_a_slow_motor_is_moved_less(path):
    gp, start = process(5), np.array([1.0, 0.0])
    ways = []
    for speeds in ((100.0, 100.0), (0.01, 100.0)):
        travel = Travel(np.array(speeds), exposure=0.1)
        if path == "light":
            acquisition = VarianceReduction(gp, BOX.spread(256, 0))
            search = Search(BOX, travel, start)
            chosen, _ = search.choose(gp, acquisition, 1, (), np.random.default_rng(0))
        else:
            chosen, _ = choose_with_botorch(
                gp, BOX, 1, criterion="integrated-variance", travel=travel, start=start
            )
        ways.append(abs(chosen[0, 0] - start[0]))
    assert ways[1] < 0.2 * ways[0]


def test_a_region_without_a_point_says_so():
    nowhere = SearchRegion(LOW, HIGH, allowed=lambda at: np.zeros(len(at), dtype=bool))
    with pytest.raises(ValueError, match="relax them"):
        nowhere.spread(1, 0)


def test_without_botorch_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['botorch'] = None\n"
        "from skysteer.models import MotorGP, SearchRegion, choose_with_botorch\n"
        "gp = MotorGP([0], [1]); gp.update([[0.5]], [1.0])\n"
        "try: choose_with_botorch(gp, SearchRegion(gp.low, gp.high), 1)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'skysteer[optimize]'" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1


def test_hyperparameters_given_in_units_reach_botorch():
    h = MotorHyperparameters((0.5, 6.0), 4.0, 0.04, 1.0)
    gp = MotorGP(LOW, HIGH, hyperparameters=h)
    where = BOX.spread(10, 1)
    gp.update(where, hill(where))
    scale, at = float(np.std(gp.values)), places()
    with torch.no_grad():
        theirs = botorch_model(gp).posterior(torch.tensor(gp.unit(at)))
    np.testing.assert_allclose(theirs.mean[:, 0] * scale, gp.predict(at)[0], rtol=1e-5)
    np.testing.assert_allclose(theirs.variance[:, 0].sqrt() * scale, gp.predict(at)[1], rtol=1e-4)
