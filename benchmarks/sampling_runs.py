"""What each sampler measures on each image: run once, kept, read off for everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from incremental_slads_net import slads_net_pixels
from numpy.typing import NDArray

from skysteer.agent import StageTime, halton_pixels, subgrid_pixels, tour
from skysteer.models import ErrorMap, SparseScan
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.sampler_images import (
    FIRST_HELD_OUT_SEED,
    HELD_OUT,
    counted,
    picture,
    specimen,
)

Image = NDArray[np.float64]
Pixels = NDArray[np.int64]

COVERAGES = (0.02, 0.05, 0.10, 0.15, 0.20, 0.25)
BATCH = 50
STATIC = ("raster", "uniform", "low-discrepancy")
AGENTS = {
    "spread": ("skysteer.agent:Spread", {}),
    "slads": ("skysteer.agent:Slads", {}),
    "slads-ssim": ("skysteer.agent:Slads", {"flatness": 0.15}),
}


@dataclass(frozen=True, eq=False)
class Run:
    """What was measured.

    Attributes
    ----------
    pixels : (P, 2) ndarray of int64
        In the order chosen.
    ends : (B,) ndarray of int64
        Points measured after each batch; the first is the start.
    cpu_ms : (D,) ndarray of float64
        Processor time of the decisions, where they are the product's own.
    """

    pixels: Pixels
    ends: NDArray[np.int64]
    cpu_ms: NDArray[np.float64]

    def routed(self, stage: StageTime) -> Pixels:
        """(P, 2) the pixels as the stage visits them: each batch in its quickest order."""
        if len(self.cpu_ms):  # the product has routed it already
            return self.pixels
        parts: list[Pixels] = []
        for first, end in zip([0, *self.ends[:-1]], self.ends, strict=True):
            batch = self.pixels[first:end]
            here = tuple(parts[-1][-1]) if parts else (0, 0)
            parts.append(batch[tour(batch, here, stage)])
        return np.concatenate(parts)


def images() -> Iterator[tuple[str, Image]]:
    """Pictures of 256 x 256, specimens of 256 x 256 and of 160 x 160; four of them noisy."""
    for name in HELD_OUT:
        yield name, picture(name, 256)
    rng = np.random.default_rng(FIRST_HELD_OUT_SEED)
    for kind in ("flakes", "crystals"):
        yield f"{kind}-256", specimen(kind, (256, 256), FIRST_HELD_OUT_SEED + 1)
    for kind in ("flakes", "cells", "particles", "star", "texture", "phases", "crystals"):
        yield kind, specimen(kind, (160, 160), FIRST_HELD_OUT_SEED + 2)
    for kind, peak in (("flakes", 100), ("cells", 30), ("fringes", 300), ("speckle", 1000)):
        made = specimen(kind, (160, 160), FIRST_HELD_OUT_SEED + 3)
        yield f"{kind}-{peak}-counts", counted(made, peak, rng)


def measure(
    method: str,
    truth: Image,
    seed: int,
    stage: StageTime | None = None,
    share: float = COVERAGES[-1],
) -> Run:
    """Let a method measure a share of an image.

    In batches of 50; the product's own samplers in such as suit a stage, where one is given.
    """
    num = round(share * truth.size)
    if method == "raster":
        return Run(subgrid_pixels(truth.shape, num), np.array([num]), np.empty(0))
    if method in AGENTS:
        return agent_run(method, truth, num, seed, None if stage else BATCH, stage)
    pixels = _pixels(method, truth, num, seed)
    start = num if method in STATIC else max(10, round(0.01 * truth.size))
    return Run(pixels, np.unique([*range(start, num, BATCH), num]), np.empty(0))


def agent_run(
    method: str, truth: Image, num: int, seed: int, batch: int | None, stage: StageTime | None
) -> Run:
    """Let one of the product's own samplers measure; the batch may be left to the stage."""
    agent, options = AGENTS[method]
    runs = run_agent(truth, agent, num, batch=batch, seed=seed, options=options, stage=stage)
    *_, (_, trajectory) = runs
    assert trajectory is not None
    ends = np.append(trajectory.decided_at[1:], num)
    return Run(trajectory.scan.pixels, ends, trajectory.cpu_ms[1:])


def reconstruct(truth: Image, pixels: Pixels) -> Image:
    """Inverse-distance map of some pixels."""
    error_map = ErrorMap(truth.shape)
    error_map.update(SparseScan(truth.shape, pixels, truth[tuple(pixels.T)]))
    return error_map.image


def _pixels(method: str, truth: Image, num: int, seed: int) -> Pixels:
    if method == "mix":
        return _score_run(truth, num, seed, _mix)
    if method == "oracle":
        return _score_run(truth, num, seed, _oracle(truth))
    if method == "slads-net":
        return slads_net_pixels(truth, num, BATCH, seed)
    if method == "low-discrepancy":
        return halton_pixels(truth.shape, num, seed)
    if method == "uniform":
        flat = np.random.default_rng(seed).permutation(truth.size)[:num]
        return np.column_stack(np.divmod(flat, truth.shape[1]))
    raise ValueError(f"there is no method {method!r}")


def _score_run(truth: Image, num: int, seed: int, score: Callable[[ErrorMap], Image]) -> Pixels:
    """Measure the pixels of the highest score, those nearer than 2 px to a better one left out."""
    error_map = ErrorMap(truth.shape)
    pixels = halton_pixels(truth.shape, max(10, round(0.01 * truth.size)), seed)
    while len(pixels) < num:
        error_map.update(SparseScan(truth.shape, pixels, truth[tuple(pixels.T)]))
        values = score(error_map)
        values[tuple(pixels.T)] = -np.inf
        taken = np.zeros(np.add(truth.shape, 2), dtype=bool)
        chosen: list[tuple[int, int]] = []
        few = np.argpartition(-values.ravel(), min(20 * BATCH, truth.size - 1))[: 20 * BATCH]
        for flat in few[np.argsort(-values.ravel()[few], kind="stable")]:
            row, column = divmod(int(flat), truth.shape[1])
            if len(chosen) < BATCH and not taken[row + 1, column + 1]:
                chosen.append((row, column))
                taken[row : row + 3, column : column + 3] = True
        pixels = np.concatenate([pixels, chosen])
    return pixels[:num]


def _mix(error_map: ErrorMap) -> Image:
    """Score the plainest training-free way: d sqrt(E0)."""
    return np.sqrt(error_map.near * error_map.squared_error)


def _oracle(truth: Image) -> Callable[[ErrorMap], Image]:
    """Score by the true squared error times the squared distance: what no method can know."""
    return lambda error_map: np.square(truth - error_map.image) * error_map.near
