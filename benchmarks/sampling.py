"""Sampling side by side: how good, with how many points, how soon, how fast.

    python benchmarks/sampling.py [--image FILE ...] [--quick] [--seeds 5] [--json]
                                  [--keep FOLDER] [--out FOLDER] [--large]

All methods start from the same 1 % low-discrepancy points (static designs excepted), choose batches
of 50 and are scored by the same inverse-distance map.  The images were never learnt from: nine of
scikit-image's pictures, and specimens of other seeds.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sampling_noise
from sampling_bars import LARGE, SHARES, View, bars
from sampling_plots import draw
from sampling_rows import Rows, collect, geometric, methods_with_time
from sampling_runs import AGENTS, STATIC, images
from sampling_speed import speed_bars
from sampling_time import print_times

from skysteer.rehearsal import load_truth

METHODS = (*STATIC, "slads-net", "mix", *AGENTS, "oracle")
QUICK = ("flakes", "particles", "star", "phases")


def main() -> None:
    """Run, and print."""
    chosen = _arguments()
    which = [(Path(f).stem, load_truth(f)) for f in chosen.image] or list(images())
    rates = which if chosen.image else list(sampling_noise.rates())
    if chosen.quick and not chosen.image:
        which = [(name, truth) for name, truth in which if name in QUICK]
        rates = rates[:3]
    for folder in filter(None, (chosen.keep, chosen.out)):
        folder.mkdir(parents=True, exist_ok=True)
    rows = collect(which, methods_with_time(METHODS), chosen.seeds, chosen.keep)
    noisy = sampling_noise.collect(rates, chosen.seeds, chosen.keep)
    sizes = {name: truth.size for name, truth in which}
    found = [*bars(rows, sizes, chosen.seeds), *sampling_noise.noise_bars(noisy)]
    found += speed_bars(chosen.large)
    if chosen.out:
        draw(rows, which, chosen.seeds, chosen.out)
    if chosen.json:
        print("\n".join(json.dumps(_finite(bar.row())) for bar in found))
        return
    print_tables(View(rows, tuple(sizes), chosen.seeds), sizes)
    print_times(rows, sizes, range(chosen.seeds))
    sampling_noise.print_noise(noisy)
    print("\n".join(["\nBars", *map(str, found)]))


def print_tables(view: View, sizes: dict[str, int]) -> None:
    """Points, quality, decisions and ways."""
    print_points(view, sizes)
    print_quality(view)
    print_ways(view.rows)


def print_points(view: View, sizes: dict[str, int]) -> None:
    """How many times fewer points than SLADS-Net for its own quality."""
    print("Points that SLADS-Net needs for its own NRMSE at 10 % / 20 %, over ours")
    ours = [method for method in METHODS if method not in ("slads-net", "raster")]
    tables = {m: [view.fewer(m, share) for share in (0.10, 0.20)] for m in ours}
    print(f"{'image':22s}" + "".join(f"{m:>19s}" for m in ours))
    for k, image in enumerate(view.images):
        pairs = [[geometric(table[:, k]) for table in tables[m]] for m in ours]
        print(f"{image:22s}" + "".join(f"{a:10.2f} /{b:6.2f} " for a, b in pairs))
    large = np.array([sizes[image] >= LARGE for image in view.images])
    for what, some in (("256 x 256 and more", large), ("all", np.ones_like(large))):
        line = f"{what + ', mean; least':22s}"
        for method in ours:
            each = [geometric(column) for table in tables[method] for column in table.T[some]]
            line += f"{geometric(each):10.2f} ;{np.nanmin([*each, np.inf]):6.2f} "
        print(line)


def print_quality(view: View) -> None:
    """NRMSE and SSIM at equal coverage, against the best static design and the plainest score."""
    methods = [method for method in METHODS if method not in STATIC]
    for figure, worst in (("nrmse", np.max), ("ssim", np.min)):
        print(f"\n{figure.upper()} at 5 / 10 / 20 %, over the best static design's: mean; worst")
        for method in methods:
            tables = [view.to_static(method, share, figure) for share in SHARES]
            pairs = [(geometric(t.ravel()), worst(np.exp(np.log(t).mean(axis=0)))) for t in tables]
            print(f"{method:12s}" + "".join(f"{a:8.3f};{b:6.3f}" for a, b in pairs))
    print("\nNRMSE over the training-free score's (mix), 5 / 10 / 20 %; PSNR at 20 %, dB")
    for method in methods:
        means = [geometric(view.to_mix(method, share).ravel()) for share in SHARES]
        psnr = view.table(lambda i, s, m=method: view.rows[i, m, s]["psnr@20"]).mean()
        print(f"{method:12s}" + "".join(f"{v:8.3f}" for v in means) + f"{psnr:10.2f}")


def print_ways(rows: Rows) -> None:
    """Way to a quarter of the raster, and what the decisions cost."""
    print("\nWay a point to 25 %, px (routes optimised); CPU ms of a decision of 50: p50, p95")
    for method in (m for m in METHODS if m != "raster"):
        some = [row for (_, m, _), row in rows.items() if m == method]
        way = np.mean([row["way"][-1] / row["points"][-1] for row in some])
        costs = [(row["cpu_ms_p50"], row["cpu_ms_p95"]) for row in some if "cpu_ms_p50" in row]
        told = "".join(f"{cost:8.2f}" for cost in np.mean(costs, axis=0)) if costs else ""
        print(f"{method:16s}{way:8.2f}{told}")


def _finite(row: dict[str, object]) -> dict[str, object]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", nargs="+", default=[], help="image files in place of the set")
    parser.add_argument("--quick", action="store_true", help="four images of the set, one seed")
    parser.add_argument("--seeds", type=int, help="5, or 1 with --quick")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    parser.add_argument("--out", type=Path, help="folder for the plots")
    parser.add_argument("--large", action="store_true", help="4096 x 4096 too: 2 GB, some minutes")
    parser.add_argument("--json", action="store_true", help="print the bars, one a line, as JSON")
    chosen = parser.parse_args(words)
    chosen.seeds = chosen.seeds or (1 if chosen.quick else 5)
    return chosen


if __name__ == "__main__":
    main()
