"""How good an agent's map is, how fast it decided, and how honest it was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import StageTime, make_sampler
from ..models import SparseScan, inverse_distance, nrmse, psnr, ssim
from .goals import goal_scores
from .trajectory import Trajectory, points_at


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
        expects; of several channels their means.  The first decision, which draws the start and
        warms up, is left out of the times where there are others.
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
        beliefs = map(surrogate, scan.channels)
        row |= _means([_honesty(*each, scan) for each in zip(truths, beliefs, strict=True)])
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
