"""A sweep of an agent's options, on images or on past runs, in parallel processes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..agent import coverage, make_sampler
from ..workers import Worker
from .replay import PastScan
from .simulate import load_truth
from .tune_bench import as_data

COVERAGES = (0.05, 0.1, 0.2)
PERFECT = 1e-6  # NRMSE below which a map counts as perfect: a geometric mean takes no 0
Options = dict[str, Any]


def tune(
    agent: str,
    vary: Mapping[str, Sequence[Any]],
    *,
    images: Sequence[str | Path] = (),
    pasts: Sequence[PastScan] = (),
    coverages: Sequence[float] = COVERAGES,
    options: Mapping[str, Any] | None = None,
    seeds: int = 1,
    batch: int | None = None,
    processes: int | None = None,
    on_record: Callable[[dict[str, Any]], object] | None = None,
) -> list[dict[str, Any]]:
    """Try every combination of an agent's options; a progress bar shows how far it is.

    Parameters
    ----------
    agent : str
        An installed agent, or ``path/to/file.py:Class``.
    vary : mapping of str to sequence
        The values to try of each option; every combination is.
    images : sequence of path
        What to try them on: as ``load_truth`` takes them, without noise.
    pasts : sequence of PastScan
        And past runs, from ``read_past_scan``: where a run left pixels out, the agent reads the
        run's own map there, and the maps are compared where the run measured.
    coverages : sequence of float
        Shares of the pixels after which the map is compared.
    options : mapping, optional
        The options that stay as they are.
    seeds : int
        How many scans of each combination, with the seeds 0, 1, ...
    batch : int, optional
        Points between two decisions; a third of a percent of the grid, at most 50, by default.
    processes : int, optional
        How many at a time; as many as this process has processors by default.
    on_record : callable, optional
        Hears of each record when it comes, in any order.

    Returns
    -------
    list of dict
        One for each trial and coverage: ``subject`` (the image, or the run's uid), ``options``
        (of those varied), ``seed``, and what ``assess`` gives.

    Raises
    ------
    ValueError, FileNotFoundError
        Before anything runs, if the agent, its options, an image or a number makes no sense.

    See Also
    --------
    ranking : a table of them, the best options first.
    tune_figure : a picture of them.
    """
    subjects = [*map(str, images), *(past.uid for past in pasts)]
    if not subjects:
        raise ValueError("expected an image or a past run to tune on, but none came")
    settings = _settings(agent, vary, options or {})
    _check(coverages, seeds=seeds, batch=batch, processes=processes)
    for image in images:
        load_truth(image)
    jobs = [
        (subject, setting, seed)
        for subject in range(len(subjects))
        for setting in settings
        for seed in range(seeds)
    ]
    num = min(processes or len(os.sched_getaffinity(0)), len(jobs))
    bench = (list(map(str, images)), list(map(as_data, pasts)), agent, list(coverages), batch)
    fixed = dict(options or {})
    calls = [(subject, {**fixed, **setting}, seed) for subject, setting, seed in jobs]
    records = []
    with ExitStack() as stack:
        workers = [Worker("skysteer.rehearsal.tune_bench:TuneBench", *bench) for _ in range(num)]
        for worker in workers:
            stack.callback(worker.close)
        bar = tqdm(total=len(jobs), unit="trial", desc=agent, leave=False, disable=None)
        stack.callback(bar.close)
        for number, rows in _spread(workers, calls):
            bar.update()
            subject, setting, seed = jobs[number]
            about = {"trial": number, "subject": subjects[subject], "options": setting}
            for row in rows:
                records.append({**about, "seed": seed, **_with_nan(row)})
                if on_record is not None:
                    on_record(records[-1])
    return sorted(records, key=lambda record: record["trial"])


def _spread(
    workers: Sequence[Worker], calls: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Give each worker the next call when it has done its last; yield number and answer."""
    waiting = iter(enumerate(calls))
    running: dict[Future[Any], tuple[int, Worker]] = {}

    def give(worker: Worker) -> None:
        number, call = next(waiting, (-1, ()))
        if call:
            running[worker.call("run", *call)] = number, worker

    for worker in workers:
        give(worker)
    while running:
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            number, worker = running.pop(done)
            give(worker)
            yield number, done.result()


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give back what JSON has no word for."""
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _settings(
    agent: str, vary: Mapping[str, Sequence[Any]], options: Mapping[str, Any]
) -> list[Options]:
    """Every combination of the options, each tried to build."""
    for name, values in vary.items():
        if isinstance(values, str) or not len(values):
            raise ValueError(f"option {name!r} needs a list of values to try, but {values!r} came")
        if name in options:
            raise ValueError(f"option {name!r} is both fixed and varied: give it once")
    names = list(vary)
    settings = [
        dict(zip(names, values, strict=True)) for values in itertools.product(*vary.values())
    ]
    for setting in settings:
        make_sampler(agent, {**options, **setting})
    return settings


def _check(coverages: Sequence[float], **numbers: int | None) -> None:
    if not coverages:
        raise ValueError("expected a coverage at which maps are compared, but none came")
    for share in coverages:
        coverage(share)
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, but {number} came")


def ranking(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rank options by their maps' error, the best first.

    Parameters
    ----------
    records : sequence of mapping
        From `tune`.

    Returns
    -------
    list of dict
        For each combination its options, ``nrmse`` (the geometric mean over subjects, coverages
        and seeds: the ratio of two is the mean ratio), ``over_best`` (that ratio to the best),
        ``worst`` (the largest ratio to the best combination on one subject and coverage),
        ``seed_spread`` (relative standard deviation between seeds; NaN of one), ``decision_cpu_ms``
        (median) and ``trials``.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault(label(record["options"]), []).append(record)
    rows = [_ranked(group) for group in groups.values()]
    rows.sort(key=lambda row: row["nrmse"])
    for row in rows:
        worst = _worst_ratio(groups[label(row["options"])], records)
        row |= {"over_best": row["nrmse"] / rows[0]["nrmse"], "worst": worst}
    return rows


def _ranked(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    seeds = sorted({record["seed"] for record in group})
    means = [typical_error([r for r in group if r["seed"] == seed]) for seed in seeds]
    return {
        "options": group[0]["options"],
        "nrmse": typical_error(group),
        "seed_spread": float(np.std(np.log(means), ddof=1)) if len(means) > 1 else float("nan"),
        "decision_cpu_ms": float(np.median([record["decision_cpu_ms_p50"] for record in group])),
        "trials": len({record["trial"] for record in group}),
    }


def _worst_ratio(group: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> float:
    """Where these options lose most against the best of all: on one subject, at one coverage."""
    best: dict[Any, dict[str, list[Any]]] = {}
    for record in records:
        place = record["subject"], record["coverage"]
        best.setdefault(place, {}).setdefault(label(record["options"]), []).append(record)
    mine = label(group[0]["options"])
    return max(
        typical_error(by_options[mine]) / min(map(typical_error, by_options.values()))
        for by_options in best.values()
    )


def typical_error(records: Sequence[Mapping[str, Any]]) -> float:
    """Geometric mean of their NRMSE; NaN where one is."""
    errors = [record["nrmse"] for record in records]
    return float(np.exp(np.mean(np.log(np.maximum(errors, PERFECT)))))


def label(options: Mapping[str, Any]) -> str:
    """Options as people read them: ``flatness 0.25, weights a.safetensors``."""
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "as it comes"
