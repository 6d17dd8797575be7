"""What a decision costs: CPU time of batches of 50, and memory.

    python benchmarks/sampling_speed.py [--agent NAME ...] [--large]

Whole decisions of the agent, from the last value to the ordered batch.  Look at it on a quiet
machine: shared cores and caches inflate CPU time too.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from skysteer.agent import Axis, ScanAgent, ScanGrid, halton_pixels, make_sampler
from skysteer.simulators import generate

BATCH = 50


def decisions(
    agent: str, truth: NDArray[np.float64], first: float, num: int
) -> tuple[NDArray[np.float64], float]:
    """CPU ms of ``num`` decisions from a coverage on, and of the one that makes the tables."""
    rows, columns = truth.shape
    grid = ScanGrid(Axis("y", 0, 1, rows), Axis("x", 0, 1, columns))
    scanner = ScanAgent(grid, make_sampler(agent), name=agent)
    fresh = halton_pixels(truth.shape, max(round(0.01 * truth.size), 10), 0)
    count, costs, filling = 0, [], float("nan")
    while len(costs) < num:
        values = truth[tuple(fresh.T)].tolist()
        entries = [
            (count + k + 1, row, column, value)
            for k, ((row, column), value) in enumerate(zip(fresh.tolist(), values, strict=True))
        ]
        count += len(fresh)
        began = time.process_time()
        scanner.observe(entries)
        fresh = scanner.decide(BATCH, number=count).pixels
        cost = 1e3 * (time.process_time() - began)
        if np.isnan(filling):
            filling = cost
        elif count >= first * truth.size:
            costs.append(cost)
    return np.array(costs), filling


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--agent", nargs="+", default=["skysteer.agent:Spread", "skysteer.agent:Slads"]
    )
    parser.add_argument("--large", action="store_true", help="4096 x 4096 too: 2 GB, some minutes")
    arguments = parser.parse_args()
    cases = [((600, 400), 0.09, 96), ((512, 512), 0.01, 40)]
    if arguments.large:
        cases.append(((4096, 4096), 0.01, 40))
    for agent in arguments.agent:
        decisions(agent, generate("flakes", (64, 64), 1).rates[0], 0.02, 5)  # compile
        for shape, coverage, num in cases:
            truth = np.kron(generate("flakes", (512, 512), 1).rates[0], np.ones((8, 8)))
            truth = generate("flakes", shape, 1).rates[0] if max(shape) < 4096 else truth
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            costs, filling = decisions(agent, truth, coverage, num)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            print(
                f"{agent:24s} {shape[0]:5d} x {shape[1]:<5d} from {100 * coverage:g} %: p50 "
                f"{np.median(costs):6.2f}, p95 {np.percentile(costs, 95):6.2f} CPU-ms; first "
                f"decision {filling:8.0f} ms; peak memory +{grown / truth.size:.0f} B/px"
            )


if __name__ == "__main__":
    main()
