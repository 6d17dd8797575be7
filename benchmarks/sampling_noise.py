"""Sampling noisy counts: error against the noiseless rate, every map by the noise-aware way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sampling_bars import Bar, mean_bar
from sampling_rows import Row, Rows, geometric, kept
from sampling_runs import AGENTS, STATIC, Image, measure

from skysteer.models import SparseScan, inverse_distance, noise_aware, nrmse
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, counted, picture, specimen

PEAKS = {100: 0.90, 30: 0.90, 10: 0.95}  # counts at the brightest pixel, and the bar
METHODS = (*STATIC, "slads-net", *AGENTS)
SHARE = 0.20


def rates() -> Iterator[tuple[str, Image]]:
    """Four pictures, six specimens."""
    for name in ("astronaut", "coins", "moon", "rocket"):
        yield name, picture(name, 160)
    for kind in ("flakes", "cells", "particles", "star", "crystals", "phases"):
        yield kind, specimen(kind, (160, 160), FIRST_HELD_OUT_SEED + 4)


def collect(which: Sequence[tuple[str, Image]], seeds: int, keep: Path | None) -> Rows:
    """Both errors of every method, by (image and peak, method, seed)."""
    rows: Rows = {}
    for seed in range(seeds):
        for image, truth in which:
            for peak in PEAKS:
                for method in METHODS:
                    name = f"{image}, peak {peak}"
                    make = partial(_record, truth, peak, method, seed)
                    rows[name, method, seed] = kept(keep, f"{name}_{method}_{seed}", truth, make)
    return rows


def _record(truth: Image, peak: int, method: str, seed: int) -> Row:
    counts = counted(truth, peak, np.random.default_rng([peak, seed]))
    rate = (truth - truth.min()) * (peak / np.ptp(truth))
    pixels = measure(method, counts, seed, share=SHARE).pixels
    scan = SparseScan(truth.shape, pixels, counts[tuple(pixels.T)])
    made = {"noise-aware": noise_aware(scan).image, "as they are": inverse_distance(scan)}
    return {how: nrmse(rate, image) for how, image in made.items()}


def to_static(rows: Rows, method: str, peak: int, how: str) -> np.ndarray:
    """(S, I) errors over the best static design's."""
    seeds = sorted({seed for _, _, seed in rows})
    images = list(dict.fromkeys(name for name, _, _ in rows if name.endswith(f"peak {peak}")))
    return np.array(
        [
            [rows[i, method, s][how] / min(rows[i, m, s][how] for m in STATIC) for i in images]
            for s in seeds
        ]
    )


def print_noise(rows: Rows) -> None:
    """The table."""
    for peak in PEAKS:
        print(f"\nPeak of {peak} counts: NRMSE at 20 % over the best static design's: mean; worst")
        for method in METHODS:
            aware, raw = (to_static(rows, method, peak, h) for h in ("noise-aware", "as they are"))
            worst, worst_raw = (np.mean(table, axis=0).max() for table in (aware, raw))
            print(
                f"{method:16s} {geometric(aware.ravel()):.3f}; {worst:.3f}   "
                f"(readings as they are {geometric(raw.ravel()):.3f}; {worst_raw:.3f})"
            )


def noise_bars(rows: Rows) -> list[Bar]:
    """One for each peak."""
    what = "NRMSE at 20 % over the best static pattern's, noise-aware map, peak of"
    tables = {peak: to_static(rows, "slads", peak, "noise-aware") for peak in PEAKS}
    return [mean_bar(f"{what} {p} counts: mean", tables[p], PEAKS[p], False) for p in PEAKS]
