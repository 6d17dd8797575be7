"""The error expected of a whole map, of which only the audits saw the places between."""

import numpy as np
import pytest

from skysteer.models import TestedGP
from skysteer.models.error_estimate import spread_of
from skysteer.models.variance_regression import regress, uncertainty
from skysteer.simulators import generate

SHAPE = (64, 64)


def scanned(image, num):
    """Measure where the process is least sure, sixteen at once, one of them drawn at random."""
    order = np.random.default_rng(4).permutation(image.size)
    flat = np.random.default_rng(1).permutation(image.size)[:48]
    gp, taken, drawn = TestedGP(image.shape), np.zeros(image.size, dtype=bool), np.empty(0, bool)
    new, fresh = np.column_stack(np.divmod(flat, image.shape[1])), np.zeros(48, dtype=bool)
    while True:
        drawn = np.concatenate([drawn, fresh])
        gp.count_as_audits(drawn)
        gp.update(new, image[tuple(new.T)])
        taken[new[:, 0] * image.shape[1] + new[:, 1]] = True
        if gp.num_readings >= num:
            return gp
        audit = np.column_stack(np.divmod(order[~taken[order]][:1], image.shape[1]))
        chosen, _ = gp.choose(15, audit, 1)
        new, fresh = np.concatenate([audit, chosen]), np.arange(16) < 1


def test_of_a_smooth_image_not_all_places_are_taken_for_as_wrong_as_those_chosen():
    image = generate("gradients", SHAPE, 1_000_305, peak_rate=1.0).rates[0]
    gp = scanned(image, 500)
    true = np.sqrt(((gp.mean - image) ** 2).mean())
    by_pixels = np.sqrt((gp.std**2).mean())
    assert by_pixels > 1.3 * true  # the intervals' own variance, which knows readings held out
    assert gp.error_estimate.rms == pytest.approx(true, rel=0.4)
    assert abs(np.log(gp.error_estimate.rms / true)) < 0.7 * np.log(by_pixels / true)


def test_the_uncertainty_of_a_regression_is_how_far_it_strays_under_heavy_tails():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(400), rng.standard_normal((400, 2))])
    variances, noise = np.exp(rng.standard_normal(400)), 0.2 * np.ones(400)
    scales = variances * np.exp(design @ [0.5, 0.3, -0.2])
    found, foreseen = [], []
    for _ in range(300):
        errors = np.sqrt(scales + noise) * rng.standard_t(7, 400) * np.sqrt(5 / 7)
        known = design, errors**2, variances, noise, np.ones(400)
        found.append(regress(*known))
        foreseen.append(np.sqrt(np.diag(uncertainty(found[-1], *known))))
    np.testing.assert_allclose(np.mean(found, axis=0), [0.5, 0.3, -0.2], atol=0.08)
    np.testing.assert_allclose(np.mean(foreseen, axis=0), np.std(found, axis=0), rtol=0.2)


def test_the_band_is_wider_where_fewer_readings_were_drawn_at_random():
    assert spread_of(0.05, 80, 300) < 0.8 * spread_of(0.05, 20, 300)
    assert spread_of(0.05, 0, 300) == spread_of(0.05, 15, 300)  # tests tell a little of it, too
    assert spread_of(0.3, 80, 300) > 0.3


def test_a_map_without_any_error_is_told_so_without_a_band():
    gp = TestedGP(SHAPE)
    rows, columns = np.indices((8, 8)) * 8
    gp.update(np.column_stack([rows.ravel(), columns.ravel()]), np.full(64, 3.0))
    assert gp.error_estimate.nrmse < 1e-2
    assert np.isfinite(gp.error_estimate.nrmse)
