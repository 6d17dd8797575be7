"""The hybrid against the network alone and the Gaussian process alone.

    python benchmarks/surrogate_hybrid.py [--images moon rocket] [--up-to 0.05] [--seeds 8]
                                          [--side 64] [--keep FOLDER]

Image by image, to tell luck from loss; `surrogate.py --only hybrid` has the rows of all.
Scored twice: each agent by its own map, and the points of all three by one and the same map, once
the process's mean and once the network's (kriged; of counts the noise-aware one).  An image is
judged by the mean errors of the seeds: the better of two single runs is the luckier one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
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
PEAKS = (0, 100)
WITHIN = 1.02  # of the better of the two, on every image
DRAWS = 2000
MAPS = {"own maps": None, "all by the process's map": "gp", "all by the network's map": "slads"}


def measured(image: Image, agent: str, peak: int, seed: int, share: float) -> SparseScan:
    """Let an agent measure a share of an image."""
    num, options, batch = round(share * image.size), counting(agent, peak), len(image) // 3
    *_, (_, found) = run_agent(
        counted(image, peak, seed), agent, num, batch=batch, seed=seed, options=options
    )
    assert found is not None
    return found.scan


def errors_of(
    image: Image, agent: str, peak: int, seed: int, shares: Sequence[float] = SHARES
) -> Errors:
    """NRMSE by map and share."""
    found: Errors = {}
    scan = measured(image, agent, peak, seed, shares[-1])
    for share in shares:
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


def runs_of(
    which: dict[str, Image],
    peak: int,
    seeds: int,
    keep: Path | None,
    shares: Sequence[float] = SHARES,
) -> dict[tuple[str, str], list[Errors]]:
    """Errors of every seed, by image and agent."""
    runs: dict[tuple[str, str], list[Errors]] = {}
    for seed in range(1, seeds + 1):
        for name, image in which.items():
            for agent in AGENTS:
                make = partial(errors_of, image, agent, peak, seed, shares)
                file = f"{name}_{peak}_{agent}_{seed}_{shares[-1]:g}"
                found = kept(keep, file, image, make)
                runs.setdefault((name, agent), []).append(found)
    return runs


def hybrid(side: int, seeds: int = 1, keep: Path | None = None) -> Iterator[Row]:
    """NRMSE of the hybrid over the better of the other two's, each the mean of its seeds."""
    for peak in PEAKS:
        runs = runs_of(images(side), peak, seeds, keep)
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
    ratios, gaps = {}, []
    for name in dict.fromkeys(name for name, _ in errors):
        better, worse = sorted(errors[name, other].mean() for other in AGENTS[:2])
        ratios[name] = errors[name, "hybrid"].mean() / better
        gaps.append(worse / better)
    told, equal = "", None
    if (seeds := len(next(iter(errors.values())))) > 1:
        stray = np.sqrt(np.mean([each.var(ddof=1) / each.mean() ** 2 for each in errors.values()]))
        worst, mean, within = by_chance(np.array(gaps), float(stray / np.sqrt(seeds)))
        told = f"; {seeds} seeds, a run strays by {stray:.1%}"
        told += f"; as good as the better: {worst:.3f}, {within:.1f} within"
        equal = f"as good as the better: {mean:.3f}"
    name = max(ratios, key=ratios.__getitem__)
    within = sum(ratio <= WITHIN for ratio in ratios.values())
    yield row(f"{what}: worst of {len(ratios)} images", ratios[name], f"<= {WITHIN}",
              ratios[name] <= WITHIN,
              f"{name}; {within} of {len(ratios)} within {WITHIN}{told}")  # fmt: skip
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    yield row(f"{what}: mean", mean, "< 1", mean < 1, equal)


def by_chance(gaps: Image, stray: float) -> tuple[float, float, float]:
    """What an agent exactly as good as the better of the two would show, on average.

    Its worst image, its mean over the images, and on how many of these it would be within the bar:
    the better of two that stray is the luckier one.  ``gaps`` are (I,) errors of the worse over
    the better one's, ``stray`` the deviation of the log of a mean error.
    """
    rng = np.random.default_rng(0)
    own, one, other = rng.normal(0.0, stray, (3, DRAWS, len(gaps)))
    logs = own - np.minimum(one, other + np.log(gaps))
    worst = float(np.exp(logs.max(axis=1)).mean())
    within = float((logs <= np.log(WITHIN)).sum(axis=1).mean())
    return worst, float(np.exp(logs.mean())), within


def singly(
    which: dict[str, Image], seeds: int, keep: Path | None, shares: Sequence[float]
) -> Iterator[str]:
    """Lines of a table: mean error over that of network and process, with standard errors."""
    yield f"{'image':10s} {'readings':>10s} {'share':>6s}   over the network's   over the process's"
    for peak in PEAKS:
        runs = runs_of(which, peak, seeds, keep, shares)
        for name in which:
            for share in shares:
                own, *others = (
                    np.array([each[f"own maps {share:g}"] for each in runs[name, agent]])
                    for agent in ("hybrid", *AGENTS[:2])
                )
                told = ["{:8.3f} +- {:.3f}".format(*over(own, other)) for other in others]
                yield f"{name:10s} {levelled(peak):>10s} {share:6.0%}   " + "     ".join(told)


def over(mine: Image, theirs: Image) -> tuple[float, float]:
    """Ratio of the means of (S,) errors of the same seeds, and its standard error."""
    ratio = mine.mean() / theirs.mean()
    apart = mine / mine.mean() - theirs / theirs.mean()
    return float(ratio), float(ratio * apart.std(ddof=1) / np.sqrt(len(mine)))


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    known = images(64)
    parser.add_argument("--images", nargs="+", choices=known, default=list(known))
    parser.add_argument("--up-to", type=float, choices=SHARES, default=SHARES[-1], help="a share")
    parser.add_argument("--seeds", type=int, default=8, help="at least 2")
    parser.add_argument("--side", type=int, default=64, help="of the images, pixels")
    parser.add_argument("--keep", type=Path, help="folder for what has been computed")
    chosen = parser.parse_args()
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    which = {name: image for name, image in images(chosen.side).items() if name in chosen.images}
    shares = [share for share in SHARES if share <= chosen.up_to]
    for line in singly(which, chosen.seeds, chosen.keep, shares):
        print(line, flush=True)


if __name__ == "__main__":
    main()
