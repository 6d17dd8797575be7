"""Training the sampling network: the same seed, the same file; and what it is never shown."""

import numpy as np
import pytest
import torch

from skysteer.models import load_error_network
from skysteer.rehearsal import sampler_images
from skysteer.rehearsal.sampler_images import counted, lessons, picture, specimen
from skysteer.rehearsal.train_sampler import Lesson, correction, fit, look, train


@pytest.fixture
def one_thread():
    """As `train` has it: two threads that wait for each other take minutes on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Silent:
    def update(self):
        pass


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path):
    reports = [
        train(tmp_path / f"{k}.safetensors", seed=seed, rounds=(2, 1), epochs=1)
        for k, seed in enumerate((3, 3, 4))
    ]
    files = [(tmp_path / f"{k}.safetensors").read_bytes() for k in range(3)]
    assert files[0] == files[1] != files[2]
    assert reports[0]["sha256"] == load_error_network(tmp_path / "0.safetensors")[1]
    assert reports[0]["images"] == 3 and reports[0]["samples"] == 3 * 8 * 600
    assert np.isfinite(reports[0]["gain"])


def test_it_learns_the_expectation_and_not_the_median(one_thread):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200_000, 24)).astype(np.float32)
    true = features[:, 0]
    errors = np.exp2(true) * rng.exponential(size=len(true))
    # Gains that are as often losses, and twice as large on average as the errors.
    gains = errors * rng.choice([-3.0, 7.0], size=len(true))
    ratios = np.column_stack([errors, gains]).astype(np.float32)
    lesson = Lesson(features, ratios, np.ones(len(ratios), dtype=bool))
    octaves = correction(fit(lesson, 4, 0, Silent()), features)
    for some in (true > 0.5, np.abs(true) < 0.5, true < -0.5):
        # An exponential's median lies 0.53 octaves below its expectation.
        assert (octaves[:, 0] - true)[some].mean() == pytest.approx(0, abs=0.25)
        assert (octaves[:, 1] - true)[some].mean() == pytest.approx(1, abs=0.3)


def test_a_lesson_holds_the_error_that_was_made():
    truth = specimen("cells", (64, 64), 5)
    lesson = look(truth, None, seed=1)
    errors, gains = lesson.ratios.T
    assert len(errors) == 8 * 600 and lesson.even.sum() == 8 * 400
    assert (errors >= 0).all() and np.isfinite(lesson.features).all()
    assert 0.1 < np.mean(np.minimum(errors, 60)) < 10
    assert gains.min() < 0 < np.median(gains)


def test_what_is_learnt_from_and_what_is_judged_by_share_nothing():
    assert not set(sampler_images.LEARNT_FROM) & set(sampler_images.HELD_OUT)
    assert {"coins", "moon", "brick"} <= set(sampler_images.HELD_OUT)
    for name in (*sampler_images.LEARNT_FROM, *sampler_images.HELD_OUT):
        image = picture(name, 32)
        assert image.shape == (32, 32) and np.isfinite(image).all() and np.ptp(image) > 0


def test_lessons_come_from_the_seed():
    for one, other in zip(lessons(5, 1), lessons(5, 1), strict=True):
        np.testing.assert_array_equal(one, other)
        assert 112 <= one.shape[0] == one.shape[1] <= 192 and np.ptp(one) > 0


@pytest.mark.parametrize("kind", [*sampler_images.SPECIMENS, *sampler_images.SYNTHETIC])
def test_every_specimen_is_an_image(kind):
    image = specimen(kind, (48, 60), 9)
    assert image.shape == (48, 60) and np.isfinite(image).all()
    assert image.min() >= 0 and image.max() == pytest.approx(1)


def test_counts_have_the_variance_of_counts():
    image = np.tile([0.0, 1.0], (200, 200))
    noisy = counted(image, 50, np.random.default_rng(0))
    bright = noisy[image == 1]
    assert bright.mean() == pytest.approx(50, rel=0.02)
    assert bright.var() == pytest.approx(50, rel=0.1)


def test_training_leaves_the_number_of_threads_as_it_was(tmp_path):
    before = torch.get_num_threads()
    train(tmp_path / "w.safetensors", rounds=(1,), epochs=1)
    assert torch.get_num_threads() == before
