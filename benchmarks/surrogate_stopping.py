"""Does a scan stop when its map is as good as was asked for?  Right, how far off, how dear."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sampling_rows import kept
from surrogate_images import Image, Row, counted, counting, images, row

from skysteer.agent import Progress, expected_error, make_sampler
from skysteer.models import ErrorEstimate, SparseScan, inverse_distance, nrmse
from skysteer.rehearsal import run_agent

LEVELS = (0.06, 0.09, 0.13)  # the errors asked for are the true ones at these coverages
LONGEST = 0.3
AGENTS = {"hybrid": (0, 100), "gp": (0, 100), "slads": (0,)}


def stopping(
    side: int, seeds: int = 1, keep: Path | None = None, agents: dict[str, tuple[int, ...]] = AGENTS
) -> Iterator[Row]:
    """Stops of `expected_error` at three errors asked for, with and without noise."""
    which = images(side)
    for agent, peaks in agents.items():
        off, dear, late, runs = [], [], 0, 0
        for peak, name, seed in (
            (peak, name, seed) for peak in peaks for name in which for seed in range(1, seeds + 1)
        ):
            make = partial(followed, which[name], agent, peak, seed)
            found = kept(keep, f"stop_{name}_{peak}_{agent}_{seed}", which[name], make)
            runs += 1
            for each in judged(found, which[name].size):
                if each is None:
                    late += 1
                else:
                    off.append(each[0])
                    dear.append(each[1])
        yield from summed_up(f"stopping, {agent}, {runs} runs", off, dear, late)


def summed_up(what: str, off: list[float], dear: list[float], late: int) -> Iterator[Row]:
    """Rows of the stops of an agent, off by and dear as they were, and of those that never came."""
    what = f"{what}, {len(off)} stops"
    right = float(np.mean(np.array(off) <= 0))
    over = float(np.quantile(np.maximum(off, 0), 0.9))
    median = float(np.median(dear + [np.inf] * late))
    yield row(f"{what}: right", right, ">= 0.9", right >= 0.9)
    yield row(f"{what}: overshoot, 90th percentile", over, "< 0.05", over < 0.05)
    yield row(f"{what}: points over those of the first true crossing, median", median,
              "<= 1.5", median <= 1.5, f"{late} not stopped at {LONGEST:.0%}")  # fmt: skip


def judged(run: dict[str, Any], size: int) -> Iterator[tuple[float, float] | None]:
    """At each level how far off the stop was and how dear; None where it did not stop."""
    points, true = np.array(run["points"]), np.array(run["true"])
    estimates = tuple(
        ErrorEstimate(int(n), *each) for n, each in zip(points, run["estimates"], strict=True)
    )
    for level in LEVELS:
        asked = true[np.argmin(np.abs(points - level * size))]
        k = stopped(points, estimates, float(asked), size)
        if k is None:
            yield None
        else:
            yield true[k] / asked - 1.0, points[k] / points[np.argmax(true <= asked)]


def followed(image: Image, agent: str, peak: int, seed: int) -> dict[str, Any]:
    """Points, true error and estimate at each decision of a scan that waits for its error."""
    options = counting(agent, peak)
    *_, (_, found) = run_agent(
        counted(image, peak, seed), agent, round(LONGEST * image.size),
        batch=max(10, image.size // 250), seed=seed, options=options, until="expected_error(1e-9)",
    )  # fmt: skip
    assert found is not None
    told = [k for k, each in enumerate(found.estimates) if np.isfinite(each.nrmse)]
    points = [int(found.decided_at[k]) for k in told]
    maps = own_maps(agent, options, [found.first(n) for n in points])
    estimates = [found.estimates[k] for k in told]
    return {
        "points": points,
        "true": [nrmse(image, each) for each in maps],
        "estimates": [[each.nrmse, each.low, each.high] for each in estimates],
    }


def own_maps(agent: str, options: dict[str, float], scans: list[SparseScan]) -> Iterator[Image]:
    """Maps of a scan as it grew, of the process brought up to date; else inverse distance."""
    sampler = make_sampler(agent, options)
    if not hasattr(sampler, "surrogate"):
        yield from map(inverse_distance, scans)
        return
    gp, known = sampler.surrogate(scans[0]), len(scans[0].values)
    for scan in scans:
        gp.update(scan.pixels[known:], scan.values[known:])
        known = len(scan.values)
        yield gp.mean


def stopped(
    points: Image, estimates: tuple[ErrorEstimate, ...], asked: float, size: int
) -> int | None:
    """Number of the decision at which the rule stops; None where it does not."""
    rule = expected_error(asked)
    for k in range(len(points)):
        progress = Progress(int(points[k]), size, estimates=estimates[: k + 1])
        if rule.reason(progress):
            return k
    return None
