"""The hybrid against the network alone and the Gaussian process alone.

Scored twice: each agent by its own map, and the points of all three by one and the same map, once
the process's mean and once the network's (kriged; of counts the noise-aware one).  An image is
judged by the mean errors of the seeds: the better of two single runs is the luckier one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sampling_rows import Row as Errors
from sampling_rows import kept
from surrogate_images import Image, Row, counted, counting, images, levelled, row

from skysteer.agent import make_sampler
from skysteer.models import RasterGP, SparseScan, nrmse
from skysteer.rehearsal import run_agent

SHARES = (0.05, 0.10, 0.20)
AGENTS = ("slads", "gp", "hybrid")
MAPS = {"own maps": None, "all by the process's map": "gp", "all by the network's map": "slads"}


def measured(image: Image, agent: str, peak: int, seed: int) -> SparseScan:
    """Let an agent measure the largest share of an image."""
    num, options, batch = round(SHARES[-1] * image.size), counting(agent, peak), len(image) // 3
    *_, (_, found) = run_agent(
        counted(image, peak, seed), agent, num, batch=batch, seed=seed, options=options
    )
    assert found is not None
    return found.scan


def errors_of(image: Image, agent: str, peak: int, seed: int) -> Errors:
    """NRMSE by map and share."""
    found: Errors = {}
    scan = measured(image, agent, peak, seed)
    for share in SHARES:
        part = scan.first(round(share * image.size))
        for how, by in MAPS.items():
            found[f"{how} {share:g}"] = nrmse(image, map_by(by or agent, part, peak))
    return found


def map_by(agent: str, scan: SparseScan, peak: int) -> Image:
    """Map of a scan as an agent makes it."""
    if agent == "gp":  # the same mean without the tests, which take most of the time
        gp = RasterGP(scan.shape, counts_per_unit=peak or None, local_scale=False)
        gp.update(scan.pixels, scan.values)
        return gp.mean
    sampler: Any = make_sampler(agent, counting(agent, peak))
    return sampler.reconstruct(scan)


def hybrid(side: int, seeds: int = 1, keep: Path | None = None) -> Iterator[Row]:
    """NRMSE of the hybrid over the better of the other two's, each the mean of its seeds."""
    for peak in (0, 100):
        runs: dict[tuple[str, str], list[Errors]] = {}
        which = images(side)
        for seed in range(1, seeds + 1):
            for name, image in which.items():
                for agent in AGENTS:
                    make = partial(errors_of, image, agent, peak, seed)
                    found = kept(keep, f"{name}_{peak}_{agent}_{seed}", image, make)
                    runs.setdefault((name, agent), []).append(found)
        for how in MAPS:
            for share in SHARES:
                errors = {
                    key: np.array([each[f"{how} {share:g}"] for each in some])
                    for key, some in runs.items()
                }
                yield from compared(f"{levelled(peak)}, {share:.0%}, {how}", errors)


def compared(how: str, errors: dict[tuple[str, str], Image]) -> Iterator[Row]:
    """Rows of the worst image and of the mean, from (seeds,) errors by image and agent."""
    what = f"hybrid over the better of network and process, {how}"
    ratios = {
        name: errors[name, "hybrid"].mean() / min(errors[name, a].mean() for a in AGENTS[:2])
        for name, _ in errors
    }
    seeds = len(next(iter(errors.values())))
    strays = ""
    if seeds > 1:
        single = np.sqrt(np.mean([each.var(ddof=1) / each.mean() ** 2 for each in errors.values()]))
        strays = f"; {seeds} seeds, a run strays by {single:.1%}"
    name = max(ratios, key=ratios.__getitem__)
    within = sum(ratio <= 1.02 for ratio in ratios.values())
    yield row(f"{what}: worst of {len(ratios)} images", ratios[name], "<= 1.02",
              ratios[name] <= 1.02,
              f"{name}; {within} of {len(ratios)} within 1.02{strays}")  # fmt: skip
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    yield row(f"{what}: mean", mean, "< 1", mean < 1)
