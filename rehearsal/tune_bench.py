"""One trial of a sweep, in a worker: an agent with some options, on one image or past run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan
from .assess import assess
from .replay import PastScan, usual_batch
from .simulate import designs, load_truth
from .trajectory import points_at, run_agent


class PastData(TypedDict):
    """A past scan as it goes to a worker."""

    uid: str
    agent: str
    shape: list[int]
    pixels: NDArray[np.int64]
    values: NDArray[np.float64]
    seconds_per_point: float


def as_data(past: PastScan) -> PastData:
    """Take a past scan apart into what a worker can be sent."""
    return {
        "uid": past.uid,
        "agent": past.agent,
        "shape": list(past.scan.shape),
        "pixels": past.scan.pixels,
        "values": past.scan.values,
        "seconds_per_point": past.seconds_per_point,
    }


class TuneBench:
    """What an agent is tried on.

    Parameters
    ----------
    images : sequence of str
        As ``load_truth`` takes them; loaded when first tried.
    pasts : sequence of PastData
    agent : str
    coverages : sequence of float
    batch : int or None
        Points between two decisions; as ``replay`` chooses it, where None.
    """

    def __init__(
        self,
        images: Sequence[str],
        pasts: Sequence[PastData],
        agent: str,
        coverages: Sequence[float],
        batch: int | None,
    ) -> None:
        self._images = list(images)
        self._pasts = [_past(data) for data in pasts]
        self._agent = agent
        self._coverages = list(coverages)
        self._batch = batch

    def run(self, subject: int, options: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
        """Try options on a subject: the images come first, then the past scans.

        Returns
        -------
        list of dict
            What ``assess`` gives, one for each coverage.  Of a past scan that left pixels out,
            NRMSE is that where it measured, and SSIM and PSNR are NaN.
        """
        past = None if subject < len(self._images) else self._pasts[subject - len(self._images)]
        truth = load_truth(self._images[subject]) if past is None else past.truth
        rows = []
        for shares in designs(self._agent, self._coverages, options):
            num = points_at(shares[-1], truth.shape)
            size = self._batch or usual_batch(truth.size)
            steps = run_agent(truth, self._agent, num, batch=size, seed=seed, options=options)
            for trajectory in (each for _, each in steps if each is not None):
                for share in shares:
                    row = assess(truth, trajectory, share, self._agent, options)
                    if past is not None and not past.full:
                        error = past.distance(trajectory.first(row["points"]))
                        row |= {"nrmse": error, "ssim": float("nan"), "psnr": float("nan")}
                    rows.append(row)
        return rows


def _past(data: PastData) -> PastScan:
    rows, columns = data["shape"]
    scan = SparseScan.of((rows, columns), np.asarray(data["pixels"]), np.asarray(data["values"]))
    return PastScan(data["uid"], data["agent"], scan, data["seconds_per_point"])
