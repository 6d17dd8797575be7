"""What a scan leaves: pictures, points, and the line that the commands print."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .settings import Scan

if TYPE_CHECKING:
    from ..storage import RecordedRun


def finish(
    scan: Scan,
    runs: list[RecordedRun],
    stop_reason: str,
    truth: NDArray[np.float64] | None,
    began: float,
) -> dict[str, Any]:
    """Draw what the runs of a scan hold, and compare; of several channels the mean scores."""
    from ..models import nrmse, ssim
    from ..storage import as_one_run
    from ..views import save_map, summarize, write_points, write_report

    summary = summarize(as_one_run(runs))
    if not len(summary.scan.values):
        raise RuntimeError(f"nothing usable was measured: {stop_reason}")
    maps = [channel.reconstruct() for channel in summary.channels]
    write_points(scan.out / "points.csv", summary)
    save_map(scan.out / "map.png", summary, truth=truth)
    write_report(scan.out / "report.html", summary, truth=truth)
    decided = [d.ms for d in summary.decisions if d.count]
    timed = [run.events()["time"] for run in runs if "primary" in run.streams]
    spacing = np.concatenate([np.diff(times) for times in timed])
    counted = scan.dwell * float(np.mean([event.exposure for event in summary.events]))
    return {
        "uid": runs[-1].start["uid"],
        "agent": scan.agent,
        "points": len(summary.scan.values),
        "coverage": summary.scan.coverage,
        "nrmse": None if truth is None else float(np.mean([*map(nrmse, truth, maps)])),
        "ssim": None if truth is None else float(np.mean([*map(ssim, truth, maps)])),
        "decision_ms_p50": float(np.median(decided)),
        "decision_ms_p95": float(np.percentile(decided, 95)),
        "overhead_ms_per_point": 1e3 * (float(np.mean(spacing)) - counted)
        if len(spacing)
        else None,
        "seconds": time.monotonic() - began,
        "stop_reason": stop_reason,
        "catalog": scan.tiled.partition("?")[0] if scan.tiled else str(scan.out / "catalog"),
        "notes": [*dict.fromkeys(d.note for d in summary.decisions if d.note), *_remarks(runs)],
        "picture": str(scan.out / "map.png"),
        "report": str(scan.out / "report.html"),
    }


def _remarks(runs: list[RecordedRun]) -> list[str]:
    """Where a run that went on with another decided otherwise."""
    from ..agent import History

    if len(runs) < 2:
        return []
    said = History.of(d for run in runs for d in run.documents(doubles=True)).interventions
    differing = [each.detail for each in said if each.detail.get("differs", -1) >= 0]
    return [
        f"decision {each['differs']} came out with other {each['what']} when run "
        f"{each['resumed_from']} was gone on with"
        for each in differing
    ]
