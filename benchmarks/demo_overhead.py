"""What steering costs: the adaptive scan against a plain list_scan of the same points.

Both run over Channel Access on one simulated microscope (real motor records, moves that take no
time), with the same subscribers (the journal and the catalog behind it), in interleaved pairs.
Times are from the first move to the last event; start-up is reported apart.

    python benchmarks/demo_overhead.py [--image FILE] [--pairs 5] [--coverage 0.15] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


class Stopwatch:
    """Times from the first move to the last event of a run, and keeps its points."""

    def __init__(self, stage: Any) -> None:
        self._axes = (stage.y, stage.x)
        self.began = self.ended = self.cpu_began = self.cpu_ended = 0.0
        self.targets: list[tuple[float, float]] = []
        self._primary: set[str] = set()

    def message(self, msg: Any) -> None:
        """Hear each message of the plan."""
        if msg.command == "set" and msg.obj in self._axes and not self.began:
            self.began, self.cpu_began = time.perf_counter(), time.process_time()

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Hear each document."""
        if name == "descriptor" and doc["name"] == "primary":
            self._primary.add(doc["uid"])
        elif name == "event" and doc["descriptor"] in self._primary:
            self.ended, self.cpu_ended = time.perf_counter(), time.process_time()
            data = doc["data"]
            self.targets.append((data["stage_y_user_setpoint"], data["stage_x_user_setpoint"]))

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.ended - self.began

    @property
    def cpu(self) -> float:
        """Processor time of this process."""
        return self.cpu_ended - self.cpu_began


def timed(session: Any, plan: Any) -> Stopwatch:
    """Run a plan under a stopwatch."""
    watch = Stopwatch(session.stage)
    session.RE.msg_hook = watch.message
    token = session.RE.subscribe(watch)
    try:
        session.RE(plan)
    finally:
        session.RE.unsubscribe(token)
        session.RE.msg_hook = None
    return watch


def compare(session: Any, shape: tuple[int, int], args: argparse.Namespace) -> dict[str, Any]:
    """One pair: an adaptive scan, then the same points by list_scan."""
    from bluesky.plans import list_scan

    from skysteer.plans import adaptive_scan

    rows, columns = shape
    stage, counter = session.stage, session.counter
    adaptive = timed(
        session,
        adaptive_scan(
            [counter, session.ring],
            args.agent,
            stage.y,
            0,
            0.1 * (rows - 1),
            rows,
            stage.x,
            0,
            0.1 * (columns - 1),
            columns,
            until=f"coverage({args.coverage})",
            batch=args.batch,
            dwell=args.dwell,
        ),
    )
    y, x = zip(*adaptive.targets, strict=True)
    plain = timed(session, list_scan([counter, session.ring], stage.y, list(y), stage.x, list(x)))
    assert np.allclose(plain.targets, adaptive.targets)
    return {
        "points": len(adaptive.targets),
        "adaptive_s": adaptive.seconds,
        "list_scan_s": plain.seconds,
        "ratio": adaptive.seconds / plain.seconds,
        "cpu_ratio": adaptive.cpu / plain.cpu,
        "adaptive_cpu_s": adaptive.cpu,
        "list_scan_cpu_s": plain.cpu,
    }


def main() -> None:
    """Run the pairs and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", help="a generated specimen without it")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--coverage", type=float, default=0.15)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--dwell", type=float, default=0.01)
    parser.add_argument("--agent", default="slads-net")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    began = time.perf_counter()
    from skysteer.simulators import Ioc, IocOptions

    options = IocOptions(image=args.image, crop=(128, 128) if args.image else None, seed=1)
    shape = options.specimen().shape
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Ioc(options) as ioc:
        os.environ.update(ioc.environment)
        from skysteer.session import open_session

        with open_session(options.prefix, Path(folder)) as session:
            startup = time.perf_counter() - began
            pairs = []
            for number in range(args.pairs):
                pairs.append(compare(session, shape, args))
                if not args.json:
                    print(f"pair {number + 1}: {pairs[-1]}", flush=True)
    ratios = [pair["ratio"] for pair in pairs]
    result = {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "cpu_ratio_median": statistics.median(pair["cpu_ratio"] for pair in pairs),
        "points": pairs[0]["points"],
        "ms_per_point_adaptive": 1e3
        * statistics.median(pair["adaptive_s"] / pair["points"] for pair in pairs),
        "startup_s": startup,
        "pairs": pairs,
    }
    print(json.dumps(result if args.json else {k: v for k, v in result.items() if k != "pairs"}))


if __name__ == "__main__":
    main()
