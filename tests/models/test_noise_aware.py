"""The map between counts, against the rates behind them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from skysteer.models import SparseScan, inverse_distance
from skysteer.models.noise_aware import foretold_counts, noise_aware


def smooth_rates(peak, seed=0, shape=(80, 80)):
    field = gaussian_filter(np.random.default_rng(seed).random(shape), 5)
    return (field - field.min()) / np.ptp(field) * peak


def counted(rates, share=0.2, seed=0):
    rng = np.random.default_rng([seed, 7])
    pixels = np.argwhere(rng.random(rates.shape) < share)
    return SparseScan.of(rates.shape, pixels, rng.poisson(rates[tuple(pixels.T)]))


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize(("peak", "most"), [(10, 0.75), (30, 0.85), (100, 0.95)])
def test_it_comes_nearer_to_the_rate_than_raw_counts_do(peak, most):
    rates = smooth_rates(peak)
    scan = counted(rates)
    raw, aware = inverse_distance(scan) - rates, noise_aware(scan).image - rates
    assert rms(aware) < most * rms(raw)


def test_where_noise_is_small_it_keeps_the_readings():
    rates = 1e6 + smooth_rates(1e6)
    scan = counted(rates)
    np.testing.assert_allclose(noise_aware(scan).image, inverse_distance(scan), rtol=0.02)


@pytest.mark.parametrize("peak", [10, 100, 1000])
def test_sigma_is_the_error_to_expect(peak):
    ratios = []
    for seed in range(4):
        rates = smooth_rates(peak, seed)
        made = noise_aware(counted(rates, seed=seed))
        ratios.append(rms(made.image - rates) / rms(made.sigma))
    assert 0.6 < np.mean(ratios) < 1.3


def test_rates_per_second_give_the_map_of_their_counts():
    scan = counted(smooth_rates(50))
    rate = SparseScan(scan.shape, scan.pixels, scan.values / 0.02)
    counts, rates = noise_aware(scan), noise_aware(rate, counts_per_unit=0.02)
    np.testing.assert_allclose(rates.image * 0.02, counts.image, rtol=1e-10)
    np.testing.assert_allclose(rates.sigma * 0.02, counts.sigma, rtol=1e-10)


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [0.0, 5.0, -2.0], [1e150, 0.0, 1.0]])
def test_few_odd_or_no_counts_give_a_map(values):
    pixels = [(0, 0), (0, 3), (2, 1)][: len(values)]
    made = noise_aware(SparseScan.of((4, 5), pixels, values))
    assert np.isfinite(made.image).all()
    assert not np.isnan(made.sigma).any()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="counts_per_unit must be above 0, but 0 came"):
        noise_aware(counted(smooth_rates(5)), counts_per_unit=0)
    with pytest.raises(ValueError, match="at least 1 measured pixel"):
        noise_aware(SparseScan.of((4, 5), np.empty((0, 2)), []))


def test_counting_twice_as_long_is_counting_twice_as_much():
    scan = counted(smooth_rates(20))
    times = np.full(len(scan.values), 2.0)
    longer = SparseScan(scan.shape, scan.pixels, scan.values / 2, (), times)
    as_counts, as_rates = noise_aware(scan), noise_aware(longer)
    np.testing.assert_allclose(as_rates.image * 2, as_counts.image, rtol=1e-10)
    np.testing.assert_allclose(as_rates.sigma * 2, as_counts.sigma, rtol=1e-10)


def test_pixels_counted_for_longer_are_believed_more():
    rng, rates = np.random.default_rng(3), smooth_rates(5)
    scan = counted(rates)
    times = rng.choice([1.0, 16.0], len(scan.values))
    values = rng.poisson(rates[tuple(scan.pixels.T)] * times) / times
    known = SparseScan(scan.shape, scan.pixels, values, (), times)
    believed, alike = (
        noise_aware(known),
        noise_aware(SparseScan.of(scan.shape, scan.pixels, values)),
    )
    assert rms(believed.image - rates) < 0.95 * rms(alike.image - rates)
    assert 0.6 < rms(believed.image - rates) / rms(believed.sigma) < 1.4


def test_a_forecast_of_a_measured_pixel_rests_on_its_neighbours():
    scan = counted(smooth_rates(20))
    spoilt = scan.values.copy()
    spoilt[7] += 1000.0
    there = scan.pixels[7:8]
    wrong = SparseScan(scan.shape, scan.pixels, spoilt)
    rate, square = foretold_counts(wrong, there)
    assert abs(rate[0] - foretold_counts(scan, there)[0][0]) < 50
    assert square[0] >= 0
    free = scan.unmeasured[::9]
    rates, squares = foretold_counts(scan, free)
    made = noise_aware(scan)
    np.testing.assert_allclose(rates, made.image[tuple(free.T)])
    np.testing.assert_allclose(np.sqrt(squares), made.sigma[tuple(free.T)])
