"""Map, features and target against what FAST's own code computed on three images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skysteer.models import (
    SparseScan,
    nearest_measured,
    reconstruct,
    reduction_in_distortion,
    rescaled,
    slads_features,
)

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "slads-net-reference.npz"
CASES = [(name, moment) for name in ("coins", "moon", "brick") for moment in ("start", "10pc")]

pytestmark = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference of FAST's own figures is not at hand"
)


class Case:
    """One image at one moment: FAST's figures, and the rows of ours that they belong to."""

    def __init__(self, name: str, moment: str) -> None:
        with np.load(REFERENCE, allow_pickle=False) as data:
            self.truth = data[f"{name}/image"].astype(float)
            self.figures = {
                key: data[f"{name}/{moment}/{key}"]
                for key in (
                    "measured",
                    "pixels",
                    "tied",
                    "features",
                    "reconstruction",
                    "reduction_in_distortion",
                )
            }
        measured = self.figures["measured"]
        self.scan = SparseScan.of(
            self.truth.shape, measured, self.truth[measured[:, 0], measured[:, 1]]
        )
        row_of = np.full(self.truth.shape, -1)
        row_of[tuple(self.scan.unmeasured.T)] = np.arange(len(self.scan.unmeasured))
        self.rows = row_of[tuple(self.figures["pixels"].T)]
        self.untied = ~self.figures["tied"]
        self.ours = reconstruct(self.scan)
        self.ours_rescaled = reconstruct(rescaled(self.scan))

    def fast_image(self, rescale: bool) -> np.ndarray:
        image = self.figures["reconstruction"].astype(float)
        if rescale:
            low, high = self.scan.values.min(), self.scan.values.max()
            image = (image - low) / (high - low) * 100
        return image


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def case(request) -> Case:
    return Case(*request.param)


def assert_near(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert len(ours) > 100
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_the_same_pixels_are_tied(case):
    nearest = nearest_measured(case.scan, case.figures["pixels"].astype(int), neighbours=11)
    tied = nearest.distances[:, 9] == nearest.distances[:, 10]
    np.testing.assert_array_equal(tied, case.figures["tied"])


def test_the_map_is_fast_s(case):
    at = tuple(case.figures["pixels"][case.untied].T)
    assert_near(case.ours.image[at], case.figures["reconstruction"][at])


def test_the_features_of_the_neighbours_are_fast_s(case):
    features = slads_features(case.ours_rescaled)[case.rows]
    for feature in range(4):
        theirs = case.figures["features"][case.untied, feature]
        assert_near(features[case.untied, feature], theirs)


def test_the_gradients_are_fast_s_on_fast_s_map(case):
    # On its map, since a gradient reads neighbouring pixels, of which many are tied.
    ours = replace(case.ours_rescaled, image=case.fast_image(rescale=True))
    features = slads_features(ours)[case.rows]
    for feature in (4, 5):
        assert_near(features[:, feature], case.figures["features"][:, feature])


def test_the_target_is_fast_s_on_fast_s_map(case):
    ours = replace(case.ours, image=case.fast_image(rescale=False))
    target = reduction_in_distortion(ours, case.truth)[case.rows]
    assert_near(target, case.figures["reduction_in_distortion"])
