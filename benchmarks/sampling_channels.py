"""Several channels decided together, against the first of them alone and against their sum.

    python benchmarks/sampling_channels.py [--seeds 3] [--quick] [--json] [--keep FOLDER]

Colour pictures and maps of three elements that no training saw, all channels of range 1.  The same
network chooses batches of 50 by one channel, by the sum of all, or by all; the mean over the
channels of the inverse-distance maps' NRMSE says how good the points are for the map of elements.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
from sampling_rows import Row, Rows, geometric, kept
from sampling_runs import BATCH, Image
from skimage.transform import resize

from skysteer.agent import halton_pixels
from skysteer.models import SparseScan, inverse_distance, nrmse
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, counted, specimen

SHARES = (0.05, 0.10, 0.20)
COLOURED = ("astronaut", "hubble_deep_field", "rocket")
TRACE = 20  # counts at the brightest pixel of an element of which there is little
AGENTS = {"slads": "skysteer.agent:Slads", "spread": "skysteer.agent:Spread"}
CHANNELS: dict[str, Callable[[Image], Image]] = {
    "first": lambda truth: truth[0],
    "sum": lambda truth: truth.sum(axis=0),
    "together": lambda truth: truth,
}
METHODS = ("even", *(f"{agent}, {which}" for agent in AGENTS for which in CHANNELS))


def coloured(name: str, side: int) -> Image:
    """(3, side, side) the middle square of one of scikit-image's colour pictures."""
    whole = np.asarray(getattr(skimage.data, name)(), dtype=np.float64)[..., :3]
    edge = min(whole.shape[:2])
    top, left = ((n - edge) // 2 for n in whole.shape[:2])
    square = whole[top : top + edge, left : left + edge]
    return _ranged(np.moveaxis(resize(square, (side, side), anti_aliasing=True), -1, 0))


def elements(kind: str, seed: int, side: int = 160) -> Image:
    """(3, side, side) maps of three elements.

    ``unlike`` ones share nothing; of ``tissue`` the second sits in spots of the cells and the third
    varies slowly; an ``alloy`` has two phases of its grains, and a ``trace`` of a third element
    that is all but lost in its counting noise.
    """
    shape, rng = (side, side), np.random.default_rng(seed)
    make = partial(specimen, shape=shape, seed=seed)
    if kind == "unlike":
        maps = [make("flakes"), make("star"), make("texture")]
    elif kind == "tissue":
        cells = make("cells")
        maps = [cells, (cells > 0.1) * make("particles"), make("gradients")]
    else:
        grains, phases = make("crystals"), make("phases")
        maps = [grains, (1 - phases) * grains, phases]
    if kind == "trace":
        maps[2] = counted(maps[2], TRACE, rng)
    return _ranged(np.array(maps))


def images(first: int = FIRST_HELD_OUT_SEED) -> Iterator[tuple[str, Image]]:
    """Three pictures, and two maps of each kind."""
    for name in COLOURED:
        yield name, coloured(name, 192)
    for kind in ("unlike", "tissue", "alloy", "trace"):
        for k in (11, 12):
            yield f"{kind} {k - 10}", elements(kind, first + k)


def record(truth: Image, method: str, seed: int) -> Row:
    """Mean NRMSE over the channels, and each one's, at each of `SHARES`."""
    num = round(SHARES[-1] * truth[0].size)
    pixels, row = _pixels(truth, method, num, seed)
    for share in SHARES:
        some = pixels[: round(share * truth[0].size)]
        made = [inverse_distance(SparseScan(t.shape, some, t[tuple(some.T)])) for t in truth]
        each = [nrmse(t, m) for t, m in zip(truth, made, strict=True)]
        row |= {f"nrmse@{share:g}": float(np.mean(each)), f"each@{share:g}": each}
    return row


def print_tables(rows: Rows) -> None:
    """Mean errors over those by the first channel, image by image and in all."""
    names = list(dict.fromkeys(name for name, _, _ in rows))
    print("Mean NRMSE of the channels at 5 / 10 / 20 %, over that of slads by the first alone")
    print(f"{'image':20s}" + "".join(f"{m:>23s}" for m in METHODS if m != "slads, first"))
    for name in [*names, "all, mean", "all, worst"]:
        line = f"{name:20s}"
        for method in (m for m in METHODS if m != "slads, first"):
            ratios = [[_ratio(rows, i, method, share) for i in names] for share in SHARES]
            told = {"all, mean": [geometric(r) for r in ratios], "all, worst": map(max, ratios)}
            its = told.get(name) or [r[names.index(name)] for r in ratios if name in names]
            line += "   " + " /".join(f"{ratio:6.3f}" for ratio in its)
        print(line)
    for method in METHODS[1:]:
        some = [row["cpu_ms"] for (_, m, _), row in rows.items() if m == method]
        print(f"{method:20s} CPU ms of a decision of {BATCH}, p50: {np.median(some):.2f}")


def _ratio(rows: Rows, image: str, method: str, share: float) -> float:
    seeds = sorted({seed for _, _, seed in rows})
    key = f"nrmse@{share:g}"
    return geometric(
        rows[image, method, s][key] / rows[image, "slads, first", s][key] for s in seeds
    )


def _pixels(truth: Image, method: str, num: int, seed: int) -> tuple[np.ndarray, Row]:
    if method == "even":
        return halton_pixels(truth[0].shape, num, seed), {}
    agent, _, which = method.partition(", ")
    runs = run_agent(CHANNELS[which](truth), AGENTS[agent], num, batch=BATCH, seed=seed)
    *_, (_, trajectory) = runs
    assert trajectory is not None
    return trajectory.scan.pixels, {"cpu_ms": float(np.median(trajectory.cpu_ms[1:]))}


def _ranged(maps: Image) -> Image:
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return (maps - low) / (high - low)


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two images, one seed")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    parser.add_argument("--json", action="store_true", help="print the rows, one a line, as JSON")
    chosen = parser.parse_args()
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    which = list(images())[2:5:2] if chosen.quick else list(images())
    rows = {
        (name, method, seed): kept(
            chosen.keep, f"{name}_{method}_{seed}", truth, partial(record, truth, method, seed)
        )
        for seed in range(1 if chosen.quick else chosen.seeds)
        for name, truth in which
        for method in METHODS
    }
    if chosen.json:
        for (name, method, seed), row in rows.items():
            print(json.dumps({"image": name, "method": method, "seed": seed, **row}))
    else:
        print_tables(rows)


if __name__ == "__main__":
    main()
