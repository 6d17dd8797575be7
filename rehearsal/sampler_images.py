"""What the sampling network learns from, and what it is never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree
from skimage.transform import resize

from ..simulators import generate

Image = NDArray[np.float64]

# scikit-image's pictures that need no download; the second half is for judging only.
LEARNT_FROM = (
    "camera", "chelsea", "coffee", "colorwheel", "grass", "horse", "immunohistochemistry",
    "microaneurysms", "page", "retina", "shepp_logan_phantom", "text",
)  # fmt: skip
HELD_OUT = (
    "astronaut", "brick", "cell", "clock", "coins", "gravel", "hubble_deep_field", "moon", "rocket",
)  # fmt: skip
SPECIMENS = ("flakes", "cells", "particles", "star", "gradients")
FIRST_HELD_OUT_SEED = 1_000_000  # specimens below are for learning, from here on for judging


def picture(name: str, side: int) -> Image:
    """Give the middle square of one of scikit-image's pictures, grey, as ``side`` x ``side``."""
    whole = np.asarray(getattr(skimage.data, name)(), dtype=np.float64)
    grey = whole if whole.ndim == 2 else whole[..., :3].mean(axis=-1)
    edge = min(grey.shape)
    top, left = ((n - edge) // 2 for n in grey.shape)
    square = grey[top : top + edge, left : left + edge]
    return np.asarray(resize(square, (side, side), anti_aliasing=True, preserve_range=True))


def specimen(kind: str, shape: tuple[int, int], seed: int) -> Image:
    """Make a specimen of the simulators or one of `SYNTHETIC`, brightest pixel 1."""
    if kind in SPECIMENS:
        return generate(kind, shape, seed, peak_rate=1.0).rates[0]
    rng = np.random.default_rng(seed)
    made = SYNTHETIC[kind](rng, shape)
    made = made - made.min()
    return made / (made.max() or 1.0)


def counted(image: Image, peak: float, rng: np.random.Generator) -> Image:
    """Count photons: Poisson with so many expected where the image is brightest."""
    low, high = image.min(), image.max()
    return rng.poisson((image - low) * (peak / (high - low))).astype(np.float64)


def lessons(number: int, seed: int) -> Iterator[Image]:
    """Draw images to learn from: crops of pictures and specimens, with and without noise."""
    rng = np.random.default_rng(seed)
    kinds = (*SPECIMENS, *SYNTHETIC)
    for k in range(number):
        side = int(rng.integers(112, 193))
        if k % 3 == 0:
            image = _glimpse(side, rng)
        else:
            image = specimen(
                str(rng.choice(kinds)), (side, side), int(rng.integers(FIRST_HELD_OUT_SEED))
            )
            image = gaussian_filter(image, rng.uniform(0.5, 3.0)) if rng.random() < 0.2 else image
            image = image * _glimpse(side, rng) if rng.random() < 0.15 else image
        image = image.max() - image if rng.random() < 0.25 else image
        if rng.random() < 0.35 and np.ptp(image) > 0:
            image = counted(image, float(10 ** rng.uniform(1, 3.5)), rng)
        yield image


def _glimpse(side: int, rng: np.random.Generator) -> Image:
    """Crop one of the pictures at some size, and bend its greys."""
    image = picture(str(rng.choice(LEARNT_FROM)), int(rng.integers(side, 450)))
    top, left = rng.integers(len(image) - side + 1, size=2)
    image = image[top : top + side, left : left + side]
    image = (image - image.min()) / (np.ptp(image) or 1.0)
    return image ** (2.0 ** rng.uniform(-1, 1)) if rng.random() < 0.5 else image


def _field(rng: np.random.Generator, shape: tuple[int, int], slope: float, length: float) -> Image:
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    amplitude = (fy**2 + fx**2 + 1 / length**2) ** (-slope / 2)
    return np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * amplitude, s=shape)


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    field = _field(rng, shape, rng.uniform(1.0, 2.5), 10 ** rng.uniform(0.5, 2.0))
    return np.exp(rng.uniform(0.3, 1.0) * field / field.std()) if rng.random() < 0.5 else field


def _phases(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Regions of a few levels with sharp edges, one of them often empty."""
    field = _field(rng, shape, rng.uniform(1.6, 2.6), rng.uniform(20, 120))
    cuts = np.quantile(field, np.sort(rng.uniform(0.1, 0.95, rng.integers(1, 4))))
    levels = rng.uniform(0, 1, len(cuts) + 1)
    levels[0] *= rng.random() < 0.5
    return gaussian_filter(levels[np.searchsorted(cuts, field)], rng.uniform(0.2, 1.2))


def _crystals(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    seeds = rng.random((int(rng.integers(10, 200)), 2)) * shape
    pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1)
    distance, nearest = map(np.asarray, KDTree(seeds).query(pixels, k=2))
    bright = rng.gamma(1.0, 1.0, len(seeds))[nearest[..., 0]]
    edge = 1 - rng.uniform(0, 0.9) * np.exp(-((distance[..., 1] - distance[..., 0]) ** 2) / 2)
    inner = 1 + rng.uniform(0, 0.2) * _texture(rng, shape) if rng.random() < 0.5 else 1.0
    return gaussian_filter(bright * edge * inner, 0.5)


def _fringes(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    rows, columns = np.mgrid[: shape[0], : shape[1]] / rng.uniform(6, 30)
    angle, bend = rng.uniform(0, np.pi), _field(rng, shape, 2.5, 100)
    phase = rows * np.sin(angle) + columns * np.cos(angle) + rng.uniform(0, 2) * bend / bend.std()
    envelope = _field(rng, shape, 2.5, 60)
    return (1 + np.sin(2 * np.pi * phase)) * np.exp(envelope / envelope.std())


def _speckle(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Few bright spots of all sizes on an almost empty field."""
    spots = np.zeros(shape)
    for _ in range(int(rng.integers(3, 60))):
        row, column, size = (
            rng.integers(shape[0]),
            rng.integers(shape[1]),
            10 ** rng.uniform(-0.3, 1),
        )
        one = np.zeros(shape)
        one[row, column] = 1
        one = gaussian_filter(one, size, mode="constant")
        spots += rng.gamma(1.0, 1.0) * one / one.max()
    return spots + 0.02 * rng.random() * np.abs(_field(rng, shape, 1.5, 30))


SYNTHETIC: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image]] = {
    "texture": _texture,
    "phases": _phases,
    "crystals": _crystals,
    "fringes": _fringes,
    "speckle": _speckle,
}
