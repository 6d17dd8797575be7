"""An agent against an image, without a RunEngine: how good is its map, how fast does it decide."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from ..agent import (
    Axis,
    Decision,
    Progress,
    ScanAgent,
    ScanGrid,
    StageTime,
    StopRule,
    coverage,
    largest_batch,
    largest_flown_batch,
    make_sampler,
    parse,
    points,
)
from ..models import ErrorEstimate, SparseScan, inverse_distance, nrmse, psnr, ssim
from ..simulators import Specimen, read_image
from .goals import goal_scores

BATCH = 50  # points, where neither a number nor a stage is given
FWHM_PER_SIGMA = 2.3548200450309493  # of a Gaussian: 2 sqrt(2 ln 2)


@dataclass(frozen=True, eq=False)
class FlownPath:
    """The way of a stage that flies.

    Attributes
    ----------
    pixels : (B, 2) ndarray of int64
        All that it measured or flew over, in order.
    lengths : (S,) ndarray of int64
        How many of them each segment has.
    fresh : (P,) ndarray of int64
        Where in the order each point was measured first.
    """

    pixels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    fresh: NDArray[np.int64]

    def until(self, num: int) -> NDArray[np.int64]:
        """(B, 2) the way to the last of the first ``num`` points."""
        return self.pixels[: self.fresh[num - 1] + 1]

    def clock(self, stage: StageTime) -> NDArray[np.float64]:
        """(P,) s after which each point is measured."""
        return stage.clock(self.pixels, None, self.lengths)[self.fresh]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What an agent measured, in order, and what its decisions cost.

    Attributes
    ----------
    scan : SparseScan
        All its points, in the order measured.
    decided_at : (D,) ndarray of int64
        Number of points measured before each decision.
    ms, cpu_ms : (D,) ndarray of float64
        Wall and processor time from a batch's last value to the next batch's points.
    estimates : tuple of ErrorEstimate
        The map's error that each decision expected.
    path : Path, optional
        The way of a stage that flew; that through the points where not given.
    """

    scan: SparseScan
    decided_at: NDArray[np.int64]
    ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]
    estimates: tuple[ErrorEstimate, ...] = ()
    path: FlownPath | None = None

    def first(self, num: int) -> SparseScan:
        """The scan as it was after ``num`` points."""
        return self.scan.first(num)

    def travel(self, num: int) -> float:
        """Euclidean length of the path through the first ``num`` points, in pixels."""
        way = self.scan.pixels[:num] if self.path is None else self.path.until(num)
        return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())

    def seconds(self, num: int, stage: StageTime) -> float:
        """Time that a stage needs for the first ``num`` points, from the first place on."""
        return float(self.clock(stage)[num - 1])

    def clock(self, stage: StageTime) -> NDArray[np.float64]:
        """(P,) s after which each point is measured, from the first place on."""
        return stage.clock(self.scan.pixels) if self.path is None else self.path.clock(stage)


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


def run_agent(
    truth: NDArray[np.float64],
    agent: str,
    num: int,
    *,
    batch: int | None = BATCH,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    stage: StageTime | None = None,
    marks: Sequence[int] = (),
    until: StopRule | str | None = None,
    fly: bool = False,
) -> Iterator[tuple[int, Trajectory | None]]:
    """Let an agent measure ``num`` pixels of an image, batch by batch.

    Parameters
    ----------
    truth : (M, N) ndarray of float64
        Or (C, M, N) of several channels.
    agent : str
        As ``make_sampler`` takes it, with ``options``.
    num : int
        Points in all.
    batch : int, optional
        Points between two decisions; the last batch is as long as there are points left.  None
        leaves it to the stage, which then must be known.
    seed : int
    stage : StageTime, optional
        In pixels; routes are the quickest by it, and the shortest without it.
    marks : sequence of int
        Numbers of points at which a batch ends, however long it would be.
    until : StopRule or str, optional
        Ends it before; it knows points and expected errors, and no clock.
    fly : bool
        Whether the stage may fly over segments; marks are then passed without an end.

    Yields
    ------
    points : int
        Measured so far.
    trajectory : Trajectory or None
        With the last batch: the whole.
    """
    rows, columns = truth.shape[-2:]
    grid = ScanGrid(
        Axis("row", 0, max(rows - 1, 1), rows), Axis("column", 0, max(columns - 1, 1), columns)
    )
    rule = points(num) if until is None else points(num) | parse(until)
    scanner = ScanAgent(
        grid,
        make_sampler(agent, options),
        name=agent,
        seed=seed,
        until=rule,
        stage=stage,
        growing=batch is None,
        fly=fly,
    )
    size = _largest(stage or StageTime(), grid.shape, fly) if batch is None else batch
    way = _Way()
    fresh: list[tuple[float, ...]] = []
    measured: list[tuple[float, ...]] = []
    costs: list[tuple[int, float, float]] = []
    estimates: tuple[ErrorEstimate, ...] = ()
    while True:
        mark = min([m for m in marks if m > len(measured) and not fly], default=num)
        began = time.perf_counter(), time.process_time()
        scanner.observe(fresh)
        decision = scanner.decide(min(size, mark - len(measured)), number=len(costs))
        cost = time.perf_counter() - began[0], time.process_time() - began[1]
        if not len(decision.pixels):
            raise RuntimeError(f"agent {agent!r} suggested nothing after {len(measured)} points")
        costs.append((len(measured), 1e3 * cost[0], 1e3 * cost[1]))
        estimates += (decision.estimate,)
        fresh = [
            (len(measured) + k + 1, row, column, *np.atleast_1d(truth[..., row, column]))
            for k, (row, column) in enumerate(way.go(decision))
        ]
        measured += fresh
        if rule.reason(Progress(len(measured), grid.size, estimates=estimates)):
            break
        yield len(measured), None
    log = np.array(measured)
    decided_at, ms, cpu_ms = np.array(costs).T
    scan = SparseScan.of(grid.shape, log[:, 1:3], log[:, 3:])
    path = way.path if fly else None
    yield len(measured), Trajectory(scan, decided_at.astype(np.int64), ms, cpu_ms, estimates, path)


def _largest(stage: StageTime, shape: tuple[int, int], fly: bool) -> int:
    return largest_flown_batch(stage, shape) if fly else largest_batch(stage, shape)


class _Way:
    """Where the stage went, and which pixels it saw for the first time."""

    def __init__(self) -> None:
        self._order: dict[tuple[int, int], int] = {}
        self._pixels: list[tuple[int, int]] = []
        self._lengths: list[int] = []

    def go(self, decision: Decision) -> list[tuple[int, int]]:
        """Take a decision's pixels; gives those that are new."""
        known = len(self._order)
        for row, column in decision.pixels.tolist():
            self._order.setdefault((row, column), len(self._pixels))
            self._pixels.append((row, column))
        self._lengths += decision.lengths.tolist()
        return list(self._order)[known:]

    @property
    def path(self) -> FlownPath:
        fresh = np.fromiter(self._order.values(), dtype=np.int64)
        return FlownPath(np.array(self._pixels), np.array(self._lengths), fresh)


def assess(
    truth: NDArray[np.float64],
    trajectory: Trajectory,
    share: float,
    agent: str,
    options: Mapping[str, Any] | None = None,
    stage: StageTime | None = None,
) -> dict[str, Any]:
    """Compare the map after a share of the points with the truth.

    Returns
    -------
    dict
        ``agent, coverage, points, nrmse, ssim, psnr, decision_ms_p50, decision_ms_p95,
        decision_cpu_ms_p50, travel_px``; ``seconds`` where a stage (in pixels) is given;
        ``nrmse_own`` and ``ssim_own`` where the agent has a reconstruction of its own; of several
        channels these are means, ``nrmse_by_channel`` each one's, and ``steered_by`` says how many
        of them the agent decides by;
        ``best_found`` or ``f1`` where it has such a goal;
        ``nlpd, cov90, estimated_nrmse`` where it says how sure it is of that: mean negative log
        density and cover of the 90 % intervals over the unmeasured pixels, and the NRMSE that it
        expects.  The first decision, which draws the start and warms up, is left out of the times
        where there are others.
    """
    num = points_at(share, truth.shape)
    scan = trajectory.first(num)
    sampler = make_sampler(agent, options)
    own = getattr(sampler, "reconstruct", None)
    truths = truth.reshape(-1, *scan.shape)
    maps = [None if own is None else own(channel) for channel in scan.channels]
    quality = list(map(_quality, truths, scan.channels, maps))
    made = trajectory.decided_at < num
    made[0] = made.sum() == 1
    ms, cpu_ms = trajectory.ms[made], trajectory.cpu_ms[made]
    row = {
        "shape": list(truth.shape),
        "agent": agent,
        "coverage": share,
        "points": num,
        **_means(quality),
        "decision_ms_p50": float(np.median(ms)),
        "decision_ms_p95": float(np.percentile(ms, 95)),
        "decision_cpu_ms_p50": float(np.median(cpu_ms)),
        "travel_px": trajectory.travel(num),
    }
    if stage is not None:
        row["seconds"] = trajectory.seconds(num, stage)
    if len(quality) > 1:
        row["nrmse_by_channel"] = [each["nrmse"] for each in quality]
        row["steered_by"] = len(quality) if getattr(sampler, "several_channels", False) else 1
    if maps[0] is not None:
        row |= goal_scores(truths[0], scan, maps[0], options)
    surrogate = getattr(sampler, "surrogate", None)
    if surrogate is not None:
        row |= _honesty(truths[0], surrogate(scan.channels[0]), scan)
    return row


def _quality(
    truth: NDArray[np.float64], scan: SparseScan, own: NDArray[np.float64] | None
) -> dict[str, float]:
    """How near one channel's inverse-distance map comes to the truth, and the agent's own."""
    made = inverse_distance(scan)
    row = {"nrmse": nrmse(truth, made), "ssim": ssim(truth, made), "psnr": psnr(truth, made)}
    return (
        row if own is None else row | {"nrmse_own": nrmse(truth, own), "ssim_own": ssim(truth, own)}
    )


def _means(quality: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([each[key] for each in quality])) for key in quality[0]}


def _honesty(truth: NDArray[np.float64], belief: Any, scan: SparseScan) -> dict[str, float]:
    """What the belief says of the pixels that are not measured, held against the truth there."""
    estimated = {"estimated_nrmse": float(belief.expected_nrmse)}
    free = ~scan.mask
    if not free.any():
        return {"nlpd": math.nan, "cov90": math.nan, **estimated}
    inside = np.abs(truth - belief.mean) <= belief.interval(0.9)
    nlpd = -float(belief.log_density(truth)[free].mean())
    return {"nlpd": nlpd, "cov90": float(inside[free].mean()), **estimated}


def points_at(share: float, shape: tuple[int, ...]) -> int:
    """Points of a coverage: round(share x M x N), at least 1; of (M, N) or (C, M, N)."""
    return max(1, round(share * shape[-2] * shape[-1]))


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
    size = BATCH if batch is None and stage is None else batch
    truths = {str(image): load_truth(image, beam_px, channels) for image in images}
    given = _by_agent(agents, options or {})
    for image, agent, share, trajectory in trajectories(
        truths, agents, coverages, batch=size, seed=seed, options=given, stage=stage, fly=fly
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
                ):
                    bar.update(measured - done)
                    done = measured
                    if trajectory is not None:
                        for share in shares:
                            yield name, agent, share, trajectory


def _by_agent(agents: Sequence[str], options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if set(options) <= set(agents):
        return {agent: options.get(agent) or {} for agent in agents}
    return dict.fromkeys(agents, options)
