"""The sampling network as it is shipped: what it says, and that it beats what needs no network."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import skysteer.models
from skysteer.agent import Request, Slads, Spread, halton_pixels
from skysteer.models import SparseScan, inverse_distance, load_error_network, nrmse
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, picture, specimen

NOTHING = np.empty((0, 2), dtype=np.int64)
SHIPPED = Path(skysteer.models.__file__).with_name("error_network.safetensors")


def scan_of(truth, pixels):
    return SparseScan.of(truth.shape, pixels, truth[tuple(pixels.T)])


def sampled(sampler, truth, share, batch=50, seed=0):
    """The scan after a share of the pixels, and the error that the sampler expects of it."""
    pixels = halton_pixels(truth.shape, round(0.01 * truth.size), seed)
    while True:
        choice = sampler.choose(Request(scan_of(truth, pixels), NOTHING, batch))
        if len(pixels) >= share * truth.size:
            return scan_of(truth, pixels), choice.expected_error
        pixels = np.concatenate([pixels, choice.pixels])


UNSEEN = {
    "moon": lambda: picture("moon", 160),
    "coins": lambda: picture("coins", 160),
    "flakes": lambda: specimen("flakes", (160, 160), FIRST_HELD_OUT_SEED + 50),
    "cells": lambda: specimen("cells", (160, 160), FIRST_HELD_OUT_SEED + 50),
    "crystals": lambda: specimen("crystals", (160, 160), FIRST_HELD_OUT_SEED + 50),
}


def test_on_unseen_images_it_errs_less_than_what_needs_no_network_and_half_of_an_even_design():
    ratios, even = [], []
    for made in UNSEEN.values():
        truth = made()
        scan, _ = sampled(Slads(), truth, 0.10)
        error = nrmse(truth, inverse_distance(scan))
        training_free, _ = sampled(Spread(flatness=0.0), truth, 0.10)
        design = scan_of(truth, halton_pixels(truth.shape, len(scan.values), 0))
        ratios.append(error / nrmse(truth, inverse_distance(training_free)))
        even.append(error / nrmse(truth, inverse_distance(design)))
    assert np.exp(np.mean(np.log(ratios))) < 0.99
    assert np.exp(np.mean(np.log(even))) < 0.75


@pytest.mark.parametrize("name", UNSEEN)
def test_the_error_that_it_expects_is_about_the_error_that_it_makes(name):
    truth = UNSEEN[name]()
    sampler = Slads()
    for share in (0.05, 0.15):
        scan, expected = sampled(sampler, truth, share)
        assert 0.6 < expected / nrmse(truth, inverse_distance(scan)) < 1.7


def test_provenance_names_the_file_that_decides(tmp_path):
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert Slads().provenance() == {"weights_sha256": digest}
    assert digest in SHIPPED.with_suffix(".md").read_text()
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(SHIPPED.read_bytes())
    assert Slads(weights=str(copy)).provenance() == {"weights_sha256": digest}


def test_the_shipped_weights_are_small():
    load_error_network()
    assert SHIPPED.stat().st_size < 100_000


def test_flatness_serves_the_flat_parts():
    truth = np.zeros((80, 80))
    truth[:, 40:] = 10 + 5 * np.random.default_rng(0).random((80, 40))
    sharp, _ = sampled(Slads(flatness=0.0), truth, 0.1)
    even, _ = sampled(Slads(flatness=0.6), truth, 0.1)
    assert (even.pixels[:, 1] < 38).sum() > 1.2 * (sharp.pixels[:, 1] < 38).sum()


def test_broken_weights_fail_before_the_scan(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(SHIPPED.read_bytes()[:-7])
    with pytest.raises(ValueError, match="is no safetensors file"):
        Slads(weights=str(broken))
