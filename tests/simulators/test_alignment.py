"""The simulated alignment, and Hartmann's function."""

from __future__ import annotations

import numpy as np
import torch
from botorch.test_functions import Hartmann

from skysteer.simulators import Alignment, hartmann4


def test_hartmanns_function_is_botorchs_but_for_its_scale():
    places = np.random.default_rng(0).random((50, 4))
    theirs = Hartmann(dim=4).evaluate_true(torch.tensor(places)).numpy()
    np.testing.assert_allclose((1.1 - hartmann4(places)) / 0.839, theirs, rtol=1e-5)


def test_no_flux_is_higher_than_at_the_top():
    alignment = Alignment.random(seed=3)
    low, high = np.array([limits[1:] for limits in alignment.motors]).T
    everywhere = low + np.random.default_rng(0).random((4096, 4)) * (high - low)
    assert alignment.flux(everywhere).max() < alignment.peak == alignment.flux(alignment.top)[0]
    assert ((low < alignment.top) & (alignment.top < high)).all()


def test_motors_are_coupled_and_seeds_differ():
    alignment, other = Alignment.random(seed=3), Alignment.random(seed=4)
    assert (alignment.top != other.top).all()
    step = np.array([0.2, 0.2, 0.0, 0.0])
    along, across = alignment.flux([alignment.top + step, alignment.top + step * [1, -1, 1, 1]])
    assert abs(along - across) > 0.01 * alignment.peak
