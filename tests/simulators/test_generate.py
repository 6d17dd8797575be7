from __future__ import annotations

import numpy as np
import pytest

from skysteer.simulators import generate
from skysteer.simulators.generate import KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (64, 48)])
def test_every_kind_fills_every_shape_with_its_peak_rate(kind: str, shape: tuple[int, int]) -> None:
    specimen = generate(kind, shape, seed=3, peak_rate=500.0)
    assert specimen.shape == shape
    assert specimen.rates.max() == pytest.approx(500.0) or not specimen.rates.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_specimen(kind: str) -> None:
    again, same = (generate(kind, (64, 64), seed=5).rates for _ in range(2))
    np.testing.assert_array_equal(again, same)
    assert not np.allclose(again, generate(kind, (64, 64), seed=6).rates)


def test_flakes_cover_a_third_of_an_empty_substrate_and_differ_grain_by_grain() -> None:
    for seed in range(5):
        rates = generate("flakes", (128, 128), seed, peak_rate=1.0).rates[0]
        substrate = rates < 0.04
        assert 0.6 < substrate.mean() < 0.85
        flakes = rates[~substrate]
        assert flakes.std() / flakes.mean() > 0.3
        assert flakes.mean() > 10 * rates[substrate].mean()


def test_gradients_are_smooth_and_a_star_has_its_spokes() -> None:
    hills = generate("gradients", (128, 128), 1, peak_rate=1.0).rates[0]
    assert np.abs(np.diff(hills, axis=0)).max() < 0.1
    star = generate("star", (201, 201), 1, peak_rate=1.0).rates[0]
    angle = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    ring = star[
        np.round(100 + 80 * np.sin(angle)).astype(int),
        np.round(100 + 80 * np.cos(angle)).astype(int),
    ]
    power = np.abs(np.fft.rfft(ring - ring.mean()))
    assert power.argmax() == 36


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown kind .*flakes.*star"):
        generate("moon", (8, 8))
    with pytest.raises(ValueError, match="at least one row"):
        generate("flakes", (0, 8))
