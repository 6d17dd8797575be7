"""Sampling noisy counts: error against the noiseless rate, every map by the noise-aware way.

python benchmarks/sampling_noise.py [--coverage 0.2]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sampling import AGENTS, STATIC, geometric, sample

from skysteer.agent import subgrid_pixels
from skysteer.models import SparseScan, inverse_distance, noise_aware, nrmse
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, counted, picture, specimen

PEAKS = (100, 30, 10)


def rates() -> dict[str, NDArray[np.float64]]:
    """Noiseless images, 0 to 1: four pictures, six specimens."""
    found = {name: picture(name, 160) for name in ("astronaut", "coins", "moon", "rocket")}
    for kind in ("flakes", "cells", "particles", "star", "crystals", "phases"):
        found[kind] = specimen(kind, (160, 160), FIRST_HELD_OUT_SEED + 4)
    return {name: (image - image.min()) / np.ptp(image) for name, image in found.items()}


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coverage", type=float, default=0.20)
    share = parser.parse_args().coverage
    methods = [*STATIC, "slads-net", *AGENTS]
    for peak in PEAKS:
        errors: dict[str, list[float]] = {}
        raw: dict[str, list[float]] = {}
        for truth in rates().values():
            counts = counted(truth, peak, np.random.default_rng(peak))
            num = round(share * truth.size)
            for method in methods:
                pixels = (
                    subgrid_pixels(truth.shape, num)
                    if method == "raster"
                    else sample(method, counts, num, 0)[0]
                )
                scan = SparseScan(truth.shape, pixels, counts[tuple(pixels.T)])
                errors.setdefault(method, []).append(nrmse(truth * peak, noise_aware(scan).image))
                raw.setdefault(method, []).append(nrmse(truth * peak, inverse_distance(scan)))
        best, best_raw = (np.min([some[m] for m in STATIC], axis=0) for some in (errors, raw))
        print(
            f"peak {peak}: NRMSE at {100 * share:g} %, over the best static design's: mean; worst"
        )
        for method in methods:
            ratio, ratio_raw = np.array(errors[method]) / best, np.array(raw[method]) / best_raw
            print(
                f"  {method:16s} {geometric(list(ratio)):.3f}; {ratio.max():.3f}   "
                f"(readings as they are {geometric(list(ratio_raw)):.3f}; {ratio_raw.max():.3f})"
            )


if __name__ == "__main__":
    main()
