"""What the sampling network has to show: each bar, the value reached, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from sampling_rows import DWELLS, Rows, points_for, quality_at
from sampling_runs import STATIC
from sampling_time import speed_ups

LARGE = 256 * 256  # pixels
SHARES = (0.05, 0.10, 0.20)


@dataclass(frozen=True)
class Bar:
    """One thing to show.

    Attributes
    ----------
    what : str
    value : float
        Mean over the seeds.
    bar : float
    at_least : bool
        Whether the value must reach the bar, or stay below it.
    spread : float
        Standard deviation over the seeds; NaN for one.
    """

    what: str
    value: float
    bar: float
    at_least: bool
    spread: float = float("nan")

    @property
    def holds(self) -> bool:
        """Whether it is met; a NaN meets nothing."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def row(self) -> dict[str, object]:
        """Give it as a row of ``--json``."""
        row = {"what": self.what, "value": self.value, "bar": self.bar, "holds": self.holds}
        return row if np.isnan(self.spread) else {**row, "spread": self.spread}

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        spread = "" if np.isnan(self.spread) else f" +- {self.spread:.3f}"
        held = "holds" if self.holds else "MISSED"
        return f"{held:7s}{self.value:8.3f}{spread:10s} {sign} {self.bar:<6g} {self.what}"


def bars(rows: Rows, sizes: Mapping[str, int], seeds: int) -> list[Bar]:
    """All bars that the runs of one set of images can tell of."""
    view = View(rows, tuple(sizes), seeds)
    large = [name for name, size in sizes.items() if size >= LARGE]
    return [*_points(view, large), *_quality(view), *_times(view)]


@dataclass(frozen=True)
class View:
    """Ratios by seed and image."""

    rows: Rows
    images: tuple[str, ...]
    seeds: int

    def fewer(self, method: str, share: float) -> np.ndarray:
        """(S, I) points of SLADS-Net for its own quality at a coverage, over the method's."""

        def ratio(image: str, seed: int) -> float:
            reference = self.rows[image, "slads-net", seed]
            quality = quality_at(reference, share)
            ours = points_for(self.rows[image, method, seed], quality)
            return points_for(reference, quality) / ours

        return self.table(ratio)

    def to_static(self, method: str, share: float, figure: str) -> np.ndarray:
        """(S, I) a figure over the best static design's."""
        best = min if figure == "nrmse" else max

        def ratio(image: str, seed: int) -> float:
            static = best(quality_at(self.rows[image, m, seed], share, figure) for m in STATIC)
            return quality_at(self.rows[image, method, seed], share, figure) / static

        return self.table(ratio)

    def to_mix(self, method: str, share: float) -> np.ndarray:
        """(S, I) NRMSE over that of the study's training-free score."""

        def ratio(image: str, seed: int) -> float:
            mix = quality_at(self.rows[image, "mix", seed], share)
            return quality_at(self.rows[image, method, seed], share) / mix

        return self.table(ratio)

    def table(self, ratio: Callable[[str, int], float]) -> np.ndarray:
        """(S, I) of a function of image and seed."""
        return np.array([[ratio(i, s) for i in self.images] for s in range(self.seeds)])


def mean_bar(what: str, table: np.ndarray, bar: float, at_least: bool) -> Bar:
    """Geometric mean over the images of each seed."""
    by_seed = np.exp(np.log(table).mean(axis=1))  # NaN where one image never reached the quality
    spread = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else float("nan")
    return Bar(what, float(np.mean(by_seed)), bar, at_least, spread)


def _each(what: str, table: np.ndarray, bar: float, at_least: bool) -> Bar:
    """The worst image, each taken as its geometric mean over the seeds."""
    by_image = np.exp(np.log(table).mean(axis=0))
    return Bar(what, float(by_image.min() if at_least else by_image.max()), bar, at_least)


def _points(view: View, large: list[str]) -> Iterable[Bar]:
    both = [view.fewer("slads", share) for share in (0.10, 0.20)]
    table = np.concatenate(both, axis=1)
    what = "points of SLADS-Net for its own NRMSE at 10 and 20 %, over ours"
    yield mean_bar(f"{what}: mean", table, 1.6, True)
    big = np.tile([name in large for name in view.images], 2)
    if big.any():
        yield mean_bar(f"{what}: mean of 256 x 256 and more", table[:, big], 1.3, True)
    yield _each(f"{what}: worst image", table, 1.0, True)
    mixed = np.concatenate([view.fewer("mix", share) for share in (0.10, 0.20)], axis=1)
    yield mean_bar("points of the study's mix for the same, over ours", table / mixed, 1.08, True)


def _quality(view: View) -> Iterable[Bar]:
    for share in SHARES:
        name = f"NRMSE at {100 * share:g} % over the study's mix: mean"
        yield mean_bar(name, view.to_mix("slads", share), 0.95, False)
    for share, bar in zip(SHARES, (0.82, 0.74, 0.60), strict=True):
        table = view.to_static("slads", share, "nrmse")
        name = f"NRMSE at {100 * share:g} % over the best static pattern's"
        yield mean_bar(f"{name}: mean", table, bar, False)
        yield _each(f"{name}: worst image", table, 1.03, False)
    for share, bar in zip(SHARES, (0.92, 0.96, 0.96), strict=True):
        table = view.to_static("slads", share, "ssim")
        name = f"SSIM at {100 * share:g} % over the best static pattern's"
        yield _each(f"{name}: worst image", table, bar, True)
        if share >= 0.10:
            yield mean_bar(f"{name}: mean", table, 1.0, True)


def _times(view: View) -> Iterable[Bar]:
    for dwell in DWELLS:
        table = np.array(
            [speed_ups(view.rows, view.images, s, dwell)["slads"] for s in range(view.seeds)]
        )
        what = f"beam time of SLADS-Net to its quality at 20 %, over ours, {1e3 * dwell:g} ms dwell"
        yield mean_bar(f"{what}: mean", table, 1.4, True)
