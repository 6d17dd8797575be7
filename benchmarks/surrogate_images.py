"""Images, readings and rows of `surrogate.py` and its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, picture, specimen

Image = NDArray[np.float64]
Pixels = NDArray[np.int64]
Row = dict[str, Any]
PICTURES = ("astronaut", "brick", "cell", "coins", "gravel", "moon", "rocket")
SPECIMENS = ("flakes", "cells", "crystals")


def row(what: str, value: float, bar: str, holds: bool | None, baseline: Any = None) -> Row:
    """Make a row, its numbers rounded."""
    return {"what": what, "value": float(f"{value:.4g}"), "baseline": baseline, "bar": bar,
            "holds": None if holds is None else bool(holds)}  # fmt: skip


def unit(image: Image) -> Image:
    """Scale an image to 0 to 1."""
    return (image - image.min()) / np.ptp(image)


def images(side: int) -> dict[str, Image]:
    """Ten images that no network of ours learnt from."""
    found = {name: picture(name, side) for name in PICTURES}
    for kind in SPECIMENS:
        found[kind] = specimen(kind, (side, side), FIRST_HELD_OUT_SEED + 4)
    return {name: unit(image) for name, image in found.items()}


def counted(image: Image, peak: int, seed: int = 1) -> Image:
    """Readings of an image: counts where it is brightest, over these; 0 is without noise."""
    rng = np.random.default_rng(peak if seed == 1 else [peak, seed])
    return rng.poisson(image * peak) / peak if peak else image


def counting(agent: str, peak: int) -> dict[str, float]:
    """Options of an agent that reads counts."""
    return {"counts_per_unit": peak} if peak and agent in ("gp", "hybrid", "slads") else {}


def levelled(peak: int) -> str:
    """How a level of noise reads."""
    return f"{peak} counts" if peak else "noise-free"
