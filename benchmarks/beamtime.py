"""Beam time to a quality: segments that fly against points, rasters and FAST.

    python benchmarks/beamtime.py [--image FILE ...] [--quick] [--json] [--keep FOLDER]
                                  [--out FOLDER]

Every method goes on until its inverse-distance map is as good as that of FAST (SLADS-Net as
published) at 20 %; what counts is the time that the stage needs: 1000 px/s, 50 ms to settle.  The
images were never learnt from, nor was anything tuned on them: see `benchmarks/sampling.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from beamtime_curves import (
    FAST,
    HALVES,
    METHODS,
    POINTS,
    RASTERS,
    SEGMENTS,
    Setting,
    Times,
    settings,
    times,
)
from sampling_rows import geometric
from sampling_runs import images

from skysteer.rehearsal import load_truth

QUICK = ("flakes", "particles", "star", "phases")
BARS = {0.01: 4.5, 0.1: 1.4, 1.0: 1.4}  # times sooner than FAST, by dwell in s
OVER_RASTER = 1.3  # at 10 ms, mean
MOST_IMAGES = 0.9  # on which the longer dwells must be faster than every raster


def main() -> None:
    """Run, and print."""
    chosen = _arguments()
    which = [(Path(f).stem, load_truth(f)) for f in chosen.image] or list(images())
    if chosen.quick and not chosen.image:
        which = [(name, truth) for name, truth in which if name in QUICK]
    for folder in filter(None, (chosen.keep, chosen.out)):
        folder.mkdir(parents=True, exist_ok=True)
    which.sort(key=lambda each: each[1].size)  # a run that is cut off has more of them so
    names, some = [name for name, _ in which], settings()
    found = times(which, some, chosen.keep)
    if chosen.out:
        from beamtime_plot import draw

        draw(found, names, some, chosen.out)
    rows = [row for setting in some for row in bars(found, names, setting)]
    if chosen.json:
        print("\n".join(map(json.dumps, rows)))
        return
    for setting in some:
        print_table(found, names, setting)
    print("\n".join(map(_told, rows)))


def speed_up(found: Times, names: list[str], setting: Setting, method: str) -> list[float]:
    """How many times sooner than FAST a method is done, image by image."""
    return [found[n, setting, FAST] / found[n, setting, method] for n in names]


def over_raster(found: Times, names: list[str], setting: Setting, method: str) -> list[float]:
    """How many times sooner than the best raster of each image."""
    return [
        float(np.nanmin([found[n, setting, raster] for raster in RASTERS]))
        / found[n, setting, method]
        for n in names
    ]


def bars(found: Times, names: list[str], setting: Setting) -> Iterator[dict[str, Any]]:
    """What was asked of segments, with points beside them."""

    def row(what: str, value: float, baseline: float, bar: float) -> dict[str, Any]:
        numbers = {"value": float(f"{value:.4g}"), "baseline": float(f"{baseline:.4g}")}
        return {
            "what": f"{setting}: {what}",
            **numbers,
            "bar": f">= {bar:g}",
            "holds": value >= bar,
        }

    fast, fast_of_points = (speed_up(found, names, setting, m) for m in (SEGMENTS, POINTS))
    best, best_of_points = (over_raster(found, names, setting, m) for m in (SEGMENTS, POINTS))
    yield row("times sooner than FAST, mean", geometric(fast), geometric(fast_of_points),
              BARS[setting.dwell])  # fmt: skip
    if setting.dwell == min(BARS):
        yield row("times sooner than the best raster, mean", geometric(best),
                  geometric(best_of_points), OVER_RASTER)  # fmt: skip
        yield row("times sooner than the best raster, worst image", min(best),
                  min(best_of_points), 1.0)  # fmt: skip
        return
    shares = [float(np.mean(np.array(each) > 1.0)) for each in (best, best_of_points)]
    yield row("share of images on which no raster is faster", shares[0], shares[1], MOST_IMAGES)


def print_table(found: Times, names: list[str], setting: Setting) -> None:
    """Times sooner than FAST, image by image; the mean and the least."""
    print(f"\n{setting}: times sooner than {FAST}")
    print(f"{'image':22s}" + "".join(f"{m.removeprefix('adaptive '):>22s}" for m in METHODS[1:]))
    columns = [speed_up(found, names, setting, m) for m in METHODS[1:]]
    for k, name in enumerate(names):
        print(f"{name:22s}" + "".join(f"{column[k]:22.2f}" for column in columns))
    for what, figure in (("mean", geometric), ("least", np.nanmin)):
        print(f"{what:22s}" + "".join(f"{figure(column):22.2f}" for column in columns))
    for method in (HALVES, SEGMENTS):
        ratios = over_raster(found, names, setting, method)
        known = f"mean {geometric(ratios):.3f}, least {np.nanmin(ratios):.3f}"
        print(f"{method} over the best raster of each image: {known}")


def _told(row: dict[str, Any]) -> str:
    verdict = "holds" if row["holds"] else "MISSED"
    return (
        f"{verdict:7s}{row['value']:7.3f} {row['bar']:7s} {row['what']} "
        f"(points {row['baseline']:.3f})"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", nargs="+", default=[], help="image files in place of the set")
    parser.add_argument("--quick", action="store_true", help="four images of the set")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    parser.add_argument("--out", type=Path, help="folder for the plot")
    parser.add_argument("--json", action="store_true", help="print the bars, one a line, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
