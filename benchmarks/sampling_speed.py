"""What a decision costs: CPU time of batches of 50, or of segments, and memory.

    python benchmarks/sampling_speed.py [--agent NAME ...] [--large] [--fly]

Whole decisions of the agent, from the last value to the ordered batch.  Look at it on a quiet
machine: shared cores and caches inflate CPU time too.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import psutil
from numpy.typing import NDArray
from sampling_bars import Bar

from skysteer.agent import (
    Axis,
    ScanAgent,
    ScanGrid,
    StageTime,
    halton_pixels,
    largest_flown_batch,
    make_sampler,
)
from skysteer.simulators import generate

BATCH = 50
FLOWN = {(600, 400): 0.21, (1024, 1024): 0.12, (2048, 2048): 0.105}  # rasters, measured up to
STAGE = StageTime(speed=1000.0, settle=0.05, dwell=0.01)  # in pixels


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


def flown_decisions(
    agent: str, truth: NDArray[np.float64], most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """CPU ms of decisions that fly, from every twelfth row on: whole, and without the learning."""
    rows, columns = truth.shape
    grid = ScanGrid(Axis("y", 0, rows - 1, rows), Axis("x", 0, columns - 1, columns))
    scanner = ScanAgent(grid, make_sampler(agent), name=agent, stage=STAGE, growing=True, fly=True)
    scanner.warm_up()
    scanner.sampler.warm_up()
    batch, count, costs, alone = largest_flown_batch(STAGE, truth.shape), 0, [], []
    fresh = np.empty((0, 2), dtype=np.int64)
    while count < most * truth.size:
        values = truth[tuple(fresh.T)]
        entries = np.column_stack([count + 1 + np.arange(len(fresh)), fresh, values]).tolist()
        count += len(fresh)
        began = time.process_time()
        scanner.observe(entries)
        learnt = time.process_time()
        decision = scanner.decide(batch, number=count)
        if decision.source != "start":
            costs.append(1e3 * (time.process_time() - began))
            alone.append(1e3 * (time.process_time() - learnt))
        fresh = decision.pixels
    return np.array(costs[1:]), np.array(alone[1:])  # the first one makes the tables


@dataclass(frozen=True)
class Speed:
    """What decisions of one agent cost on one raster: CPU ms, and bytes a pixel at the peak."""

    p50: float
    p95: float
    first: float
    memory: float


def speed(agent: str, shape: tuple[int, int]) -> Speed:
    """Time decisions at 9 to 11 % of small rasters, at 1 % of those from 512 x 512 on."""
    truth = specimen(shape)
    coverage, num = (0.09, 96) if truth.size < 512 * 512 else (0.01, 40)
    decisions(agent, generate("flakes", (64, 64), 1).rates[0], 0.02, 5)  # compile
    before = psutil.Process().memory_info().rss
    costs, filling = decisions(agent, truth, coverage, num)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    p50, p95 = np.percentile(costs, [50, 95])
    return Speed(float(p50), float(p95), filling, grown / truth.size)


def speed_alone(agent: str, shape: tuple[int, int]) -> Speed:
    """As ``speed``, in a process of its own: else the peak is that of what ran before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(speed, agent, shape).result()


def specimen(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Flakes; large rasters of enlarged ones, which are sooner made."""
    if max(shape) < 1024:
        return generate("flakes", shape, 1).rates[0]
    return np.kron(generate("flakes", (512, 512), 1).rates[0], np.ones((shape[0] // 512,) * 2))


def speed_bars(large: bool) -> list[Bar]:
    """What the network's decisions cost; the largest raster where asked for."""
    agent = "skysteer.agent:Slads"
    usual = speed_alone(agent, (600, 400))
    found = [Bar("decision of 50 at 9 to 11 % of 600 x 400, CPU ms, p50", usual.p50, 3.0, False)]
    if large:
        small, whole = (speed_alone(agent, (side, side)) for side in (512, 4096))
        found += [
            Bar("decision at 1 % of 4096 x 4096 over 512 x 512", whole.p50 / small.p50, 3.0, False),
            Bar("memory at 4096 x 4096, bytes a pixel", whole.memory, 130.0, False),
            Bar("first decision at 4096 x 4096, CPU s", whole.first / 1e3, 30.0, False),
        ]
    return found


def print_flown() -> None:
    """What decisions on segments cost, on rasters of several sizes."""
    agent = "skysteer.agent:Slads"
    flown_decisions(agent, specimen((64, 64)), 0.5)  # compile
    for shape, most in FLOWN.items():
        whole, alone = flown_decisions(agent, specimen(shape), most)
        p50, p95 = np.percentile(whole, [50, 95])
        print(
            f"{agent:24s} {shape[0]:5d} x {shape[1]:<5d}: {len(whole)} batches of "
            f"{largest_flown_batch(STAGE, shape)} pixels: p50 {p50:5.1f}, p95 {p95:5.1f}, most "
            f"{whole.max():5.1f} CPU-ms, of which the choice {np.median(alone):5.1f}"
        )


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--agent", nargs="+", default=["skysteer.agent:Spread", "skysteer.agent:Slads"]
    )
    parser.add_argument("--large", action="store_true", help="4096 x 4096 too: 2 GB, some minutes")
    parser.add_argument("--fly", action="store_true", help="decisions on segments in their place")
    arguments = parser.parse_args()
    if arguments.fly:
        print_flown()
        return
    for agent in arguments.agent:
        for shape in [(600, 400), (512, 512), *([(4096, 4096)] if arguments.large else [])]:
            found = speed_alone(agent, shape)
            print(
                f"{agent:24s} {shape[0]:5d} x {shape[1]:<5d}: p50 {found.p50:6.2f}, p95 "
                f"{found.p95:6.2f} CPU-ms; first decision {found.first:8.0f} ms; peak memory "
                f"+{found.memory:.0f} B/px"
            )


if __name__ == "__main__":
    main()
