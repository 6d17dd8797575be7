"""How sure gp and hybrid are where dwells are chosen, and whether their intervals hold.

    python benchmarks/dwell_intervals.py [--side 64] [--peak 10]

Scans of 15 % of the pixels of eight specimens; 90 % intervals of pixels between the readings and of
those that were read, each the mean of the specimens.  Beside them the same readings with every
count taken for one of a single dwell.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np
from dwell import DWELL, KINDS, OCTAVES, SPEED, scenes

from skysteer.agent import StageTime, make_sampler
from skysteer.models import SparseScan, nrmse
from skysteer.rehearsal import Counting, run_agent
from skysteer.rehearsal.sampler_images import FIRST_HELD_OUT_SEED

SHARE, SETTLE = 0.15, 0.05  # of the pixels; s
AGENTS = ("gp", "hybrid")


def scanned(truth: np.ndarray, agent: str, peak: float) -> SparseScan:
    """Let an agent measure with dwells of its choice."""
    *_, (_, made) = run_agent(
        truth, agent, round(SHARE * truth.size), batch=None, seed=1,
        options={"counts_per_unit": peak},
        stage=StageTime(speed=SPEED, settle=SETTLE, dwell=DWELL),
        counting=Counting(peak, 1), longest_dwell=DWELL * OCTAVES[-1],
    )  # fmt: skip
    assert made is not None
    return made.scan


def judged(truth: np.ndarray, scan: SparseScan, agent: str, peak: float) -> list[float]:
    """Cover of the 90 % intervals between the readings and at them, NLPD of both, NRMSE."""
    sampler: Any = make_sampler(agent, {"counts_per_unit": peak})
    process, free = sampler.surrogate(scan), ~scan.mask
    inside = np.abs(process.mean - truth) <= process.interval(0.9)
    nlpd = -process.log_density(truth)
    between, read = (inside[w].mean() for w in (free, ~free))
    return [between, read, nlpd[free].mean(), nlpd[~free].mean(), nrmse(truth, process.mean)]


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=64, help="pixels")
    parser.add_argument("--peak", type=float, default=10.0, help="counts in the shortest dwell")
    given = parser.parse_args()
    print("agent   dwells   cover between, at readings   NLPD between, at readings   NRMSE")
    for agent in AGENTS:
        found: dict[str, list[list[float]]] = {"known": [], "one": []}
        began = time.process_time()
        scans = [
            (truth, scanned(truth, agent, given.peak))
            for _, truth, _ in scenes(FIRST_HELD_OUT_SEED + 7, given.side, KINDS)
        ]
        seconds = (time.process_time() - began) / len(scans)
        for truth, scan in scans:
            found["known"].append(judged(truth, scan, agent, given.peak))
            alike = replace(scan, exposures=None, log=None)
            found["one"].append(judged(truth, alike, agent, given.peak))
        for name, rows in found.items():
            between, read, free, own, error = np.mean(rows, axis=0)
            print(f"{agent:7s} {name:8s} {between:.3f}, {read:.3f}   {free:.2f}, {own:.2f}   "
                  f"{error:.3f}", flush=True)  # fmt: skip
        print(f"{agent:7s} {seconds:.1f} CPU s a scan", flush=True)


if __name__ == "__main__":
    main()
