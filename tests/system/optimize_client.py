"""Seek the brightest place of a simulated microscope, or go on with that: prints the outcome."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bluesky import RunEngine

from skysteer.devices import Counter, ScanStage, connect
from skysteer.plans import BadPoints, optimize, resume_scan
from skysteer.storage import Journal

END = 2.3  # um: 24 pixels
POLICY = BadPoints(lost=("wait",) * 20 + ("stop",), in_a_row=20, patience=60.0)


def main(folder: Path, what: str, prefix: str) -> dict[str, Any]:
    stage = ScanStage(prefix, name="stage", timeout=5.0)
    counter = Counter(f"{prefix}counter:", name="counter", timeout=5.0)
    connect([stage, counter], timeout=60)
    RE = RunEngine({}, call_returns_result=True)
    RE.subscribe(Journal(folder / "journal"))
    if what == "resume":
        plan = resume_scan(-1, [counter], [stage.x, stage.y], source=folder)
    else:
        plan = optimize(
            [counter],
            "optimum",
            *(stage.y, 0, END, stage.x, 0, END),
            until="points(30)",
            batch=2,
            prefetch=1,
            dwell=0.02,
            seed=3,
            on_bad_point=POLICY,
        )
    found = RE(plan).plan_result
    stands = {axis.name: axis.position for axis in (stage.y, stage.x)}
    return {"points": found.points, "best": found.best, "stands": stands}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *sys.argv[2:])), flush=True)
    os._exit(0)  # threads of Channel Access do not end by themselves where their IOC was killed
