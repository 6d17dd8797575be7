"""Pictures of the comparison: curves, one map with its points, beam times."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
from sampling_rows import DWELLS, Rows, geometric
from sampling_runs import COVERAGES, STATIC, Image, measure, reconstruct
from sampling_time import RASTERS, speed_ups

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {
    "raster": "0.75", "uniform": "0.6", "low-discrepancy": "0.4", "slads-net": "tab:blue",
    "mix": "tab:olive", "spread": "tab:orange", "slads": "tab:red", "oracle": "black",
}  # fmt: skip
SHOWN = 0.10  # coverage of the example
DPI = 80


def draw(rows: Rows, images: list[tuple[str, Image]], seeds: int, out: Path) -> list[Path]:
    """Draw all into a folder."""
    names = [name for name, _ in images]
    example = dict(images).get("cell", images[0][1])
    return [
        _curves(rows, names, seeds, out / "sampling-curves.png"),
        _maps(example, out / "sampling-map.png"),
        _times(rows, names, seeds, out / "sampling-time.png"),
    ]


def _curves(rows: Rows, names: Iterable[str], seeds: int, path: Path) -> Path:
    """NRMSE and SSIM against coverage, over those of low-discrepancy points: geometric means."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, what in zip(axes, ("nrmse", "ssim"), strict=True):
        for method, colour in COLOURS.items():
            over = [_over_reference(rows, names, method, seed, what) for seed in range(seeds)]
            mean, spread = np.mean(over, axis=0), np.std(over, axis=0)
            shares = 100 * np.array(COVERAGES)
            dashed = "--" if method in STATIC else "-"
            axis.plot(shares, mean, dashed, color=colour, label=method, marker=".")
            axis.fill_between(shares, mean - spread, mean + spread, color=colour, alpha=0.2, lw=0)
        axis.set(xlabel="coverage, %", ylabel=f"{what.upper()} over low-discrepancy points'")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right", fontsize="small")
    return _save(figure, path)


def _over_reference(
    rows: Rows, names: Iterable[str], method: str, seed: int, what: str
) -> list[float]:
    def ratio(name: str, share: float) -> float:
        key = f"{what}@{100 * share:g}"
        return rows[name, method, seed][key] / rows[name, "low-discrepancy", seed][key]

    return [geometric(ratio(name, share) for name in names) for share in COVERAGES]


def _maps(truth: Image, path: Path) -> Path:
    """One image: what SLADS-Net and the network measure at 10 %, and the maps."""
    figure, axes = plt.subplots(1, 5, figsize=(13, 2.9), layout="constrained")
    low, high = np.percentile(truth, [0.5, 99.5])
    pictures = {"truth": truth}
    for method in ("slads-net", "slads"):
        pixels = measure(method, truth, 0, share=SHOWN).pixels
        points = np.full(truth.shape, low)
        points[tuple(pixels.T)] = high
        pictures |= {f"{method}: points": points, f"{method}: map": reconstruct(truth, pixels)}
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(title, fontsize="medium")
        axis.set_axis_off()
    return _save(figure, path)


def _times(rows: Rows, names: list[str], seeds: int, path: Path) -> Path:
    """How many times sooner than SLADS-Net each is done."""
    methods = ("slads-net", *RASTERS, "spread", "slads")
    figure, axis = plt.subplots(figsize=(8, 3.5), layout="constrained")
    for k, method in enumerate(methods):
        by_dwell = [
            [geometric(speed_ups(rows, names, seed, dwell)[method]) for seed in range(seeds)]
            for dwell in DWELLS
        ]
        places = np.arange(len(DWELLS)) + (k - len(methods) / 2) * 0.14
        colour = COLOURS.get(method, str(0.85 - 0.15 * k))
        axis.bar(
            places, np.mean(by_dwell, axis=1), 0.13, yerr=np.std(by_dwell, axis=1), color=colour,
            label=method, capsize=2,
        )  # fmt: skip
    axis.axhline(1, color="black", lw=0.5)
    axis.set_xticks(range(len(DWELLS)), [f"{1e3 * dwell:g} ms" for dwell in DWELLS])
    axis.set(xlabel="dwell", ylabel="times faster than SLADS-Net")
    axis.legend(fontsize="small", ncols=2)
    return _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> Path:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    return path
