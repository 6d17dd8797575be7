"""The picture of beam times: each way to scan against FAST, by dwell."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from beamtime_curves import METHODS, Setting, Times
from sampling_rows import geometric

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = ("0.85", "0.65", "0.45", "tab:blue", "tab:orange", "tab:red")
DPI = 80


def draw(found: Times, names: list[str], some: list[Setting], out: Path) -> Path:
    """Bars of the geometric means, and a dot for each image."""
    figure, axis = plt.subplots(figsize=(11, 4), layout="constrained")
    width = 0.14
    for k, (method, colour) in enumerate(zip(METHODS[1:], COLOURS, strict=True)):
        for place, setting in enumerate(some):
            each = [found[n, setting, METHODS[0]] / found[n, setting, method] for n in names]
            where = place + (k - 2.5) * width
            label = method if place == 0 else None
            axis.bar(where, geometric(each), 0.9 * width, color=colour, label=label)
            axis.plot(np.full(len(each), where), each, ".", color="black", ms=2, alpha=0.5)
    axis.axhline(1, color="black", lw=0.7)
    axis.set(
        yscale="log", ylabel="times sooner than FAST", ylim=(0.15, 40), xticks=range(len(some))
    )
    axis.set_xticklabels([str(setting).replace(", ", ",\n") for setting in some])
    axis.set_yticks([0.2, 0.5, 1, 2, 5, 10], labels=["0.2", "0.5", "1", "2", "5", "10"])
    axis.legend(fontsize="small", ncols=3, loc="upper center")
    path = out / "beamtime.png"
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    return path
