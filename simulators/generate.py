"""Specimens from a seed, for when there is no image at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import KDTree

from .specimen import Specimen, scale_to_rates

Picture: TypeAlias = NDArray[np.float64]  # (M, N)


def generate(
    kind: str,
    shape: tuple[int, int],
    seed: int = 0,
    peak_rate: float = 1e6,
    pixel_size: float = 0.1,
) -> Specimen:
    """Make a specimen of a known kind.

    Parameters
    ----------
    kind : {"flakes", "cells", "particles", "star", "gradients"}
        Polycrystalline flakes with grains, texture, cracks and pores on an empty substrate, as the
        dark-field maps of hard X-ray nanoprobes show them; biological cells; particles; a
        Siemens star; smooth gradients.
    shape : (int, int)
        Rows and columns.
    seed : int
        Of the random numbers; the same seed gives the same specimen.
    peak_rate : float
        Counts/s of the brightest pixel.
    pixel_size : float
        um.

    Raises
    ------
    ValueError
        When the kind is unknown or the shape is empty.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of specimen {kind!r}: expected one of {', '.join(KINDS)}")
    if min(shape) < 1:
        raise ValueError(f"a specimen of shape {shape}: expected at least one row and one column")
    picture = KINDS[kind](np.random.default_rng(seed), shape)
    return Specimen(scale_to_rates(np.maximum(picture, 0.0), peak_rate), pixel_size, kind)


def _raster(shape: tuple[int, int]) -> tuple[Picture, Picture]:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    return rows, columns


def _texture(
    rng: np.random.Generator, shape: tuple[int, int], length: float, slope: float = 2.0
) -> Picture:
    """Noise of unit variance whose power falls as frequency**-slope below `length` pixels."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    amplitude = (fy**2 + fx**2 + 1 / length**2) ** (-slope / 2)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * amplitude, s=shape)
    noise -= noise.mean()
    return noise / (noise.std() or 1.0)


def _points(rng: np.random.Generator, shape: tuple[int, int], count: int) -> Picture:
    """(count, 2) rows and columns, strewn evenly: the R2 sequence, shifted and jittered."""
    steps = np.arange(count)[:, None] * np.array([0.7548776662, 0.5698402910])  # 1/p, 1/p**2
    jitter = rng.normal(0, 0.15 / np.sqrt(count), (count, 2))
    return (rng.random(2) + steps + jitter) % 1 * shape


def _flakes(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    size = float(np.sqrt(shape[0] * shape[1]))
    flakes = _flake_depth(rng, shape, size)
    inside = flakes > np.quantile(flakes, 0.7)  # 30 % of the field is flake
    brightness, boundary = _grains(rng, shape, size)
    rows, columns = _raster(shape)
    tilt = 1 + 0.25 * (rows / shape[0] - 0.5) + 0.15 * (columns / shape[1] - 0.5)
    fine = np.exp(0.15 * _texture(rng, shape, 3.0, 1.2) + 0.15 * _texture(rng, shape, size / 12))
    depth = _distance(np.pad(inside, 1))[1:-1, 1:-1]
    edge = 1 - 0.45 * np.exp(-depth / (0.008 * size))
    picture = inside * brightness * tilt * fine * edge * (1 - 0.7 * boundary)
    picture *= 1 - 0.92 * _cracks(rng, shape, size, inside)
    picture *= 1 - 0.95 * _pores(rng, shape, size)
    substrate = 0.012 * (1 + 0.3 * _texture(rng, shape, size / 4))
    return gaussian_filter(picture, 0.5) + substrate


def _flake_depth(rng: np.random.Generator, shape: tuple[int, int], size: float) -> Picture:
    """How far inside a flake each pixel is: ragged polygons of a few straight crystal edges."""
    rows, columns = _raster(shape)
    depth = np.full(shape, -np.inf)
    for number, (row, column) in enumerate(_points(rng, shape, 6)):
        radius = size * (0.26 if number < 2 else rng.uniform(0.1, 0.2))
        angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(6) / 6 + rng.normal(0, 0.15, 6)
        reach = radius * rng.uniform(0.5, 1.15, 6)
        sides = [
            r - (rows - row) * np.sin(a) - (columns - column) * np.cos(a)
            for a, r in zip(angles, reach, strict=True)
        ]
        depth = np.maximum(depth, np.min(sides, axis=0))
    return depth + 0.008 * size * _texture(rng, shape, size / 8, 2.2)


def _grains(
    rng: np.random.Generator, shape: tuple[int, int], size: float
) -> tuple[Picture, Picture]:
    """Brightness of each crystal grain, and 1 on the boundaries between them."""
    rows, columns = _raster(shape)
    warp = 0.012 * size
    shifts = [warp * _texture(rng, shape, size / 10) for _ in range(2)]
    where = np.stack([rows + shifts[0], columns + shifts[1]], axis=-1)
    seeds = rng.random((70, 2)) * shape
    distance, nearest = map(np.asarray, KDTree(seeds).query(where, k=2))
    brightness = np.exp(rng.normal(0, 0.45, len(seeds)))
    brightness[rng.random(len(seeds)) < 0.12] *= 0.12  # out of the Bragg condition
    boundary = np.exp(-(((distance[..., 1] - distance[..., 0]) / (0.008 * size)) ** 2))
    return np.minimum(brightness, 2.0)[nearest[..., 0]], boundary


def _cracks(
    rng: np.random.Generator, shape: tuple[int, int], size: float, inside: NDArray[np.bool_]
) -> Picture:
    """1 on thin, wandering lines that begin within the flakes."""
    free = np.ones(shape, dtype=bool)
    starts = np.argwhere(inside)
    for start in starts[rng.integers(len(starts), size=10)] if len(starts) else ():
        steps = int(size * rng.uniform(0.15, 0.45))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.16, steps))
        path = start + np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
        path = np.round(path).astype(int)
        path = path[((path >= 0) & (path < shape)).all(axis=1)]
        free[path[:, 0], path[:, 1]] = False
    distance = _distance(free) if not free.all() else np.full(shape, np.inf)
    return np.exp(-((distance / (0.0045 * size + 0.35)) ** 2))


def _pores(rng: np.random.Generator, shape: tuple[int, int], size: float) -> Picture:
    rows, columns = _raster(shape)
    pores = np.zeros(shape)
    for row, column in _points(rng, shape, 60):
        radius = size * min(0.006 * rng.lognormal(0, 0.45), 0.02)
        distance = np.hypot(rows - row, columns - column)
        pores = np.maximum(pores, _smooth_step(radius - distance, 0.5))
    return pores


def _distance(mask: NDArray[np.bool_]) -> Picture:
    """Pixels from each True to the nearest False."""
    return np.asarray(distance_transform_edt(mask))


def _smooth_step(depth: Picture, width: float) -> Picture:
    """0 outside, 1 inside, `width` pixels soft."""
    return 0.5 * (1 + np.tanh(depth / width))


def _cells(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    size = float(np.sqrt(shape[0] * shape[1]))
    picture = 0.03 * (1 + 0.3 * _texture(rng, shape, size / 6))
    texture = _texture(rng, shape, size / 40, 1.5)
    waviness = 0.10 * _texture(rng, shape, size / 5, 2.5)
    for row, column in _points(rng, shape, 9):
        radius = size * rng.uniform(0.11, 0.17)
        ellipse = _ellipse(rng, shape, (row, column), radius, waviness)
        body = _smooth_step((1 - ellipse) * radius, 1.5)
        membrane = np.exp(-(((1 - ellipse) * radius / (0.008 * size + 0.5)) ** 2))
        thickness = np.sqrt(np.maximum(1 - ellipse**2, 0.0))
        nucleus = _nucleus(rng, shape, (row, column), radius, waviness)
        cell = (0.35 * thickness + 0.15 * membrane) * (1 + 0.18 * texture) + 0.55 * nucleus
        picture += body * np.maximum(cell, 0.0)
        picture += body * _spots(rng, shape, (row, column), 0.7 * radius, size)
    return gaussian_filter(picture, 0.6)


def _ellipse(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    waviness: Picture,
) -> Picture:
    """Distance from the centre in units of a wavy ellipse's radius."""
    rows, columns = _raster(shape)
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.75, 1.0)
    u = (columns - centre[1]) * np.cos(angle) + (rows - centre[0]) * np.sin(angle)
    v = (rows - centre[0]) * np.cos(angle) - (columns - centre[1]) * np.sin(angle)
    return np.hypot(u / radius, v / (radius * stretch)) + waviness


def _nucleus(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    waviness: Picture,
) -> Picture:
    offset = rng.normal(0, 0.15 * radius, 2)
    middle = (centre[0] + offset[0], centre[1] + offset[1])
    ellipse = _ellipse(rng, shape, middle, 0.4 * radius, 0.5 * waviness)
    chromatin = 1 + 0.25 * _texture(rng, shape, 0.2 * radius + 1, 2.0)
    return _smooth_step((1 - ellipse) * 0.4 * radius, 1.2) * chromatin


def _spots(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: tuple[float, float],
    spread: float,
    size: float,
) -> Picture:
    """Small bright organelles about a centre."""
    rows, columns = _raster(shape)
    spots = np.zeros(shape)
    for _ in range(25):
        row, column = np.array(centre) + rng.normal(0, 0.6 * spread, 2)
        sigma = 0.005 * size * rng.uniform(0.7, 1.5) + 0.3
        spots += rng.uniform(0.15, 0.7) * np.exp(
            -((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2)
        )
    return spots


def _particles(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Spheres, as thick as they are; some in clusters."""
    size = float(np.sqrt(shape[0] * shape[1]))
    rows, columns = _raster(shape)
    picture = np.zeros(shape)
    clusters = _points(rng, shape, 8)
    for number in range(90):
        row, column = rng.random(2) * shape
        if number % 2:
            row, column = clusters[number % 8] + rng.normal(0, 0.05 * size, 2)
        radius = min(0.014 * size * rng.lognormal(0, 0.5), 0.08 * size)
        squared = radius**2 - (rows - row) ** 2 - (columns - column) ** 2
        picture += rng.uniform(0.6, 1.2) * np.sqrt(np.maximum(squared, 0.0))
    return gaussian_filter(picture, 0.5) + 0.01 * picture.max()


def _star(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """A Siemens star of 36 spokes with two rings cut out, at an angle of its own."""
    rows, columns = _raster(shape)
    y, x = rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)
    outer = 0.47 * min(shape)
    # signed distance in pixels from the edge of the spoke
    spokes = np.sin(36 * angle) * np.maximum(radius, 1e-9) / 36
    star = _smooth_step(spokes, 0.5) * _smooth_step(outer - radius, 0.5)
    for ring in (0.33, 0.66):
        star *= 1 - _smooth_step(0.012 * outer + 0.5 - np.abs(radius - ring * outer), 0.5)
    return 0.02 + star


def _gradients(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """A few broad hills on a slope."""
    rows, columns = _raster(shape)
    size = float(np.sqrt(shape[0] * shape[1]))
    picture = 0.3 + 0.5 * rows / shape[0] * rng.random() + 0.5 * columns / shape[1] * rng.random()
    for row, column in _points(rng, shape, 6):
        sigma = size * rng.uniform(0.08, 0.25)
        hill = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2))
        picture += rng.uniform(-0.5, 1.0) * hill
    return picture - min(picture.min(), 0.0)


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Picture]] = {
    "flakes": _flakes,
    "cells": _cells,
    "particles": _particles,
    "star": _star,
    "gradients": _gradients,
}
