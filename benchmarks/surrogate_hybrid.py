"""The hybrid against the network alone and the Gaussian process alone.

Scored twice: each agent by its own map, and the points of all three by one and the same map, once
the process's mean and once the network's (kriged; of counts the noise-aware one).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from surrogate_images import Image, Row, counted, counting, images, levelled, row

from skysteer.agent import make_sampler
from skysteer.models import RasterGP, SparseScan, nrmse
from skysteer.rehearsal import run_agent

SHARES = (0.05, 0.10, 0.20)
AGENTS = ("slads", "gp", "hybrid")
MAPS = {"own maps": None, "all by the process's map": "gp", "all by the network's map": "slads"}
Errors = dict[tuple[str, str, float], float]


def measured(image: Image, agent: str, peak: int, side: int) -> SparseScan:
    """Let an agent measure the largest share of an image."""
    num, options = round(SHARES[-1] * image.size), counting(agent, peak)
    *_, (_, found) = run_agent(
        counted(image, peak), agent, num, batch=side // 3, seed=1, options=options
    )
    assert found is not None
    return found.scan


def errors_of(image: Image, peak: int, side: int) -> Errors:
    """NRMSE by map, agent and share."""
    found: Errors = {}
    for agent in AGENTS:
        scan = measured(image, agent, peak, side)
        for share in SHARES:
            part = scan.first(round(share * image.size))
            for how, by in MAPS.items():
                found[how, agent, share] = nrmse(image, map_by(by or agent, part, peak))
    return found


def map_by(agent: str, scan: SparseScan, peak: int) -> Image:
    """Map of a scan as an agent makes it."""
    if agent == "gp":  # the same mean without the tests, which take most of the time
        gp = RasterGP(scan.shape, counts_per_unit=peak or None, local_scale=False)
        gp.update(scan.pixels, scan.values)
        return gp.mean
    sampler: Any = make_sampler(agent, counting(agent, peak))
    return sampler.reconstruct(scan)


def hybrid(side: int) -> Iterator[Row]:
    """NRMSE of the hybrid over the better of the other two's."""
    for peak in (0, 100):
        errors = {name: errors_of(image, peak, side) for name, image in images(side).items()}
        for how in MAPS:
            for share in SHARES:
                ratios = {
                    name: each[how, "hybrid", share]
                    / min(each[how, other, share] for other in AGENTS[:2])
                    for name, each in errors.items()
                }
                yield from compared(f"{levelled(peak)}, {share:.0%}, {how}", ratios)


def compared(how: str, ratios: dict[str, float]) -> Iterator[Row]:
    """Rows of the worst image and of the mean."""
    what = f"hybrid over the better of network and process, {how}"
    name = max(ratios, key=ratios.__getitem__)
    within = sum(ratio <= 1.02 for ratio in ratios.values())
    yield row(f"{what}: worst of {len(ratios)} images", ratios[name], "<= 1.02",
              ratios[name] <= 1.02, f"{name}; {within} of {len(ratios)} within 1.02")  # fmt: skip
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    yield row(f"{what}: mean", mean, "< 1", mean < 1)
