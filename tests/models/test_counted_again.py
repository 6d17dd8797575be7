"""Processes whose pixels were counted for unequal times, and again."""

from __future__ import annotations

import numpy as np
import pytest

from skysteer.models import BlendedGP, GPHyperparameters, RasterGP, TestedGP
from skysteer.models.raster_gp_readings import next_milestone, usable_readings
from skysteer.simulators import generate

SHAPE, PEAK = (48, 48), 20.0
EXPOSURES = np.array([1.0, 4.0, 16.0])


def specimen(seed=5):
    return generate("cells", SHAPE, 1_000_000 + seed, peak_rate=1.0).rates[0]


def some_pixels(num, seed=1):
    flat = np.random.default_rng(seed).permutation(SHAPE[0] * SHAPE[1])[:num]
    return np.column_stack(np.divmod(flat, SHAPE[1]))


def counted(num, seed=1):
    """Pixels, rates that counts tell, and how long each was counted."""
    rng = np.random.default_rng(seed + 100)
    pixels = some_pixels(num, seed)
    times = rng.choice(EXPOSURES, num)
    rates = specimen()[tuple(pixels.T)]
    return pixels, rng.poisson(rates * PEAK * times) / (PEAK * times), times


def counted_again(num=300, seed=2):
    """A sequence in which some pixels come again, with all that is known of them by then."""
    rng = np.random.default_rng(seed)
    image, fresh = specimen(), [(row, column) for row, column in some_pixels(num, seed).tolist()]
    known: dict[tuple[int, int], tuple[int, float]] = {}
    out: list[tuple[tuple[int, int], float, float]] = []
    for place in range(num):
        again = known and rng.random() < 0.3
        pixel = list(known)[rng.integers(len(known))] if again else fresh[place]
        dwell = float(rng.choice(EXPOSURES))
        counts, time = known.get(pixel, (0, 0.0))
        counts, time = counts + int(rng.poisson(image[pixel] * PEAK * dwell)), time + dwell
        known[pixel] = counts, time
        out.append((pixel, counts / (PEAK * time), time))
    pixels, rates, times = zip(*out, strict=True)
    return np.array(pixels), np.array(rates), np.array(times)


def test_the_noise_of_a_reading_falls_with_the_time_it_was_counted():
    h = GPHyperparameters(variance=0.04, lengths=(9.0, 9.0), floor=0.0, mean=0.5)
    pixels = np.argwhere(np.ones((3, 3))) * 9 + 10
    rates, times = np.full(9, 0.5), np.ones(9)
    times[4] = 16.0
    gp = RasterGP(SHAPE, h, counts_per_unit=PEAK, local_scale=False)
    gp.update(pixels, rates, exposures=times)
    table = h.variance * h.correlation(SHAPE)
    apart = np.abs(pixels[:, None] - pixels)
    shared = table[apart[..., 0], apart[..., 1]]
    noise = np.diag(0.5 / (PEAK * times))
    exact = np.diag(shared - shared @ np.linalg.solve(shared + noise, shared))
    np.testing.assert_allclose(
        gp.std[tuple(pixels.T)] ** 2, exact, rtol=0.1
    )  # eighths of an octave
    assert gp.std[tuple(pixels[4])] < 0.5 * gp.std[tuple(pixels[3])]


@pytest.mark.parametrize("kind", [TestedGP, BlendedGP])
def test_in_whatever_batches_pixels_are_counted_again_the_process_is_the_same(kind):
    pixels, rates, times = counted_again()
    assert len(np.unique(pixels, axis=0)) < 250
    once, often = (kind(SHAPE, counts_per_unit=PEAK) for _ in range(2))
    once.update(pixels, rates, exposures=times)
    rng, begin = np.random.default_rng(0), 0
    while begin < len(pixels):
        part = slice(begin, begin + int(rng.integers(1, 12)))
        often.update(pixels[part], rates[part], exposures=times[part])
        _ = often.std
        begin = part.stop
    assert once.hyperparameters == often.hyperparameters
    for what in ("mean", "std"):
        np.testing.assert_array_equal(getattr(once, what), getattr(often, what))
    np.testing.assert_array_equal(once.tests.errors, often.tests.errors)
    assert once.error_estimate == often.error_estimate


@pytest.mark.parametrize("kind", [TestedGP, BlendedGP])
def test_intervals_hold_where_dwells_are_mixed(kind):
    image, cover, gained = specimen(), [], []
    for seed in range(3):
        pixels, rates, times = counted(350, seed)
        free = np.ones(SHAPE, dtype=bool)
        free[tuple(pixels.T)] = False
        densities = []
        for exposures in (times, None):
            gp = kind(SHAPE, counts_per_unit=PEAK)
            gp.update(pixels, rates, exposures=exposures)
            inside = np.abs(gp.mean - image) <= gp.interval(0.9)
            densities.append(gp.log_density(image)[~free].mean())
            if exposures is not None:
                cover.append((inside[free].mean(), inside[~free].mean()))
        gained.append(densities[0] - densities[1])
    between, measured = np.mean(cover, axis=0)
    assert 0.85 < between < 0.96
    assert 0.85 < measured < 0.97
    assert min(gained) > 0.1  # where all counts are taken for those of one dwell


def test_exposures_that_make_no_sense_are_refused():
    gp = RasterGP(SHAPE, counts_per_unit=PEAK)
    for wrong in ([0.0], [np.nan], [-1.0]):
        with pytest.raises(ValueError, match="exposure must be finite and above 0"):
            gp.update([[1, 1]], [0.5], exposures=wrong)
    with pytest.raises(ValueError, match="2 exposures: give one each"):
        gp.update([[1, 1]], [0.5], exposures=[1.0, 1.0])


def test_of_a_pixel_that_comes_twice_the_place_is_that_of_the_first_and_the_value_the_last():
    given = usable_readings(SHAPE, [[1, 1], [2, 2], [1, 1]], [1.0, 2.0, 3.0], None, [1.0, 1.0, 5.0])
    last = given.last_of_each()
    assert last.where.tolist() == [[1, 1], [2, 2]]
    assert (last.values.tolist(), last.exposures.tolist()) == ([3.0, 2.0], [5.0, 1.0])


def test_fits_come_when_the_readings_have_grown_by_a_third():
    assert [next_milestone(n) for n in (0, 1, 4, 8, 14, 15)] == [1, 2, 6, 11, 15, 20]
