"""The Gaussian process on a raster, against the exact one and against readings never shown."""

import gpytorch
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.models import GPHyperparameters, RasterGP

SMOOTH = GPHyperparameters(variance=2.0, lengths=(9.0, 14.0), floor=0.02, mean=1.5)


def some_pixels(shape, num, seed=0):
    flat = np.random.default_rng(seed).permutation(shape[0] * shape[1])[:num]
    return np.column_stack(np.divmod(flat, shape[1]))


def every_pixel(shape):
    return np.argwhere(np.ones(shape, dtype=bool))


def waves(shape, seed=0):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    return np.sin(rows / 5.0) + np.cos(columns / 7.0) + 0.1 * rng.standard_normal(shape)


def covariance(h, one, other):
    apart = np.abs(one[:, None] - other[None])
    same = (apart == 0).all(axis=-1)
    whole = h.correlation(tuple(apart.max(axis=(0, 1)) + 1))
    return h.variance * whole[apart[..., 0], apart[..., 1]] + h.floor * same


class ExactGP(gpytorch.models.ExactGP):
    def __init__(self, h, pixels, values, noise):
        x, y = torch.tensor(pixels, dtype=torch.float64), torch.tensor(values)
        both = torch.tensor(noise + h.floor)
        super().__init__(x, y, gpytorch.likelihoods.FixedNoiseGaussianLikelihood(both))
        self.mean_module = gpytorch.means.ConstantMean()
        matern = gpytorch.kernels.MaternKernel(nu=h.smoothness, ard_num_dims=2)
        self.covar_module = gpytorch.kernels.ScaleKernel(matern)
        self.double()
        matern.lengthscale = torch.tensor(h.lengths, dtype=torch.float64)
        self.covar_module.outputscale = torch.tensor(h.variance, dtype=torch.float64)
        self.mean_module.constant.data.fill_(h.mean)
        self.eval()

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def exact(h, pixels, values, where, noise=None):
    """Mean and sd of unmeasured pixels by gpytorch's exact posterior, the floor included."""
    noise = np.zeros(len(values)) if noise is None else noise
    model = ExactGP(h, pixels, values, noise)
    with (
        torch.no_grad(),
        gpytorch.settings.fast_computations(False, False, False),
        gpytorch.settings.fast_pred_var(False),
        gpytorch.settings.max_cholesky_size(10_000),
    ):
        found = model(torch.tensor(where, dtype=torch.float64))
    return found.mean.numpy(), np.sqrt(found.variance.numpy() + h.floor)


def unread(shape, pixels):
    free = np.ones(shape, dtype=bool)
    free[tuple(pixels.T)] = False
    return np.argwhere(free)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("noisy", [False, True])
def test_with_few_readings_it_is_the_exact_posterior(smoothness, noisy):
    shape = (19, 26)
    h = GPHyperparameters(2.0, (6.0, 9.0), 0.02, 1.5, smoothness)
    pixels = some_pixels(shape, 60)
    values = waves(shape)[tuple(pixels.T)]
    noise = np.linspace(0.0, 0.3, 60) * noisy
    gp = RasterGP(shape, h, local_scale=False)
    gp.update(pixels, values, noise)
    where = unread(shape, pixels)
    mean, sd = exact(h, pixels, values, where, noise)
    np.testing.assert_allclose(gp.mean[tuple(where.T)], mean, rtol=0, atol=1e-8)
    np.testing.assert_allclose(gp.std[tuple(where.T)], sd, rtol=1e-7)


@pytest.mark.parametrize(("num", "bar"), [(60, 1e-8), (250, 0.1)])
def test_a_noisy_reading_tells_half_of_its_pixels_own_texture(num, bar):
    shape = (30, 26)
    pixels, every = some_pixels(shape, num), every_pixel(shape)
    values, noise = waves(shape)[tuple(pixels.T)], np.linspace(0.01, 0.5, num)
    gp = RasterGP(shape, SMOOTH, local_scale=False)
    gp.update(pixels, values, noise)
    gain = np.linalg.solve(
        covariance(SMOOTH, pixels, pixels) + np.diag(noise), covariance(SMOOTH, pixels, every)
    )
    mean = SMOOTH.mean + (values - SMOOTH.mean) @ gain
    variance = SMOOTH.variance + SMOOTH.floor - (covariance(SMOOTH, pixels, every) * gain).sum(0)
    off = np.abs(gp.mean.ravel() - mean) / np.sqrt(variance)
    assert np.percentile(off, 99) < bar
    assert np.percentile(np.abs(gp.std.ravel() ** 2 / variance - 1), 99) < max(0.4 * bar, 1e-7)


@pytest.mark.parametrize(("design", "bar"), [("uniform", 0.05), ("clustered", 0.15)])
def test_with_many_readings_it_stays_close_to_the_exact_posterior(design, bar):
    shape = (64, 64)
    image = waves(shape)
    rng = np.random.default_rng(3)
    odds = np.ones(shape)
    if design == "clustered":
        odds[:, 20:28] = 5.0
    flat = rng.choice(image.size, 700, replace=False, p=odds.ravel() / odds.sum())
    pixels = np.column_stack(np.divmod(flat, 64))
    values = image[tuple(pixels.T)]
    gp = RasterGP(shape, SMOOTH, local_scale=False)
    gp.update(pixels, values)
    where = unread(shape, pixels)
    mean, sd = exact(SMOOTH, pixels, values, where)
    error = np.full(shape, np.nan)
    error[tuple(where.T)] = (gp.mean[tuple(where.T)] - mean) / sd
    assert np.nanpercentile(np.abs(error), 99) < bar
    assert np.percentile(np.abs(gp.std[tuple(where.T)] / sd - 1), 99) < 0.02
    seams = np.abs(np.diff(error, axis=1))[:, 7::8]
    assert np.nanpercentile(seams, 99) < 0.05


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_where_readings_are_dense_and_noisy_enough_of_them_are_heard(share):
    shape = (48, 48)
    pixels, every = some_pixels(shape, int(share * 48 * 48)), every_pixel(shape)
    noise = np.full(len(pixels), 0.5)
    values = (waves(shape) + np.random.default_rng(4).normal(0, 0.7, shape))[tuple(pixels.T)]
    gp = RasterGP(shape, SMOOTH, local_scale=False)
    gp.update(pixels, values, noise)
    gain = np.linalg.solve(
        covariance(SMOOTH, pixels, pixels) + np.diag(noise), covariance(SMOOTH, pixels, every)
    )
    mean = SMOOTH.mean + (values - SMOOTH.mean) @ gain
    sd = np.sqrt(SMOOTH.variance + SMOOTH.floor - (covariance(SMOOTH, pixels, every) * gain).sum(0))
    assert np.percentile(np.abs(gp.mean.ravel() - mean) / sd, 99) < 0.3
    assert np.percentile(np.abs(gp.std.ravel() / sd - 1), 99) < 0.02


def test_a_reading_held_out_is_predicted_as_if_it_had_never_been_taken():
    shape = (20, 20)
    pixels = some_pixels(shape, 50)
    values, noise = waves(shape)[tuple(pixels.T)], np.linspace(0.0, 0.2, 50)
    whole = RasterGP(shape, SMOOTH)
    whole.update(pixels, values, noise)
    for p in (0, 17, 49):
        others = np.delete(np.arange(50), p)
        gp = RasterGP(shape, SMOOTH, local_scale=False)
        gp.update(pixels[others], values[others], noise[others])
        row, column = pixels[p]
        error, variance, carried = whole.held_out
        assert error[p] == pytest.approx(values[p] - gp.mean[row, column])
        assert variance[p] + carried[p] == pytest.approx(gp.std[row, column] ** 2)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    cuts=st.lists(st.integers(0, 120), max_size=4),
    counts_per_unit=st.sampled_from([None, 50.0]),
    seed=st.integers(0, 9),
)
def test_readings_in_many_parts_give_what_all_at_once_give_to_the_last_bit(
    cuts, counts_per_unit, seed
):
    shape = (31, 22)
    pixels = some_pixels(shape, 120, seed)
    values = np.rint(20 + 10 * waves(shape))[tuple(pixels.T)]
    at_once = RasterGP(shape, counts_per_unit=counts_per_unit)
    at_once.update(pixels, values)
    in_parts = RasterGP(shape, counts_per_unit=counts_per_unit)
    for part in np.split(np.arange(120), sorted(cuts)):
        in_parts.update(pixels[part], values[part])
    assert in_parts.hyperparameters == at_once.hyperparameters
    np.testing.assert_array_equal(in_parts.mean, at_once.mean)
    np.testing.assert_array_equal(in_parts.std, at_once.std)


def test_lists_that_grow_as_readings_become_dense_are_those_of_all_at_once():
    shape = (40, 33)
    pixels = some_pixels(shape, 900)
    values, noise = waves(shape)[tuple(pixels.T)], np.linspace(0.0, 0.5, 900)
    at_once, in_parts = RasterGP(shape, SMOOTH), RasterGP(shape, SMOOTH)
    at_once.update(pixels, values, noise)
    for part in np.split(np.arange(900), [150, 151, 400, 777]):
        in_parts.update(pixels[part], values[part], noise[part])
    np.testing.assert_array_equal(in_parts.mean, at_once.mean)
    np.testing.assert_array_equal(in_parts.std, at_once.std)


def test_readings_in_any_order_give_the_same_map():
    shape = (40, 40)
    pixels = some_pixels(shape, 300)
    values = waves(shape)[tuple(pixels.T)]
    one, other = RasterGP(shape, SMOOTH), RasterGP(shape, SMOOTH)
    one.update(pixels, values)
    other.update(pixels[::-1], values[::-1])
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.stationary_std, other.stationary_std)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(exponent=st.integers(-40, 40), offset=st.integers(-10_000, 10_000))
def test_scale_and_offset_of_the_readings_are_those_of_the_map(exponent, offset):
    shape = (24, 24)
    pixels = some_pixels(shape, 90)
    values = np.rint(50 * waves(shape))[tuple(pixels.T)]
    plain, scaled = RasterGP(shape), RasterGP(shape)
    plain.update(pixels, values)
    scaled.update(pixels, np.ldexp(values + offset, exponent))
    np.testing.assert_array_equal(scaled.std, np.ldexp(plain.std, exponent))
    np.testing.assert_allclose(
        np.ldexp(scaled.mean, -exponent) - offset, plain.mean, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_wildly_different_scales_are_fitted_alike(scale):
    shape = (32, 32)
    pixels = some_pixels(shape, 200)
    values = waves(shape)[tuple(pixels.T)]
    gp, plain = RasterGP(shape), RasterGP(shape)
    gp.update(pixels, scale * values)
    plain.update(pixels, values)
    np.testing.assert_allclose(gp.mean / scale, plain.mean, atol=0.05)
    np.testing.assert_allclose(gp.std / scale, plain.std, rtol=0.2, atol=1e-6)


def test_the_last_reading_of_a_pixel_counts():
    shape = (20, 20)
    pixels = some_pixels(shape, 40)
    values = waves(shape)[tuple(pixels.T)]
    once, again, within = (RasterGP(shape, SMOOTH) for _ in range(3))
    once.update(pixels, values)
    again.update(pixels, np.zeros(40))
    again.update(pixels[20:], values[20:])
    again.update(pixels[:20], values[:20])
    within.update(np.concatenate([pixels, pixels]), np.concatenate([values * 7, values]))
    for other in (again, within):
        np.testing.assert_array_equal(other.mean, once.mean)
        np.testing.assert_array_equal(other.std, once.std)


def test_what_is_not_finite_or_off_the_raster_is_left_out():
    shape = (12, 9)
    pixels = [[3.2, 4.4], [5, 5], [-1, 2], [12, 0], [0, 9], [2, 2], [np.nan, 1], [7, 7]]
    values = [1.0, np.nan, 9.0, 9.0, 9.0, np.inf, 9.0, 2.0]
    gp, plain = RasterGP(shape, SMOOTH), RasterGP(shape, SMOOTH)
    gp.update(pixels, values)
    plain.update([[3, 4], [7, 7]], [1.0, 2.0])
    assert gp.num_readings == 2
    np.testing.assert_array_equal(gp.mean, plain.mean)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 9)])
@pytest.mark.parametrize("value", [0.0, -3.0, 1e12])
def test_one_reading_and_equal_readings_give_a_map(shape, value):
    gp = RasterGP(shape)
    gp.update([[0, 0]], [value])
    np.testing.assert_allclose(gp.mean, value)
    gp.update(every_pixel(shape)[::2], np.full(len(every_pixel(shape)[::2]), value))
    np.testing.assert_allclose(gp.mean, value)
    assert np.isfinite(gp.std).all()
    assert gp.std[0, 0] == 0


def test_before_the_first_reading_nothing_is_claimed():
    gp = RasterGP((5, 6))
    gp.update(np.empty((0, 2)), [])
    assert np.isnan(gp.mean).all()
    assert np.isinf(gp.std).all()
    with pytest.raises(ValueError, match="update first"):
        _ = gp.hyperparameters
    with pytest.raises(ValueError, match="update with a reading first"):
        gp.fit()


def test_a_raster_read_whole_is_known():
    shape = (21, 17)
    gp = RasterGP(shape)
    gp.update(every_pixel(shape), waves(shape).ravel())
    np.testing.assert_array_equal(gp.mean, waves(shape))
    assert not gp.std.any()
    assert gp.expected_nrmse == 0


def test_a_hundred_thousand_readings_on_a_thousand_by_a_thousand():
    shape = (1024, 1024)
    rows, columns = np.indices(shape)
    image = np.sin(rows / 40.0) + np.cos(columns / 25.0)
    pixels = some_pixels(shape, 100_050)
    values = image[tuple(pixels.T)]
    gp = RasterGP(shape)
    gp.update(pixels[:-50], values[:-50])
    gp.update(pixels[-50:], values[-50:])
    off = np.abs(gp.mean - image)
    assert np.sqrt((off**2).mean()) < 0.02
    assert (off <= gp.interval(0.9)).mean() > 0.85


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pixels": [[1, 1]], "values": [1, 2]}, "1 pixels came with 2 values"),
        ({"pixels": [[1, 1]], "values": [1.0], "variances": [-1.0]}, "variance must be finite"),
        ({"pixels": [[1, 1]], "values": [1.0], "variances": [np.nan]}, "variance must be finite"),
    ],
)
def test_readings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        RasterGP((4, 4)).update(**wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RasterGP((0, 4)), "a row and a column or more"),
        (lambda: RasterGP((4, 4), smoothness=1.0), "one of 0.5, 1.5 and 2.5"),
        (lambda: RasterGP((4, 4), counts_per_unit=0.0), "counts_per_unit must be above 0"),
        (lambda: GPHyperparameters(0.0, (1.0, 1.0)), "must be above 0"),
        (lambda: GPHyperparameters(1.0, (1.0, np.inf)), "must be finite"),
        (lambda: RasterGP((4, 4)).interval(1.5), "between 0 and 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
