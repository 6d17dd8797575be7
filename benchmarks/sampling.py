"""Sampling side by side: how good, with how many points, how fast.

    python benchmarks/sampling.py [--image FILE ...] [--quick] [--seeds N] [--keep FOLDER] [--json]

All methods start from the same 1 % low-discrepancy points (static designs excepted), choose batches
of 50 and are scored by the same inverse-distance map.  The images were never learnt from: nine of
scikit-image's pictures, and specimens of other seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from incremental_slads_net import slads_net_pixels
from numpy.typing import NDArray

from skysteer.agent import halton_pixels, subgrid_pixels
from skysteer.models import ErrorMap, SparseScan, nrmse, psnr, ssim
from skysteer.rehearsal import load_truth, run_agent
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
    "slads-nrmse": ("skysteer.agent:Slads", {"flatness": 0.0}),
}
NOTHING = np.empty((0, 2), dtype=np.int64)


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


def score_run(
    truth: Image, num: int, seed: int, score: Callable[[ErrorMap], Image], spaced: bool = True
) -> Pixels:
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
            if len(chosen) < BATCH and not (spaced and taken[row + 1, column + 1]):
                chosen.append((row, column))
                taken[row : row + 3, column : column + 3] = True
        pixels = np.concatenate([pixels, chosen])
    return pixels[:num]


def mix(error_map: ErrorMap) -> Image:
    """Score the plainest training-free way: d sqrt(E0)."""
    return np.sqrt(error_map.near * error_map.squared_error)


def oracle(truth: Image) -> Callable[[ErrorMap], Image]:
    """Score by the true squared error times the squared distance: what no method can know."""
    return lambda error_map: np.square(truth - error_map.image) * error_map.near


def sample(method: str, truth: Image, num: int, seed: int) -> tuple[Pixels, NDArray[np.float64]]:
    """(P, 2) pixels that a method measures, and the CPU ms of its decisions where it has any."""
    if method == "mix":
        return score_run(truth, num, seed, mix), np.empty(0)
    if method == "oracle":
        return score_run(truth, num, seed, oracle(truth)), np.empty(0)
    if method == "slads-net":
        return slads_net_pixels(truth, num, BATCH, seed), np.empty(0)
    if method == "low-discrepancy":
        return halton_pixels(truth.shape, num, seed), np.empty(0)
    if method == "uniform":
        flat = np.random.default_rng(seed).permutation(truth.size)[:num]
        return np.column_stack(np.divmod(flat, truth.shape[1])), np.empty(0)
    agent, options = AGENTS[method]
    runs = list(run_agent(truth, agent, num, batch=BATCH, seed=seed, options=options))
    trajectory = runs[-1][1]
    assert trajectory is not None
    return trajectory.scan.pixels, trajectory.cpu_ms[1:]


def curve(truth: Image, pixels: Pixels) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Points and NRMSE along a scan, every quarter of a percent."""
    error_map = ErrorMap(truth.shape)
    counts = np.arange(0.01, len(pixels) / truth.size + 1e-9, 0.0025) * truth.size
    errors = []
    for count in np.rint(counts).astype(int):
        some = pixels[:count]
        error_map.update(SparseScan(truth.shape, some, truth[tuple(some.T)]))
        errors.append(nrmse(truth, error_map.image))
    return np.rint(counts).astype(np.int64), np.array(errors)


def reconstruct(truth: Image, pixels: Pixels) -> Image:
    """Inverse-distance map of some pixels."""
    error_map = ErrorMap(truth.shape)
    error_map.update(SparseScan(truth.shape, pixels, truth[tuple(pixels.T)]))
    return error_map.image


def record(method: str, truth: Image, seed: int) -> dict[str, object]:
    """All figures of one method on one image."""
    num = round(COVERAGES[-1] * truth.size)
    row: dict[str, object] = {}
    if method == "raster":
        for share in COVERAGES:
            row |= quality(truth, subgrid_pixels(truth.shape, round(share * truth.size)), share)
        return row
    began = time.process_time()
    pixels, cpu_ms = sample(method, truth, num, seed)
    row["cpu_s"] = time.process_time() - began
    for share in COVERAGES:
        count = round(share * truth.size)
        if count <= len(pixels):
            row |= quality(truth, pixels[:count], share)
    counts, errors = curve(truth, pixels)
    row |= {"points": counts.tolist(), "errors": errors.tolist()}
    row["travel"] = float(np.abs(np.diff(pixels, axis=0)).max(axis=1).sum())
    if len(cpu_ms):
        row |= {
            "cpu_ms_p50": float(np.median(cpu_ms)),
            "cpu_ms_p95": float(np.percentile(cpu_ms, 95)),
        }
    return row


def quality(truth: Image, pixels: Pixels, share: float) -> dict[str, object]:
    """NRMSE, SSIM and PSNR of the map, by coverage."""
    made = reconstruct(truth, pixels)
    key = f"{100 * share:g}"
    figures = {"nrmse": nrmse, "ssim": ssim, "psnr": psnr}
    return {f"{name}@{key}": figure(truth, made) for name, figure in figures.items()}


def points_for(row: dict[str, object], error: float) -> float:
    """Points after which the NRMSE first falls to a value, interpolated; NaN if it never does."""
    counts, errors = np.array(row["points"], float), np.array(row["errors"], float)
    below = np.flatnonzero(errors <= error)
    if not len(below):
        return float("nan")
    k = int(below[0])
    if k == 0:
        return float(counts[0])
    step = (errors[k - 1] - error) / (errors[k - 1] - errors[k])
    return float(counts[k - 1] + step * (counts[k] - counts[k - 1]))


def collect(
    which: list[tuple[str, Image]], methods: list[str], seeds: int, keep: Path | None
) -> dict[tuple[str, str, int], dict[str, object]]:
    """Run everything; what a folder holds already is read from there."""
    rows: dict[tuple[str, str, int], dict[str, object]] = {}
    for seed in range(seeds):
        for name, truth in which:
            for method in methods:
                path = None if keep is None else keep / f"{name}_{method}_{seed}.json"
                if path is not None and path.is_file():
                    rows[name, method, seed] = json.loads(path.read_text())
                    continue
                row = record(method, truth, seed)
                rows[name, method, seed] = row
                if path is not None:
                    path.write_text(json.dumps(row))
                print(f"{name} {method} {seed}", file=sys.stderr)
    return rows


Rows = dict[tuple[str, str, int], dict[str, object]]


def geometric(values: list[float]) -> float:
    """Geometric mean of what is finite."""
    known = np.array([v for v in values if np.isfinite(v) and v > 0])
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")


def print_points(rows: Rows, sizes: dict[str, int]) -> None:
    """How many times fewer points than SLADS-Net for its own quality."""
    print("Points that SLADS-Net needs for its own NRMSE at 10 % / 20 %, over ours")
    ours = [m for m in dict.fromkeys(m for _, m, _ in rows) if m != "slads-net" and m != "raster"]
    print(f"{'image':22s}" + "".join(f"{m:>19s}" for m in ours))
    every: dict[tuple[str, int], list[float]] = {}
    for image, size in sizes.items():
        line = f"{image:22s}"
        for method in ours:
            pair = [
                geometric([_ratio(rows, image, method, seed, share) for seed in _seeds(rows)])
                for share in (0.10, 0.20)
            ]
            every.setdefault((method, size >= 65536), []).extend(pair)
            line += f"{pair[0]:10.2f} /{pair[1]:6.2f} "
        print(line)
    for what, large in (("256 x 256 and more", (True,)), ("all", (True, False))):
        values = [[v for k in large for v in every.get((m, k), [])] for m in ours]
        print(
            f"{what + ', mean; least':22s}"
            + "".join(f"{geometric(v):10.2f} ;{np.nanmin([*v, np.inf]):6.2f} " for v in values)
        )


def _seeds(rows: Rows) -> list[int]:
    return sorted({seed for _, _, seed in rows})


def _ratio(rows: Rows, image: str, method: str, seed: int, share: float) -> float:
    reference = rows[image, "slads-net", seed]
    quality = float(reference[f"nrmse@{100 * share:g}"])  # type: ignore[arg-type]
    needed = points_for(reference, quality)
    return needed / points_for(rows[image, method, seed], quality)


def print_quality(rows: Rows, sizes: dict[str, int]) -> None:
    """NRMSE and SSIM at equal coverage, against the best static design and the plainest score."""
    methods = [m for m in dict.fromkeys(m for _, m, _ in rows) if m not in STATIC]
    for figure, best in (("nrmse", min), ("ssim", max)):
        print(f"\n{figure.upper()} at 5 / 10 / 20 %, over the best static design's: mean; worst")
        for method in methods:
            line = f"{method:12s}"
            for share in ("5", "10", "20"):
                key = f"{figure}@{share}"
                ratios = [
                    float(rows[i, method, s][key]) / best(float(rows[i, m, s][key]) for m in STATIC)
                    for i in sizes
                    for s in _seeds(rows)
                ]
                worst = max(ratios) if figure == "nrmse" else min(ratios)
                line += f"{geometric(ratios):8.3f};{worst:6.3f}"
            print(line)
    print("\nNRMSE over the training-free score's (mix), 5 / 10 / 20 %")
    for method in methods:
        values = [
            geometric(
                [
                    float(rows[i, method, s][f"nrmse@{c}"]) / float(rows[i, "mix", s][f"nrmse@{c}"])
                    for i in sizes
                    for s in _seeds(rows)
                ]
            )
            for c in ("5", "10", "20")
        ]
        print(f"{method:12s}" + "".join(f"{v:8.3f}" for v in values))


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", nargs="+", default=[], help="image files in place of the set")
    parser.add_argument("--quick", action="store_true", help="four images of the set, 64 x 64 less")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    parser.add_argument(
        "--methods", nargs="+", default=[*STATIC, "slads-net", "mix", *AGENTS, "oracle"]
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    arguments = parser.parse_args()
    which = [(Path(f).stem, load_truth(f)) for f in arguments.image] or list(images())
    if arguments.quick:
        which = [(name, truth) for name, truth in which if truth.shape[0] < 256][:4]
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    rows = collect(which, arguments.methods, arguments.seeds, arguments.keep)
    if arguments.json:
        print(
            json.dumps([{"image": i, "method": m, "seed": s, **r} for (i, m, s), r in rows.items()])
        )
        return
    sizes = {name: truth.size for name, truth in which}
    if {"slads-net", "mix", *STATIC} <= set(arguments.methods):
        print_points(rows, sizes)
        print_quality(rows, sizes)


if __name__ == "__main__":
    main()
