from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from skysteer.simulators import Beam, CountingChain, Ring, Specimen
from skysteer.simulators.physics import draw_counts

RATES = np.random.default_rng(0).uniform(100, 1000, (2, 20, 30))
SPECIMEN = Specimen(RATES, pixel_size=0.5)


def test_a_point_beam_on_a_pixel_counts_that_pixel() -> None:
    beam = Beam(SPECIMEN, origin=(3.0, -7.0))
    rows, columns = np.mgrid[:20, :30]
    rates = beam.rate(3.0 + 0.5 * columns, -7.0 + 0.5 * rows)
    np.testing.assert_allclose(rates, RATES, rtol=1e-12)


def test_between_pixels_the_rate_is_interpolated_linearly() -> None:
    beam = Beam(SPECIMEN)
    x, y = 0.5 * 4.25, 0.5 * 7.5
    upper, lower = (0.75 * RATES[:, r, 4] + 0.25 * RATES[:, r, 5] for r in (7, 8))
    np.testing.assert_allclose(beam.rate(x, y), (upper + lower) / 2)


def test_the_specimen_ends_half_a_pixel_beyond_its_last_centres() -> None:
    beam = Beam(SPECIMEN)
    edge = 0.5 * 29
    np.testing.assert_allclose(beam.rate(edge + 0.24, 0.0), RATES[:, 0, 29])
    np.testing.assert_allclose(beam.rate(-0.24, -0.24), RATES[:, 0, 0])
    for x, y in [(edge + 0.26, 0), (-0.26, 0), (0, -0.26), (0, 0.5 * 19 + 0.26), (1e9, 1e9)]:
        assert (beam.rate(x, y) == 0).all()
    assert (beam.rate(np.nan, 0.0) == 0).all()


@pytest.mark.parametrize("fwhm", [0.3, 1.0, 2.5])
def test_a_gaussian_probe_is_a_convolution(fwhm: float) -> None:
    beam = Beam(SPECIMEN, fwhm=fwhm)
    truth = beam.truth(0.5 * np.arange(30), 0.5 * np.arange(20))
    sigma = fwhm / 2.3548200450309493 / 0.5
    scipys = [gaussian_filter(np.pad(p, 40), sigma)[40:-40, 40:-40] for p in RATES]
    np.testing.assert_allclose(truth, scipys, rtol=1e-9)
    reach = np.arange(-40, 41)
    kernel = np.exp(-(reach**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    direct = fftconvolve(RATES, (kernel[:, None] * kernel[None, :])[None], mode="same", axes=(1, 2))
    np.testing.assert_allclose(truth, direct, rtol=2e-3)  # scipy cuts the tails at 4 sigma


def test_the_probes_width_is_its_full_width_at_half_maximum() -> None:
    point = np.zeros((1, 401, 401))
    point[0, 200, 200] = 1.0
    beam = Beam(Specimen(point, pixel_size=0.01), fwhm=0.5)
    half = beam.rate(2.0 + 0.25, 2.0) / beam.rate(2.0, 2.0)
    assert half == pytest.approx(0.5, rel=1e-3)


def test_the_tail_of_a_wide_probe_reaches_the_specimen_from_outside() -> None:
    beam = Beam(SPECIMEN, fwhm=2.0)
    assert (beam.rate(-0.75, 4.0) > 0).all()
    assert (beam.rate(-50.0, 4.0) == 0).all()


@pytest.mark.parametrize("fwhm", [-1.0, np.nan, np.inf])
def test_an_impossible_probe_is_refused(fwhm: float) -> None:
    with pytest.raises(ValueError, match="FWHM"):
        Beam(SPECIMEN, fwhm=fwhm)


def test_the_nearest_pixel_is_the_nearest() -> None:
    beam = Beam(SPECIMEN, origin=(1.0, 2.0))
    assert beam.pixel(1.0 + 0.5 * 3.4, 2.0 + 0.5 * 6.6) == (7, 3)
    assert beam.pixel(1.0 - 0.6, 2.0 - 0.1) == (0, -1)


def test_without_noise_counts_are_exact() -> None:
    chain = CountingChain(Beam(SPECIMEN), noise="none", i0_rate=1e6)
    exposure = chain.expose(0.5 * 3, 0.5 * 2, 0.02, current=50.0)
    np.testing.assert_allclose(exposure.counts, RATES[:, 2, 3] * 0.02 / 2)
    assert exposure.i0 == pytest.approx(1e6 * 0.02 / 2)


def test_a_path_counts_the_mean_along_it() -> None:
    chain = CountingChain(Beam(SPECIMEN), noise="none")
    exposure = chain.expose([0.0, 0.5, 1.0], [0.0, 0.0, 0.0], 1.0)
    np.testing.assert_allclose(exposure.counts, RATES[:, 0, :3].mean(axis=1))


def test_counts_are_poisson_distributed() -> None:
    chain = CountingChain(Beam(SPECIMEN), seed=1)
    counts = np.array([chain.expose(1.0, 1.0, 0.05).counts[0] for _ in range(4000)])
    expected = RATES[0, 2, 2] * 0.05
    assert counts.mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / 4000))
    assert counts.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))
    edges = stats.poisson.ppf([0.1, 0.3, 0.5, 0.7, 0.9], expected)
    observed = np.searchsorted(np.sort(counts), edges, side="right") / 4000
    np.testing.assert_allclose(observed, stats.poisson.cdf(edges, expected), atol=0.03)


def test_i0_is_poisson_distributed_and_follows_the_current() -> None:
    chain = CountingChain(Beam(SPECIMEN), seed=1, i0_rate=1e5)
    i0 = np.array([chain.expose(1.0, 1.0, 0.01, current=40.0).i0 for _ in range(2000)])
    assert i0.mean() == pytest.approx(400, abs=5 * np.sqrt(400 / 2000))
    assert i0.var() == pytest.approx(400, rel=0.2)


def test_how_often_a_resting_stage_was_looked_at_does_not_change_a_bit() -> None:
    chain = CountingChain(Beam(SPECIMEN), noise="none")
    for x, y in np.random.default_rng(1).uniform(0, 9, (50, 2)):
        once = chain.expose(x, y, 0.002).counts
        assert all((chain.expose([x] * n, [y] * n, 0.002).counts == once).all() for n in (2, 3, 7))


def test_the_kth_exposure_of_a_pixel_does_not_depend_on_the_order() -> None:
    pixels = [(0, 0), (3, 5), (0, 0), (19, 29), (3, 5), (0, 0), (-4, 31)]

    def measured(order: list[tuple[int, int]], seed: int) -> dict[tuple[int, int], list[tuple]]:
        chain, seen = CountingChain(Beam(SPECIMEN), seed=seed), {}
        for row, column in order:
            exposure = chain.expose(0.5 * column, 0.5 * row, 1.0)
            seen.setdefault((row, column), []).append((*exposure.counts, exposure.i0))
        return seen

    assert measured(pixels, 7) == measured(pixels[::-1], 7)
    assert measured(pixels, 7) != measured(pixels, 8)
    repeats = measured(pixels, 7)[0, 0]
    assert len(set(repeats)) == 3


@pytest.mark.parametrize("rate", [1e4, 1e6, 1e8])
def test_dead_time_without_noise_follows_the_nonparalysable_formula(rate: float) -> None:
    chain = CountingChain(
        Beam(Specimen(np.full((1, 1), rate))), noise="none", dead_time=1e-6
    )  # fmt: skip
    counts = chain.expose(0, 0, 0.01).counts
    assert counts[0] == pytest.approx(rate * 0.01 / (1 + rate * 1e-6))


def test_dead_time_with_noise_agrees_with_counting_arrivals_one_by_one() -> None:
    rate, dwell, dead_time, runs = 2e3, 0.05, 4e-4, 3000
    rng = np.random.default_rng(2)
    drawn = np.array([draw_counts(rng, rate, dwell, dead_time) for _ in range(runs)])
    waits = rng.exponential(1 / rate, (runs, 200))
    waits[:, 1:] += dead_time  # after each recorded arrival the counter is deaf
    arrivals = (np.cumsum(waits, axis=1) < dwell).sum(axis=1)
    assert drawn.mean() == pytest.approx(arrivals.mean(), abs=0.4)
    assert drawn.var() == pytest.approx(arrivals.var(), rel=0.15)
    comparison: Any = stats.ks_2samp(drawn, arrivals)
    assert comparison.pvalue > 1e-3
    mean = rate * dwell / (1 + rate * dead_time)
    assert drawn.mean() == pytest.approx(mean, rel=0.01)
    assert drawn.var() == pytest.approx(mean / (1 + rate * dead_time) ** 2, rel=0.15)


def test_nothing_is_counted_in_the_dark_or_in_no_time() -> None:
    rng = np.random.default_rng(0)
    assert draw_counts(rng, 0.0, 1.0, 1e-6) == 0
    assert draw_counts(rng, 1e6, 0.0, 1e-6) == 0
    chain = CountingChain(Beam(SPECIMEN))
    exposure = chain.expose(0.0, 0.0, 1.0, current=0.0)
    assert (exposure.counts == 0).all()
    assert exposure.i0 == 0


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 'poisson' or 'none'"):
        CountingChain(Beam(SPECIMEN), noise="gauss")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="dead time"):
        CountingChain(Beam(SPECIMEN), dead_time=-1.0)
    with pytest.raises(ValueError, match="ring current"):
        Ring(current=np.nan)
    with pytest.raises(ValueError, match="lifetime"):
        Ring(lifetime=0.0)


def test_the_ring_decays_is_topped_up_and_dumped() -> None:
    assert Ring().at(1e9) == 100.0
    assert Ring().steady
    decay = Ring(current=200.0, lifetime=3600.0)
    assert decay.at(3600.0) == pytest.approx(200 / np.e)
    assert not decay.steady
    top_up = Ring(current=200.0, lifetime=3600.0, top_up=60.0)
    assert top_up.at(59.9) == pytest.approx(200 * np.exp(-59.9 / 3600))
    assert top_up.at(60.0) == 200.0
    dumped = Ring(dump_at=10.0)
    assert (dumped.at(9.9), dumped.at(10.0), dumped.at(1e6)) == (100.0, 0.0, 0.0)
