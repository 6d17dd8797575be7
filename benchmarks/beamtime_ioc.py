"""Scans that fly over Channel Access, against the time that the cost model foretold.

``python benchmarks/beamtime_ioc.py [--dwell S ...] [--points N] [--json]`` starts a simulated
microscope, lets an agent fly at each dwell, and compares the seconds from the first target to the
last bin with what ``StageTime.clock`` says of the same segments. The overhead (messages, Channel
Access, documents) is that of a shorter scan before, with another seed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skysteer.agent import History, PastDecision, ScanGrid, StageTime
from skysteer.simulators import Ioc, IocOptions

DWELLS, POINTS = (0.01, 0.1, 1.0), (1200, 400, 60)
SETTLE = 0.05  # s
PRACTICE = 0.3  # of the points, in a scan before that tells the overhead of a point or segment
OPTIONS = IocOptions(kind="flakes", shape=(48, 96), velocity=100.0, ramp=0.1, prefix="TIME:")
BAR = 0.1  # of the time foretold


def main() -> None:
    """Print a row for each dwell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dwell", type=float, nargs="+", default=DWELLS, help="s of each bin")
    parser.add_argument("--points", type=int, nargs="+", default=POINTS, help="one for each dwell")
    parser.add_argument("--agent", default="slads")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with (
        Ioc(OPTIONS) as ioc,
        tempfile.TemporaryDirectory(
            ignore_cleanup_errors=True  # the keeper may still write
        ) as folder,
    ):
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        for row in rows(
            ioc, Path(folder), asked.agent, zip(asked.dwell, asked.points, strict=False)
        ):
            print(json.dumps(row) if asked.json else in_words(row), flush=True)


def rows(ioc: Ioc, folder: Path, agent: str, asked: Any) -> Iterator[dict[str, Any]]:
    """Scan at each dwell; what was foretold and what it took."""
    from skysteer.session import open_session

    with open_session(ioc.prefix, folder, fly=True) as session:
        documents: list[tuple[str, Any]] = []
        session.RE.subscribe(lambda name, document: documents.append((name, document)))
        for dwell, points in asked:
            overhead = 0.0
            for share, seed in ((PRACTICE, 2), (1.0, 1)):
                documents.clear()
                session.RE(plan(session, agent, dwell, int(points * share), overhead, seed))
                row = compare(documents, dwell)
                overhead += row["overhead_ms"] / 1e3
            yield row


def plan(session: Any, agent: str, dwell: float, points: int, overhead: float, seed: int) -> Any:
    """The scan, or a short one before it that tells the overhead."""
    from skysteer.plans import adaptive_scan

    (rows, columns), pitch = OPTIONS.shape, OPTIONS.pixel_size
    y = (session.stage.y, 0, (rows - 1) * pitch, rows)
    x = (session.stage.x, 0, (columns - 1) * pitch, columns)
    detectors = [session.counter, session.ring]
    settings = {"until": f"points({points})", "dwell": dwell, "settle": SETTLE, "seed": seed}
    stage = {"speed": OPTIONS.velocity, "acceleration": OPTIONS.ramp, "overhead": max(0, overhead)}
    return adaptive_scan(detectors, agent, *y, *x, fly=True, stage=stage, **settings)


def compare(documents: list[tuple[str, Any]], dwell: float) -> dict[str, Any]:
    """What the segments took, without the decisions that the stage waited for, and should have."""
    past = History.of(documents)
    grid = ScanGrid.from_description(past.record["grid"])
    stage = StageTime.of(past.record["stage"]).in_pixels(grid)
    chosen = [each for each in past.made if len(each.decision.pixels)]
    pixels, _, flown = _flown(chosen, len(past.log))
    clock = stage.clock(pixels, None, flown)
    foretold = clock[-1]
    more = np.diff(_times(documents)) - np.diff(clock[np.cumsum(flown) - 1])
    waits, first = _decisions(documents)
    seconds = _times(documents)[-1] - first - waits
    lengths = np.concatenate([each.decision.lengths for each in chosen])
    return {
        "dwell": dwell,
        "points": len(past.log),
        "segments": int((lengths > 1).sum()),
        "stops": int((lengths == 1).sum()),
        "foretold": round(float(foretold), 2),
        "seconds": round(seconds, 2),
        "ratio": round(seconds / float(foretold), 3),
        "waited": round(waits, 2),
        "overhead_ms": round(1e3 * (seconds - float(foretold)) / len(lengths), 1),
        "overhead_ms_quiet": round(1e3 * float(np.quantile(more, 0.1)), 1),
        "interventions": len(past.interventions),
        "bar": BAR,
        "holds": bool(abs(seconds / float(foretold) - 1) <= BAR),
    }


def _flown(chosen: list[PastDecision], measured: int) -> tuple[Any, None, Any]:
    """Pixels and lengths of the segments that were flown, as `StageTime.clock` takes them."""
    pixels = np.concatenate([each.decision.pixels for each in chosen])[:measured]
    lengths = np.concatenate([each.decision.lengths for each in chosen])
    ends = np.minimum(np.cumsum(lengths), measured)
    lengths = np.diff(np.concatenate([[0], ends]))
    return pixels, None, lengths[lengths > 0]


def _decisions(documents: list[tuple[str, Any]]) -> tuple[float, float]:
    """Seconds that the stage waited for decisions after the first, and when that was read."""
    events = [d for n, d in documents if n == "event" and "decision_number" in d["data"]]
    waits = [event["data"]["decision_waited_ms"] / 1e3 for event in events[1:-1]]
    return float(np.sum(waits)), events[0]["time"]


def _times(documents: list[tuple[str, Any]]) -> list[float]:
    """When each point or segment was saved."""
    return [
        max(d["time"]) if n == "event_page" else d["time"]
        for n, d in documents
        if n == "event_page" or (n == "event" and "counter" in d["data"])
    ]


def in_words(row: dict[str, Any]) -> str:
    """A row for people."""
    return (
        f"{row['dwell'] * 1e3:6g} ms: {row['points']} pixels in {row['segments']} flights and "
        f"{row['stops']} points; foretold {row['foretold']} s, took {row['seconds']} s "
        f"({row['ratio']:.3f}; {row['overhead_ms']} ms more each, but "
        f"{row['overhead_ms_quiet']} ms of the quickest tenth), waited {row['waited']} s "
        f"for decisions; {'holds' if row['holds'] else 'does not hold'}"
    )


if __name__ == "__main__":
    main()
