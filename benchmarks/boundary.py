"""Where a raster crosses a level: the goal boundary against straddle on an exact process.

    python benchmarks/boundary.py [--json] [--quick] [--seeds 1] [--keep FOLDER]

F1 of the pixels above the level, at equal points, noise-free and at 100 counts.  Twice: the points
of all by the same map (the mean of RasterGP), and each method as a whole, by the map that is its
own.  A seed draws the noise and the first points.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sampling_rows import kept
from straddle import BATCH, Array, Pixels, exact_map, straddled
from surrogate_images import Row, levelled, row

from skysteer.agent import make_sampler
from skysteer.models import RasterGP, SparseScan
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, picture, specimen

SIDE, SHARES, PEAKS = 64, (0.05, 0.10, 0.20), (0, 100)
PICTURES, SPECIMENS = ("cell", "coins", "moon"), ("flakes", "cells", "crystals")
DEVELOPMENT = ("camera", "clock", "page")
STRADDLE, APART = "straddle, exact", "straddle, exact, each reading's own noise"
OURS = ("gp", "hybrid")
OTHERS = {"gp, map goal": "gp", "random points": "uniform"}
MAPS = ("all by the same map", "own maps")


def images(development: bool = False) -> dict[str, Array]:
    """Six images that no network of ours learnt from, or three others to try things on."""
    if development:
        found = {name: picture(name, SIDE) for name in DEVELOPMENT}
    else:
        found = {name: picture(name, SIDE) for name in PICTURES}
        for kind in SPECIMENS:
            found[kind] = specimen(kind, (SIDE, SIDE), FIRST_HELD_OUT_SEED + 4)
    return {name: (image - image.min()) / np.ptp(image) for name, image in found.items()}


def f1(image: Array, mean: Array, level: float) -> float:
    """Harmonic mean of precision and recall of the pixels above a level."""
    true, said = image > level, mean > level
    return float(2 * (true & said).sum() / max(true.sum() + said.sum(), 1))


def same_map(pixels: Pixels, values: Array, peak: int) -> Array:
    """Map from some readings, the same for all: also that of the agent `gp` itself."""
    gp = RasterGP((SIDE, SIDE), counts_per_unit=peak or None)
    gp.update(pixels, values)
    return gp.mean


def scored(image: Array, method: str, peak: int, seed: int) -> dict[str, float]:
    """F1 of a method by map and share, from one scan of the largest share."""
    level, num = float(np.quantile(image, 0.7)), round(SHARES[-1] * image.size)
    rng = np.random.default_rng(peak + seed)
    readings = rng.poisson(image * peak) / peak if peak else image
    agent, options = OTHERS.get(method, method), {"counts_per_unit": peak} if peak else {}
    if method in OURS:
        options |= {"goal": "boundary", "threshold": level}
    if method in (STRADDLE, APART):
        pixels, values = straddled(readings, level, num, peak, seed, method == APART)
    else:
        pixels, values = chosen(readings, agent, options, num, seed)
    found = {}
    for share in SHARES:
        part = (pixels[: round(share * image.size)], values[: round(share * image.size)])
        same = own = same_map(*part, peak)
        if method in (STRADDLE, APART):
            own = exact_map(image.shape, *part, peak, method == APART)
        elif method == "hybrid":
            own = make_sampler(agent, options).reconstruct(SparseScan.of(image.shape, *part))
        for how, mean in zip(MAPS, (same, own), strict=True):
            found[f"{how} {share:g}"] = f1(image, mean, level)
    return found


def chosen(
    readings: Array, agent: str, options: dict[str, Any], num: int, seed: int
) -> tuple[Pixels, Array]:
    """Let an agent measure."""
    given = {} if agent == "uniform" else options
    *_, (_, trajectory) = run_agent(readings, agent, num, batch=BATCH, seed=seed, options=given)
    assert trajectory is not None
    return trajectory.scan.pixels, trajectory.scan.values


def boundary(
    seeds: int = 1, keep: Path | None = None, pictures: dict[str, Array] | None = None
) -> Iterator[Row]:
    """F1 of the goal boundary against straddle's, each the mean of images and seeds."""
    for peak in PEAKS:
        methods = (*OURS, *((STRADDLE, APART) if peak else (STRADDLE,)), *OTHERS)
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
        which = pictures or images()
        for seed, name, method in itertools.product(range(seeds), which, methods):
            make = partial(scored, which[name], method, peak, seed)
            runs[method].append(kept(keep, f"boundary_{name}_{peak}_{method}_{seed}",
                                     which[name], make))  # fmt: skip
        for ours, how, share in itertools.product(OURS, MAPS, SHARES):
            found = {m: np.array([each[f"{how} {share:g}"] for each in runs[m]]) for m in runs}
            yield compared(f"{ours}, {levelled(peak)}, {share:.0%}, {how}", ours, found)


def compared(what: str, ours: str, found: dict[str, Array]) -> Row:
    """Row of an agent, from the (R,) F1 of each method's runs: against the better straddle."""
    peers = [name for name in (STRADDLE, APART) if name in found]
    ahead = found[ours] - found[max(peers, key=lambda name: float(found[name].mean()))]
    error = float(ahead.std(ddof=1) / np.sqrt(len(ahead))) if len(ahead) > 1 else float("nan")
    others = {name: round(float(found[name].mean()), 4) for name in (*peers, *OTHERS)}
    told = {
        "ahead": round(float(ahead.mean()), 4),
        "standard error": round(error, 4),
        "runs above": f"{(ahead > 0).sum()} of {len(ahead)}",
    }
    mean = float(found[ours].mean())
    return row(f"boundary, {what}: F1", mean, "> straddle's", ahead.mean() > 0, others | told)


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--quick", action="store_true", help="two images")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each image")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    pictures = dict(list(images().items())[: 2 if arguments.quick else None])
    for found in boundary(arguments.seeds, arguments.keep, pictures):
        if arguments.json:
            print(json.dumps(found), flush=True)
        else:
            verdict = "holds" if found["holds"] else "FAILS"
            print(f"{found['value']:<7} {verdict}  {found['what']}  {found['baseline']}",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
