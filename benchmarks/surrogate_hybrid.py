"""The hybrid against the network alone and the Gaussian process alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from surrogate_images import Row, counted, counting, images, levelled, row

from skysteer.agent import make_sampler
from skysteer.models import inverse_distance, nrmse
from skysteer.rehearsal.simulate import run_agent

SHARES = (0.05, 0.10, 0.20)
AGENTS = ("slads", "gp", "hybrid")


def hybrid(side: int) -> Iterator[Row]:
    """NRMSE of the hybrid's own map over the better of the other two's."""
    for peak in (0, 100):
        ratios: dict[float, list[tuple[float, str]]] = {share: [] for share in SHARES}
        for name, image in images(side).items():
            errors: dict[tuple[str, float], float] = {}
            for agent in AGENTS:
                options = counting(agent, peak)
                steps = run_agent(
                    counted(image, peak), agent, round(SHARES[-1] * image.size), batch=side // 3,
                    seed=1, options=options,
                )  # fmt: skip
                *_, (_, found) = steps
                assert found is not None
                for share in SHARES:
                    scan = found.first(round(share * image.size))
                    own = getattr(make_sampler(agent, options), "reconstruct", inverse_distance)
                    errors[agent, share] = nrmse(image, own(scan))
            for share in SHARES:
                better = min(errors["slads", share], errors["gp", share])
                ratios[share].append((errors["hybrid", share] / better, name))
        for share, some in ratios.items():
            worst, name = max(some)
            what = f"hybrid over the better of network and process, {levelled(peak)}, {share:.0%}"
            mean = float(np.exp(np.mean(np.log([ratio for ratio, _ in some]))))
            yield row(f"{what}: worst of {len(some)} images", worst, "<= 1.02", worst <= 1.02, name)
            yield row(f"{what}: mean", mean, "< 1", mean < 1)
