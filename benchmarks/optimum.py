"""How many points until the best of four motors is found, and what a decision costs.

    python benchmarks/optimum.py [--json] [--quick] [--seeds 20] [--only light full botorch]
        [--keep FOLDER]

A simulated alignment (a mirror's pitch and height, slit, focus) and Hartmann-4, noise of 3 % of
the peak: points until one reads a place with 95 % of the peak; 100 at most, which counts as failed.
``botorch`` is its own way: SingleTaskGP as it comes, its own fit, and qLogNEI.  CPU seconds of one
process; look at them on a quiet machine.  A folder keeps each climb, so that they can be made in
parts.  `surrogate.py --only optimum` prints the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from skysteer.workers import ONE_THREAD

os.environ.update(ONE_THREAD)  # before numpy and torch

import numpy as np
from numpy.typing import NDArray
from sampling_rows import Row, kept

from skysteer.agent import MotorGoal, MotorRequest, MotorSpace
from skysteer.simulators import Alignment, hartmann4

Array = NDArray[np.float64]
Chooser = Callable[[MotorRequest], Array]
NOISE, SHARE, MOST, START = 0.03, 0.95, 100, 10
METHODS = ("light", "full", "botorch", "random")


@dataclass(frozen=True)
class Landscape:
    """What is to be climbed: a value of (K, 4) places, and its peak."""

    name: str
    space: MotorSpace
    value: Callable[[Array], Array]
    peak: float


def landscapes(seed: int) -> list[Landscape]:
    """Both, the alignment with an optimum of this seed's."""
    alignment = Alignment.random(seed)
    unit = MotorSpace(("x1", "x2", "x3", "x4"), (0.0,) * 4, (1.0,) * 4)
    return [
        Landscape("alignment", MotorSpace.of(alignment.motors), alignment.flux, alignment.peak),
        Landscape("Hartmann-4", unit, hartmann4, 3.7298405),
    ]


def by_goal(path: Any) -> Chooser:
    """Our own, on one of its two paths."""
    goal = MotorGoal("optimum", path=path)
    return lambda request: goal.choose_positions(request).positions


def by_botorch(request: MotorRequest) -> Array:
    """The peer, with its defaults."""
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    low, high = np.array(request.space.low), np.array(request.space.high)
    places = torch.tensor((request.positions - low) / (high - low))
    torch.manual_seed(int(request.rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SingleTaskGP(places, torch.tensor(request.values)[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedImprovement(model, places, prune_baseline=True)
        ends = torch.tensor([[0.0] * len(low), [1.0] * len(low)], dtype=torch.double)
        found, _ = optimize_acqf(acquisition, ends, q=1, num_restarts=10, raw_samples=512)
    return low + found.numpy() * (high - low)


def at_random(request: MotorRequest) -> Array:
    """Anywhere."""
    low, high = np.array(request.space.low), np.array(request.space.high)
    return low + request.rng.random((1, len(low))) * (high - low)


def chooser(method: str) -> Chooser:
    """A method by its name, fresh."""
    if method in ("light", "full"):
        return by_goal(method)
    return by_botorch if method == "botorch" else at_random


def climb(landscape: Landscape, method: str, seed: int) -> Row:
    """``points``, whether that was enough (1 or 0), and ``cpu_s`` for each decision."""
    points, reached, seconds = climbed(landscape, chooser(method), seed)
    return {"points": points, "reached": int(reached), "cpu_s": seconds}


def climbed(landscape: Landscape, choose: Chooser, seed: int) -> tuple[int, bool, float]:
    """Points, whether that was enough, and CPU seconds for each decision."""
    noise = np.random.default_rng(seed)
    positions = landscape.space.region().spread(START, seed)
    spent, decisions = 0.0, 0
    reached = np.flatnonzero(landscape.value(positions) >= SHARE * landscape.peak)
    if len(reached):
        return int(reached[0]) + 1, True, np.nan

    def read(at: Array) -> Array:
        return landscape.value(at) + NOISE * landscape.peak * noise.standard_normal(len(at))

    values, nothing = read(positions), np.empty((0, positions.shape[1]))
    while len(positions) < MOST:
        request = MotorRequest(landscape.space, positions, values, nothing, 1, len(positions), seed)
        began = time.process_time()
        chosen = choose(request)
        spent, decisions = spent + time.process_time() - began, decisions + 1
        positions = np.concatenate([positions, chosen])
        values = np.concatenate([values, read(chosen)])
        if landscape.value(chosen)[0] >= SHARE * landscape.peak:
            return len(positions), True, spent / decisions
    return MOST, False, spent / decisions


def row(what: str, value: float, bar: str, holds: bool | None, baseline: Any) -> dict[str, Any]:
    """Make a row, its numbers rounded."""
    return {"what": what, "value": float(f"{value:.3g}"), "baseline": baseline, "bar": bar,
            "holds": None if holds is None else bool(holds)}  # fmt: skip


def optimum(
    seeds: int = 20, keep: Path | None = None, methods: Sequence[str] = METHODS
) -> Iterator[dict[str, Any]]:
    """Climb both landscapes by each method, and tell rows."""
    results: dict[tuple[str, str], list[Row]] = {}
    for seed in range(seeds):
        for landscape in landscapes(seed):
            told = landscape.value(landscape.space.region().spread(START, seed))
            for method in methods:
                make = partial(climb, landscape, method, seed)
                found = kept(keep, f"{landscape.name}_{method}_{seed}", told, make)
                results.setdefault((landscape.name, method), []).append(found)
    yield from rows(results)


def rows(results: dict[tuple[str, str], list[Row]]) -> list[dict[str, Any]]:
    """Rows for each landscape: our paths against the peer, failures, times."""
    found = []
    for name in dict.fromkeys(name for name, _ in results):
        mine = {method: some for (where, method), some in results.items() if where == name}
        points = {
            m: np.array([each["points"] if each["reached"] else np.inf for each in some])
            for m, some in mine.items()
        }
        seconds = {
            m: float(np.nanmean([each["cpu_s"] for each in some])) for m, some in mine.items()
        }
        middle = {m: float(np.median(np.minimum(n, MOST))) for m, n in points.items()}
        failed = {m: int(np.isinf(n).sum()) for m, n in points.items()}
        for method in mine:
            low, high = np.percentile(np.minimum(points[method], MOST), [25, 75])
            said = f"quartiles {low:g} to {high:g}, {len(points[method])} seeds"
            found.append(row(f"{name}, {method}: points to 95 % of the best, median",
                             middle[method], "", None, said))  # fmt: skip
            found.append(row(f"{name}, {method}: failed within {MOST}", failed[method], "", None,
                             f"{1e3 * seconds[method]:.3g} CPU-ms a decision"))  # fmt: skip
        if "botorch" not in mine:
            continue
        for method, most in (("full", 1.0), ("light", 1.2)):
            if method in mine:
                ratio = middle[method] / middle["botorch"]
                found.append(row(f"{name}, {method}: points over botorch's own qLogNEI", ratio,
                                 f"<= {most}", ratio <= most, middle["botorch"]))  # fmt: skip
        if {"light", "full"} <= set(mine):
            ratio = middle["light"] / middle["full"]
            found.append(row(f"{name}, light: points over the full path's", ratio, "<= 1.2",
                             ratio <= 1.2, middle["full"]))  # fmt: skip
            ratio = seconds["light"] / seconds["full"]
            found.append(row(f"{name}, light: CPU time over the full path's", ratio, "<= 0.1",
                             ratio <= 0.1, float(f"{seconds['full']:.3g}")))  # fmt: skip
    return found


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--quick", action="store_true", help="3 seeds")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--keep", type=Path, help="folder for what has been climbed")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    seeds = 3 if arguments.quick else arguments.seeds
    for found in optimum(seeds, arguments.keep, arguments.only):
        if arguments.json:
            print(json.dumps(found), flush=True)
        else:
            verdict = {True: "holds", False: "FAILS", None: ""}[found["holds"]]
            print(f"{found['value']:>7}  {found['bar']:6} {verdict:6} {found['what']}"
                  f"  ({found['baseline']})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
