"""The process on motors, against gpytorch's exact one and by what it is fed."""

from __future__ import annotations

import time

import gpytorch
import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime
from scipy.stats import lognorm, multivariate_normal

from skysteer.models import MotorGP, MotorHyperparameters
from skysteer.models.motor_gp_fit import _objective, correlation, default_logs

LOW, HIGH = np.array([0.0, -5.0, 100.0]), np.array([1.0, 5.0, 200.0])
KNOWN = MotorHyperparameters((0.4, 3.0, 60.0), 900.0, 25.0, 100.0)


def readings(num=40, seed=0):
    rng = np.random.default_rng(seed)
    where = LOW + rng.random((num, 3)) * (HIGH - LOW)
    what = 100 + 30 * np.sin(4 * where[:, 0] + where[:, 1] / 3) + 5 * rng.standard_normal(num)
    return where, what


def fed(hyperparameters=KNOWN, num=40, **options):
    gp = MotorGP(LOW, HIGH, hyperparameters=hyperparameters, **options)
    gp.update(*readings(num))
    return gp


def exact(h, where, what, at):
    """gpytorch's mean and deviation of the signal, in the motors' own units."""
    kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(2.5, ard_num_dims=3))
    kernel = kernel.double()
    kernel.outputscale, kernel.base_kernel.lengthscale = h.variance, torch.tensor(h.lengths)
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
    likelihood.noise = h.noise

    class Model(gpytorch.models.ExactGP):
        def __init__(self):
            super().__init__(torch.tensor(where), torch.tensor(what), likelihood)
            mean = gpytorch.means.ConstantMean().double()
            self.mean_module, self.kernel = mean.initialize(constant=h.mean), kernel

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.kernel(x))

    model = Model().eval()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        found = model(torch.tensor(at))
    return found.mean.numpy(), found.stddev.numpy()


@pytest.mark.parametrize("num", [1, 7, 120])
def test_the_posterior_is_gpytorchs_exact_one(num):
    gp, at = fed(num=num), readings(9, seed=1)[0]
    mean, std = exact(KNOWN, *readings(num), at)
    np.testing.assert_allclose(gp.predict(at)[0], mean, rtol=1e-6)
    np.testing.assert_allclose(gp.predict(at)[1], std, rtol=1e-6)


def test_readings_one_by_one_give_what_all_at_once_give():
    where, what = readings(60)
    single = MotorGP(LOW, HIGH)
    for k in range(60):
        single.update(where[k : k + 1], what[k : k + 1])
    whole = MotorGP(LOW, HIGH)
    whole.update(where, what)
    assert single.hyperparameters == whole.hyperparameters
    np.testing.assert_array_equal(single.predict(where), whole.predict(where))


def test_the_gradient_of_the_fit_is_the_slope_of_its_objective():
    where, what = readings(25)
    unit = (where - LOW) / (HIGH - LOW)
    squares, values = (unit[:, None] - unit[None]) ** 2, (what - what.mean()) / what.std()
    logs = default_logs(3) + np.array([0.3, -0.5, 0.2, 0.4, 1.0])
    slope = approx_fprime(logs, lambda x: _objective(x, squares, values, None)[0], 1e-6)
    np.testing.assert_allclose(_objective(logs, squares, values, None)[1], slope, rtol=2e-4)


def test_the_objective_is_scipys_densities():
    where, what = readings(20)
    unit = (where - LOW) / (HIGH - LOW)
    values = (what - what.mean()) / what.std()
    squares = (unit[:, None] - unit[None]) ** 2

    def by_scipy(logs):
        lengths, variance, noise = np.exp(logs[:3]), np.exp(logs[3]), np.exp(logs[4])
        cov = variance * (correlation(unit, unit, lengths) + 1e-8 * np.eye(20)) + noise * np.eye(20)
        ones = np.linalg.solve(cov, np.ones(20))
        likelihood = multivariate_normal.logpdf(values - ones @ values / ones.sum(), cov=cov)
        centre = np.exp(np.sqrt(2) + 0.5 * np.log(3))
        lengths_prior = lognorm.logpdf(lengths, s=np.sqrt(3), scale=centre).sum()
        prior = lengths_prior + lognorm.logpdf(noise, s=1, scale=np.exp(-4)) - 0.5 * logs[3] ** 2
        return -(likelihood + prior)

    one, other = default_logs(3), default_logs(3) + np.array([0.5, -1, 0.2, 1.0, 2.0])
    ours = [_objective(logs, squares, values, None)[0] for logs in (one, other)]
    assert ours[1] - ours[0] == pytest.approx(by_scipy(other) - by_scipy(one), rel=1e-6)


def test_noise_is_learned_and_length_scales_follow_what_varies():
    rng = np.random.default_rng(3)
    where = LOW + rng.random((150, 3)) * (HIGH - LOW)
    gp = MotorGP(LOW, HIGH)
    gp.update(where, np.sin(6 * where[:, 0]) + 0.1 * rng.standard_normal(150))
    h = gp.hyperparameters
    assert 0.005 < h.noise < 0.02
    shares = np.array(h.lengths) / (HIGH - LOW)
    assert shares[0] < shares[1] and shares[0] < shares[2]


def test_noise_that_is_given_is_taken():
    gp = MotorGP(LOW, HIGH, noise=4.0)
    gp.update(*readings())
    assert gp.hyperparameters.noise == 4.0
    np.testing.assert_allclose(gp.noises, 4.0)
    gp.update(*readings(3, seed=5), variances=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(gp.noises[-3:], [1.0, 2.0, 3.0])


def test_what_is_no_number_is_left_out():
    where, _ = readings()
    gp = fed()
    gp.update([[0.5, np.nan, 150], [0.5, 0, 150], [0.1, 0, 150]], [1.0, np.nan, np.inf])
    assert gp.num_readings == 40
    np.testing.assert_array_equal(gp.predict(where)[0], fed().predict(where)[0])


def test_a_position_read_often_gets_its_mean():
    gp = MotorGP([0], [1], hyperparameters=MotorHyperparameters((0.2,), 1e6, 1.0))
    gp.update([[0.5]] * 100, np.r_[np.full(50, 9.0), np.full(50, 11.0)])
    mean, std = gp.predict([[0.5]])
    assert mean[0] == pytest.approx(10.0, abs=1e-3) and std[0] == pytest.approx(0.1, rel=1e-3)


def test_the_same_reading_again_without_noise_does_no_harm():
    gp = MotorGP([0], [1], noise=0.0)
    gp.update([[0.2], [0.2], [0.2], [0.7]], [1.0, 1.0, 1.0, 2.0])
    mean, std = gp.predict([[0.2], [0.7]])
    np.testing.assert_allclose(mean, [1.0, 2.0], atol=1e-3)
    assert np.isfinite(std).all()


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9])
@pytest.mark.parametrize("num", [1, 2, 12])
def test_equal_readings_are_believed_with_a_nominal_deviation(value, num):
    gp = MotorGP(LOW, HIGH)
    gp.update(readings(num)[0], np.full(num, value))
    mean, std = gp.predict(readings(5, seed=2)[0])
    np.testing.assert_allclose(mean, value, rtol=1e-2, atol=1e-2)
    assert (std > 0).all() and (std <= max(abs(value), 1.0)).all()


def test_without_a_reading_only_the_prior_speaks():
    gp = MotorGP(LOW, HIGH)
    mean, std = gp.predict(readings(3)[0])
    np.testing.assert_allclose((mean, std), ([0, 0, 0], [1, 1, 1]), rtol=1e-6)
    assert gp.best() is None


def test_positions_outside_of_the_range_are_learned():
    gp = MotorGP([0], [1], hyperparameters=MotorHyperparameters((0.2,), 1.0, 1e-6))
    gp.update([[1.05], [0.5]], [3.0, 0.0])
    assert gp.predict([[1.05]])[0][0] == pytest.approx(3.0, abs=1e-2)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_the_values_changes_nothing(scale):
    where, what = readings()
    plain, scaled = MotorGP(LOW, HIGH), MotorGP(LOW, HIGH)
    plain.update(where, what)
    scaled.update(where, what * scale)
    at = readings(6, seed=4)[0]
    np.testing.assert_allclose(scaled.predict(at)[0] / scale, plain.predict(at)[0], rtol=1e-6)
    np.testing.assert_allclose(scaled.predict(at)[1] / scale, plain.predict(at)[1], rtol=1e-4)


def test_a_pending_reading_takes_the_variance_of_one_that_is_made():
    at, pending = readings(5, seed=6)[0], readings(2, seed=7)[0]
    posterior = fed().posterior(at, pending)
    more = fed()
    more.update(pending, [0.0, 0.0])
    np.testing.assert_allclose(posterior.std, more.predict(at)[1], rtol=1e-8)
    np.testing.assert_array_equal(posterior.mean, fed().predict(at)[0])


def test_two_thousand_readings_are_taken():
    gp = MotorGP(LOW, HIGH)
    where, what = readings(2000)
    gp.update(where, what)
    truth = 100 + 30 * np.sin(4 * where[:, 0] + where[:, 1] / 3)
    assert np.sqrt(np.mean((gp.predict(where)[0] - truth) ** 2)) < 2.0
    before = gp.hyperparameters
    gp.update(where[:1], what[:1])
    assert gp.hyperparameters.lengths == before.lengths  # no fit for one reading more


def test_the_best_is_the_highest_mean_and_not_the_highest_reading():
    gp = MotorGP([0], [1], hyperparameters=MotorHyperparameters((0.1,), 1.0, 1.0))
    gp.update([[0.2]] * 8 + [[0.8]], [1.0] * 8 + [1.2])
    position, mean, std = gp.best()
    assert position == pytest.approx([0.2]) and 0.8 < mean < 1.0 and std < 0.4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MotorGP([0], [0]), "low and a higher end"),
        (lambda: MotorGP(np.zeros(7), np.ones(7)), "1 to 6 motors"),
        (lambda: MotorGP([0, 1], [1]), "low and a higher end"),
        (lambda: MotorGP([0], [1], noise=-1), "variance, 0 or more"),
        (lambda: MotorGP([0], [1], hyperparameters=KNOWN), "as many lengths"),
        (lambda: MotorHyperparameters((1.0, -1.0), 1.0, 0.0), "above 0"),
        (lambda: MotorHyperparameters((1.0,), 1.0, np.nan), "noise must be 0"),
        (lambda: MotorGP([0], [1]).update([[0.5]], [1.0, 2.0]), "1 positions came with 2 values"),
        (lambda: MotorGP([0], [1]).update([[0.5]], [1.0], [-1.0]), "0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.soak
def test_two_thousand_readings_one_by_one_stay_affordable():
    where, what = readings(2000)
    gp = MotorGP(LOW, HIGH, every=5)
    began = time.process_time()
    for k in range(0, 2000, 5):
        gp.update(where[k : k + 5], what[k : k + 5])
    assert time.process_time() - began < 600
