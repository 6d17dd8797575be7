"""Beam time to a quality on noisy specimens: dwells chosen, against one for all points."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sampling_rows import first_at, geometric, kept

from skysteer.agent import StageTime
from skysteer.models import noise_aware, nrmse
from skysteer.rehearsal import Counting, Trajectory, run_agent
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED, specimen

DWELL = 0.01  # s, the nominal and the shortest
OCTAVES = (1, 2, 4, 8, 16, 32)
SPEED = 1000.0  # px/s
SETTLES = (0.01, 0.05)  # s
KINDS = ("flakes", "cells", "particles", "star", "crystals", "phases", "fringes", "speckle")
PEAKS = (3, 10, 30, 100)  # counts in a nominal dwell where the specimen is brightest
SHARE = 0.35  # of the pixels, at most
MARKS = 40
QUALITIES = {"coarse": (1, 0.08), "fine": (4, 0.20)}  # of a fixed dwell, octave and coverage


@dataclass(frozen=True)
class Curve:
    """Error against time of one run."""

    seconds: list[float]
    errors: list[float]
    shares: list[float]

    def to(self, error: float) -> float:
        """S until the error is so small; NaN where it never is."""
        return first_at(error, self.seconds, self.errors)


def scenes(
    seed: int, side: int, kinds: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.float64], int]]:
    """Each kind at one of the peaks."""
    for k, kind in enumerate(KINDS):
        if kind not in kinds:
            continue
        truth = specimen(kind, (side, side), seed + k)
        yield kind, (truth - truth.min()) / np.ptp(truth), PEAKS[k % len(PEAKS)]


def run(
    truth: NDArray[np.float64], peak: int, settle: float, octave: int | None, fly: bool, seed: int
) -> Curve:
    """Measure with one dwell for all, or with chosen ones; the map is the noise-aware one."""
    dwell = DWELL * (octave or 1)
    stage = StageTime(speed=SPEED, settle=settle, dwell=dwell)
    counts = peak * (octave or 1)
    longest = None if octave else DWELL * OCTAVES[-1]
    *_, (_, made) = run_agent(
        truth,
        "slads",
        round(SHARE * truth.size),
        batch=None,
        seed=seed,
        options={"counts_per_unit": counts},
        stage=stage,
        fly=fly,
        counting=Counting(counts, seed),
        longest_dwell=longest,
    )
    assert made is not None
    return _curve(truth, made, stage, counts)


def _curve(truth: NDArray[np.float64], made: Trajectory, stage: StageTime, counts: float) -> Curve:
    adds = made.path is not None and made.path.log is not None
    times = made.path.visits(stage) if adds and made.path else made.clock(stage)
    last = len(times)
    ends = np.unique(np.geomspace(0.02 * truth.size, last, MARKS).astype(int))
    scans = [made.after(end) if adds else made.first(end) for end in ends]
    errors = [nrmse(truth, noise_aware(scan, counts_per_unit=counts).image) for scan in scans]
    return Curve([float(times[end - 1]) for end in ends], errors, [s.coverage for s in scans])


def measure(given: argparse.Namespace) -> list[dict]:
    """Times to the qualities, of every way on every scene."""
    rows = []
    keep, fly = given.keep, given.fly
    for kind, truth, peak in scenes(given.seed, given.side, given.kind or KINDS):
        for settle in given.settle or SETTLES:
            curves = {}
            for octave in (*OCTAVES, None):
                way = str(octave or "chosen")
                name = f"{kind}-{peak}-{settle}-{way}{'-fly' * fly}"
                make = partial(_row, truth, peak, settle, octave, fly)
                curves[way] = Curve(**kept(keep, name, truth, make))
            for quality, (octave, share) in QUALITIES.items():
                like = curves[str(octave)]
                error = float(np.interp(share, like.shares, like.errors))
                times = {way: curve.to(error) for way, curve in curves.items()}
                rows.append(
                    {"kind": kind, "peak": peak, "settle": settle, "quality": quality,
                     "nrmse": error, "seconds": times}
                )  # fmt: skip
                _print(rows[-1])
    return rows


def _row(
    truth: NDArray[np.float64], peak: int, settle: float, octave: int | None, fly: bool
) -> dict[str, list[float]]:
    """Run once, to be kept in a file."""
    return asdict(run(truth, peak, settle, octave, fly, seed=1))


def _print(row: dict) -> None:
    times = row["seconds"]
    told = "".join(f"{seconds:8.1f}" for seconds in times.values())
    where = f"{row['kind']:10s} {row['peak']:4d} {row['settle']:5.2f} {row['quality']:7s}"
    print(f"{where} {row['nrmse']:.3f} {told}", flush=True)


def summary(rows: list[dict]) -> None:
    """Chosen dwells against the nominal one and the best of all."""
    for settle in sorted({row["settle"] for row in rows}):
        for quality in QUALITIES:
            some = [r["seconds"] for r in rows if (r["settle"], r["quality"]) == (settle, quality)]
            told = f"settle {settle} s, {quality}: times sooner than"
            for name, ways in {"nominal": ("1",), "best": [str(o) for o in OCTAVES]}.items():
                there = [t for t in some if any(t[w] > 0 for w in ways) and t["chosen"] > 0]
                ratios = [np.nanmin([t[w] for w in ways]) / t["chosen"] for t in there]
                least = min(ratios, default=np.nan)
                told += f"  {name} {geometric(ratios):.2f} (least {least:.2f}, of {len(ratios)})"
            single = {
                o: geometric([t[str(o)] / t["chosen"] for t in some if t[str(o)] > 0])
                for o in OCTAVES
            }
            print(told, " each:", " ".join(f"{o}: {r:.2f}" for o, r in single.items()))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=FIRST_HELD_OUT_SEED + 7)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--fly", action="store_true")
    parser.add_argument("--kind", action="append", choices=KINDS, help="again for another")
    parser.add_argument("--settle", action="append", type=float, choices=SETTLES, help="s")
    parser.add_argument("--keep", type=Path, help="folder for what has been measured")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    rows = measure(given)
    if given.json:
        print(json.dumps(rows))
    summary(rows)


if __name__ == "__main__":
    main()
