"""Agents against images, without a RunEngine, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from ..agent import StageTime, coverage, dwell_chooser, make_sampler
from ..simulators import Specimen, read_image
from .assess import assess
from .counting import Counting
from .trajectory import BATCH, Trajectory, points_at, run_agent

FWHM_PER_SIGMA = 2.3548200450309493  # of a Gaussian: 2 sqrt(2 ln 2)


def load_truth(
    path: str | Path, beam_px: float = 0.0, channels: str = "first"
) -> NDArray[np.float64]:
    """Read an image's own pixel values, (M, N) or (C, M, N), as the rehearsal measures them.

    Parameters
    ----------
    path : str or Path
        What ``Specimen.from_file`` reads.
    beam_px : float
        FWHM of a Gaussian beam that blurs the image, pixels; 0 leaves it as it is.
    channels : "first" or "all"
        Of several channels the first (of colours their luminance), or all together.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``Specimen.from_file``.
    """
    Specimen.from_file(path)  # refuses what is no image, in its own words
    values = np.asarray(read_image(path, colours=channels == "all")[0], dtype=np.float64)
    truth = values if values.ndim == 2 or (channels == "all" and len(values) > 1) else values[0]
    if beam_px <= 0:
        return truth
    return gaussian_filter(truth, beam_px / FWHM_PER_SIGMA, axes=(-2, -1))


def designs(
    agent: str, coverages: Sequence[float], options: Mapping[str, Any] | None = None
) -> list[list[float]]:
    """Which coverages one trajectory serves.

    An agent that lays out its whole design for the number of points it gets (a raster sub-grid)
    has a trajectory for each; all others have one, read off at each coverage.
    """
    if getattr(make_sampler(agent, options), "one_design_per_budget", False):
        return [[share] for share in sorted(coverages)]
    return [sorted(coverages)]


def compare_agents(
    images: Sequence[str | Path],
    agents: Sequence[str],
    coverages: Sequence[float],
    *,
    batch: int | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    beam_px: float = 0.0,
    channels: str = "first",
    stage: StageTime | None = None,
    fly: bool = False,
    longest_dwell: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Run every agent on every image; a progress bar on standard error shows how far it is.

    Parameters
    ----------
    images : sequence of path
        As ``load_truth`` takes them, with ``beam_px`` and ``channels``.
    agents : sequence of str
    coverages : sequence of float
        Shares of the pixels after which the map is compared.
    batch : int, optional
        Points between two decisions; 50 by default, or with a stage what suits it, and then a
        batch ends at each coverage.
    seed : int
        0 or more.
    options : mapping, optional
        Of every agent; or, where its keys are all names of ``agents``, from name to options, and
        an agent that it leaves out has none.
    stage : StageTime, optional
        In pixels; routes are the quickest by it, and the rows tell the time that it needs.
    fly : bool
        Whether it may fly over segments, where an agent's gains tell which.
    longest_dwell : float, optional
        s up to which an agent may count a pixel, from the stage's dwell on, and again.  Photons
        are then counted, of the agent's option ``counts_per_unit`` in a dwell where the image
        is 1; otherwise the image's own values are read.

    Yields
    ------
    dict
        ``image`` and what ``assess`` gives, for each image, agent and coverage, as they come.

    Raises
    ------
    ValueError, FileNotFoundError
        Before anything runs, if an agent, an image, a coverage, the batch or the seed makes
        no sense.
    """
    for share in coverages:
        coverage(share)  # refuses what is no coverage
    if batch is not None and batch < 1:
        raise ValueError(f"a batch must have 1 point or more, but {batch} came")
    if seed != int(seed) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, but {seed} came")
    if fly and stage is None:
        raise ValueError("flying needs to know the stage: give its speed, and the dwell")
    given = _by_agent(agents, options or {})
    for agent in agents:
        dwell_chooser(make_sampler(agent, given[agent]), stage, longest_dwell)  # or says why not
    size = BATCH if batch is None and stage is None else batch
    truths = {str(image): load_truth(image, beam_px, channels) for image in images}
    for image, agent, share, trajectory in trajectories(
        truths,
        agents,
        coverages,
        batch=size,
        seed=seed,
        options=given,
        stage=stage,
        fly=fly,
        longest_dwell=longest_dwell,
    ):
        row = assess(truths[image], trajectory, share, agent, given[agent], stage)
        yield {"image": image, **row}


def trajectories(
    truths: Mapping[str, NDArray[np.float64]],
    agents: Sequence[str],
    coverages: Sequence[float],
    *,
    batch: int | None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    stage: StageTime | None = None,
    fly: bool = False,
    longest_dwell: float | None = None,
) -> Iterator[tuple[str, str, float, Trajectory]]:
    """Run every agent on every truth, as ``compare_agents`` does on images.

    Parameters
    ----------
    truths : mapping of str to (M, N) ndarray of float64
        By name.

    Yields
    ------
    (str, str, float, Trajectory)
        A truth's name, an agent, a coverage, and what the agent measured up to there or further.
    """
    given = _by_agent(agents, options or {})
    plans = [
        (agent, shares) for agent in agents for shares in designs(agent, coverages, given[agent])
    ]
    total = sum(points_at(shares[-1], t.shape) for t in truths.values() for _, shares in plans)
    with tqdm(total=total, unit="pt", delay=2.0, leave=False, disable=None) as bar:
        for name, truth in truths.items():
            for agent, shares in plans:
                num = points_at(shares[-1], truth.shape)
                # a refresh would draw at once, before the delay is over
                bar.set_description(f"{Path(name).name} {agent}", refresh=False)
                done = 0
                marks = [points_at(share, truth.shape) for share in shares if batch is None]
                for measured, trajectory in run_agent(
                    truth,
                    agent,
                    num,
                    batch=batch,
                    seed=seed,
                    options=given[agent],
                    stage=stage,
                    marks=marks,
                    fly=fly,
                    counting=_counting(given[agent], seed, longest_dwell),
                    longest_dwell=longest_dwell,
                ):
                    bar.update(measured - done)
                    done = measured
                    if trajectory is not None:
                        for share in shares:
                            yield name, agent, share, trajectory


def _counting(
    options: Mapping[str, Any], seed: int, longest_dwell: float | None
) -> Counting | None:
    return None if longest_dwell is None else Counting(float(options["counts_per_unit"]), seed)


def _by_agent(agents: Sequence[str], options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if set(options) <= set(agents):
        return {agent: options.get(agent) or {} for agent in agents}
    return dict.fromkeys(agents, options)
