"""Does a scan stop when its map is as good as was asked for?  Right, how far off, how dear."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from surrogate_images import Image, Row, counted, counting, images, row

from skysteer.agent import Progress, expected_error, make_sampler
from skysteer.models import ErrorEstimate, SparseScan, inverse_distance, nrmse
from skysteer.rehearsal import run_agent

LEVELS = (0.06, 0.09, 0.13)  # the errors asked for are the true ones at these coverages
LONGEST = 0.3
AGENTS = {"hybrid": (0, 100), "gp": (0, 100), "slads": (0,)}


def stopping(side: int) -> Iterator[Row]:
    """Stops of `expected_error` at three errors asked for, with and without noise."""
    for agent, peaks in AGENTS.items():
        off, dear, late, runs = [], [], 0, 0
        for peak in peaks:
            for image in images(side).values():
                points, true, estimates = followed(image, agent, peak)
                runs += 1
                for level in LEVELS:
                    asked = true[np.argmin(np.abs(points - level * image.size))]
                    k = stopped(points, estimates, float(asked), image.size)
                    if k is None:
                        late += 1
                        continue
                    off.append(true[k] / asked - 1.0)
                    dear.append(points[k] / points[np.argmax(true <= asked)])
        what = f"stopping, {agent}, {runs} runs, {len(off)} stops"
        right, over = (
            float(np.mean(np.array(off) <= 0)),
            float(np.quantile(np.maximum(off, 0), 0.9)),
        )
        median = float(np.median(dear + [np.inf] * late))
        yield row(f"{what}: right", right, ">= 0.9", right >= 0.9)
        yield row(f"{what}: overshoot, 90th percentile", over, "< 0.05", over < 0.05)
        yield row(f"{what}: points over those of the first true crossing, median", median,
                  "<= 1.5", median <= 1.5, f"{late} not stopped at {LONGEST:.0%}")  # fmt: skip


def followed(image: Image, agent: str, peak: int) -> tuple[Image, Image, tuple[ErrorEstimate, ...]]:
    """Points, true error and estimate at each decision of a scan that waits for its error."""
    options = counting(agent, peak)
    *_, (_, found) = run_agent(
        counted(image, peak), agent, round(LONGEST * image.size), batch=max(10, image.size // 250),
        seed=1, options=options, until="expected_error(1e-9)",
    )  # fmt: skip
    assert found is not None
    told = [k for k, each in enumerate(found.estimates) if np.isfinite(each.nrmse)]
    points = found.decided_at[told].astype(np.float64)
    maps = own_maps(agent, options, [found.first(int(n)) for n in points])
    true = np.array([nrmse(image, each) for each in maps])
    return points, true, tuple(found.estimates[k] for k in told)


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
