"""What it costs to decide early: map quality and time for several values of ``prefetch``.

A decision that is made while the last points of the batch before are still measured does not know
their values.  Here an agent scans images in process, with the pending points that the plan would
give it; the scan's time per point and the decision's own time then tell how long the stage stands.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from skimage import data, transform
from skimage.metrics import normalized_root_mse

from skysteer.agent import Axis, ScanAgent, ScanGrid, make_sampler
from skysteer.models import SparseScan, inverse_distance

COVERAGES = (0.05, 0.10, 0.15, 0.20)


def images(side: int) -> dict[str, NDArray[np.float64]]:
    """Four of scikit-image's own."""
    return {
        name: transform.resize(
            getattr(data, name)().astype(float), (side, side), anti_aliasing=True
        )
        for name in ("camera", "coins", "moon", "page")
    }


def scan(
    image: NDArray[np.float64], agent: str, batch: int, prefetch: int, seed: int
) -> tuple[NDArray[np.int64], list[float]]:
    """Measure up to the highest coverage: pixels in order, and each decision's seconds."""
    rows, columns = image.shape
    grid = ScanGrid(Axis("y", 0, rows - 1, rows), Axis("x", 0, columns - 1, columns))
    budget = round(COVERAGES[-1] * image.size)
    steering = ScanAgent(grid, make_sampler(agent), seed=seed, until=f"points({budget})")
    measured: list[tuple[int, int]] = []
    seconds: list[float] = []
    number = 0

    def decide(pending: NDArray[np.int64]) -> NDArray[np.int64]:
        nonlocal number
        began = time.perf_counter()
        num = min(batch, budget - len(measured) - len(pending))
        pixels = steering.decide(num, pending, number).pixels if num > 0 else pending[:0]
        seconds.append(time.perf_counter() - began)
        number += 1
        return pixels

    nothing = np.empty((0, 2), dtype=np.int64)
    following = decide(nothing)
    while len(following):
        current, following = following, nothing
        asking = len(current) - min(prefetch, len(current))
        for k, (row, column) in enumerate(current):
            if prefetch and k == asking:
                following = decide(current[k:])
            measured.append((row, column))
            steering.observe([(len(measured), row, column, image[row, column])])
        if not len(following) and len(measured) < budget:
            following = decide(nothing)
    return np.array(measured), seconds


def report(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield one line for each image, seed and prefetch."""
    cases = product(images(arguments.side).items(), arguments.seed, arguments.prefetch)
    for (name, image), seed, prefetch in cases:
        pixels, seconds = scan(image, arguments.agent, arguments.batch, prefetch, seed)
        errors = {}
        for coverage in COVERAGES:
            seen = pixels[: round(coverage * image.size)]
            sparse = SparseScan.of(image.shape, seen, image[tuple(seen.T)])
            errors[f"nrmse_{coverage:.0%}"] = normalized_root_mse(image, inverse_distance(sparse))
        decision = float(np.median(seconds))
        ahead = min(prefetch, arguments.batch) * arguments.point_ms / 1e3
        yield {
            "image": name,
            "seed": seed,
            "prefetch": prefetch,
            **errors,
            "decision_ms": decision * 1e3,
            "standing_ms_per_point": max(0.0, decision - ahead) / arguments.batch * 1e3,
        }


def main() -> None:
    """Print the table, or one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default="slads-net")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--prefetch", type=int, nargs="+", default=[0, 5, 25, 50])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--side", type=int, default=128, help="pixels")
    parser.add_argument("--point-ms", type=float, default=20.0, help="time of one point, ms")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = []
    for line in report(arguments):
        lines.append(line)
        text = (
            json.dumps(line)
            if arguments.json
            else "  ".join(
                f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in line.items()
            )
        )
        print(text, flush=True)
    for prefetch in arguments.prefetch if not arguments.json else []:
        mine = [line for line in lines if line["prefetch"] == prefetch]
        means = {
            k: np.mean([line[k] for line in mine]) for k in mine[0] if k not in {"image", "seed"}
        }
        print("mean  " + "  ".join(f"{k}={v:.4g}" for k, v in means.items()))


if __name__ == "__main__":
    main()
