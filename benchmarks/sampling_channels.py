"""Several channels decided together, against the first of them alone and against their sum.

    python benchmarks/sampling_channels.py [--agent slads] [--seeds 3] [--quick] [--json]
                                           [--keep FOLDER]

Colour pictures and maps of three elements that no training saw, all channels of range 1.  The same
network chooses batches of 50 by one channel, by the sum of all, or by all; the mean over the
channels of the inverse-distance maps' NRMSE says how good the points are for the map of elements;
of `gp` and `hybrid` these are the process's maps.
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
from skysteer.models import RasterGP, SparseScan, inverse_distance, nrmse
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, counted, specimen

SHARES = (0.05, 0.10, 0.20)
COLOURED = ("astronaut", "hubble_deep_field", "rocket")
TRACE = 20  # counts at the brightest pixel of an element of which there is little
CHANNELS: dict[str, Callable[[Image], Image]] = {
    "first": lambda truth: truth[0],
    "sum": lambda truth: truth.sum(axis=0),
    "together": lambda truth: truth,
}
METHODS = ("even", *CHANNELS)


def coloured(name: str, side: int) -> Image:
    """(3, side, side) the middle square of one of scikit-image's colour pictures."""
    whole = np.asarray(getattr(skimage.data, name)(), dtype=np.float64)[..., :3]
    edge = min(whole.shape[:2])
    top, left = ((n - edge) // 2 for n in whole.shape[:2])
    square = whole[top : top + edge, left : left + edge]
    made = np.asarray(resize(square, (side, side), anti_aliasing=True))
    return _ranged(np.moveaxis(made, -1, 0))


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


def record(truth: Image, method: str, agent: str, seed: int) -> Row:
    """Mean NRMSE over the channels at each of `SHARES`, and what a decision took."""
    pixels, row = _pixels(truth, method, agent, seed)
    for share in SHARES:
        some = pixels[: round(share * truth[0].size)]
        each = [nrmse(t, mapped(SparseScan(t.shape, some, t[tuple(some.T)]), agent)) for t in truth]
        row[f"nrmse@{share:g}"] = float(np.mean(each))
    return row


def mapped(scan: SparseScan, agent: str) -> Image:
    """Map by which an agent's points are judged."""
    if agent not in ("gp", "hybrid"):
        return inverse_distance(scan)
    process = RasterGP(scan.shape, local_scale=False)
    process.update(scan.pixels, scan.values)
    return process.mean


def print_table(rows: Rows) -> None:
    """Errors over those of the points chosen by the first channel, image by image and in all."""
    names = list(dict.fromkeys(name for name, _, _ in rows))
    others = [method for method in METHODS if method != "first"]
    print("Mean NRMSE of the channels at 5 / 10 / 20 %, over that by the first alone")
    print(f"{'image':20s}" + "".join(f"{m:>23s}" for m in others))
    tables = [np.array([ratios(rows, name, m) for name in names]) for m in others]
    for k, name in enumerate(names):
        print(f"{name:20s}" + "".join(map(_told, (table[k] for table in tables))))
    print(f"{'mean':20s}" + "".join(map(_told, (np.exp(np.log(t).mean(axis=0)) for t in tables))))
    print(f"{'worst':20s}" + "".join(map(_told, (table.max(axis=0) for table in tables))))
    for method in METHODS[1:]:
        some = [row["cpu_ms"] for (_, m, _), row in rows.items() if m == method]
        print(f"{method}: a decision of {BATCH} takes {np.median(some):.1f} CPU ms, p50")


def ratios(rows: Rows, image: str, method: str) -> list[float]:
    """(3,) mean errors of a method over those by the first channel, at `SHARES`."""
    seeds = sorted({seed for _, _, seed in rows})
    keys = [f"nrmse@{share:g}" for share in SHARES]
    mine, first = ([rows[image, m, s] for s in seeds] for m in (method, "first"))
    return [geometric(a[key] / b[key] for a, b in zip(mine, first, strict=True)) for key in keys]


def _told(errors: np.ndarray) -> str:
    return "   " + " /".join(f"{error:6.3f}" for error in errors)


def _pixels(truth: Image, method: str, agent: str, seed: int) -> tuple[np.ndarray, Row]:
    num = round(SHARES[-1] * truth[0].size)
    if method == "even":
        return halton_pixels(truth[0].shape, num, seed), {}
    *_, (_, trajectory) = run_agent(CHANNELS[method](truth), agent, num, batch=BATCH, seed=seed)
    assert trajectory is not None
    return trajectory.scan.pixels, {"cpu_ms": float(np.median(trajectory.cpu_ms[1:]))}


def _ranged(maps: Image) -> Image:
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return (maps - low) / np.where(high > low, high - low, 1.0)


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--agent", default="slads", help="slads, spread, gp or hybrid")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two images, one seed")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    parser.add_argument("--json", action="store_true", help="print the rows, one a line, as JSON")
    chosen = parser.parse_args()
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    which = list(images())[3:6:2] if chosen.quick else list(images())
    rows: Rows = {}
    for seed in range(1 if chosen.quick else chosen.seeds):
        for name, truth in which:
            for method in METHODS:
                make = partial(record, truth, method, chosen.agent, seed)
                file = f"{name}_{chosen.agent}, {method}_{seed}"
                rows[name, method, seed] = kept(chosen.keep, file, truth, make)
    if chosen.json:
        for (name, method, seed), row in rows.items():
            print(json.dumps({"image": name, "method": method, "seed": seed, **row}))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
