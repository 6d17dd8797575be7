"""Make the picture of docs/surrogate.md: ``python docs/surrogate_picture.py``.

An image that nothing of ours learnt from, scanned at 100 counts to 10 %: the hybrid's map, its
deviation, what it is truly off, and how often the truth lies in the intervals.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skysteer.agent import Hybrid
from skysteer.models import RasterGP
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.sampler_images import picture

COUNTS = 100.0  # where the image is brightest
LEVELS = np.linspace(0.05, 0.95, 19)


def main() -> None:
    """Scan, and draw."""
    image = picture("coins", 128)
    truth = COUNTS * (image - image.min()) / np.ptp(image)
    readings = np.random.default_rng(1).poisson(truth).astype(float)
    *_, (_, found) = run_agent(
        readings, "hybrid", round(0.1 * truth.size), seed=1, options={"counts_per_unit": 1.0}
    )
    assert found is not None  # noqa: S101  (the last step holds it)
    belief = Hybrid(counts_per_unit=1.0).surrogate(found.scan)
    plain = RasterGP(truth.shape, counts_per_unit=1.0, local_scale=False)
    plain.update(found.scan.pixels, found.scan.values)
    free = ~found.scan.mask

    figure, axes = plt.subplots(1, 4, figsize=(14.5, 3.6), layout="constrained")
    off = np.abs(belief.mean - truth)
    most = float(np.quantile(off, 0.99))
    shown = (
        ("Mean (counts)", belief.mean, "viridis", truth.min(), truth.max()),
        ("Deviation (counts)", belief.std, "magma", 0.0, most),
        ("True error (counts)", off, "magma", 0.0, most),
    )
    for panel, (title, array, colours, low, high) in zip(axes, shown, strict=False):
        drawn = panel.imshow(array, cmap=colours, vmin=low, vmax=high)
        panel.set(title=title, xlabel="column (px)", ylabel="row (px)")
        figure.colorbar(drawn, ax=panel, shrink=0.85)
    for label, gp, colour in (("hybrid", belief, "#0072b2"), ("stationary", plain, "#d55e00")):
        inside = [float((np.abs(gp.mean - truth) <= gp.interval(q))[free].mean()) for q in LEVELS]
        axes[3].plot(LEVELS, inside, "o-", color=colour, markersize=3, label=label)
    axes[3].plot([0, 1], [0, 1], color="#777777", linewidth=1, linestyle=":")
    axes[3].set(title="Reliability", xlabel="interval's level", ylabel="truth inside",
                aspect="equal", xlim=(0, 1), ylim=(0, 1))  # fmt: skip
    axes[3].legend(frameon=False, loc="lower right")
    figure.savefig(Path(__file__).with_name("surrogate.png"), dpi=110)


if __name__ == "__main__":
    main()
