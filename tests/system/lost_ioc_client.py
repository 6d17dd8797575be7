"""Scan, lose the IOC on the way, and find it again: prints what came of it as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from typing import Any

from skysteer.agent import make_sampler
from skysteer.plans import BadPoints, adaptive_scan
from skysteer.simulators import Ioc, IocOptions

OPTIONS = IocOptions(kind="gradients", shape=(10, 10), noise="none", velocity=100.0)


def main() -> dict[str, Any]:
    first = Ioc(OPTIONS)
    os.environ.update(first.environment)
    from bluesky import RunEngine

    from skysteer.devices import Counter, ScanStage, connect

    stage = ScanStage("SIM:", name="stage", timeout=2.0)
    counter = Counter("SIM:counter:", name="counter", timeout=2.0)
    connect([stage, counter], timeout=60)
    documents: list[tuple[str, dict[str, Any]]] = []
    iocs = [first]

    def restart() -> None:
        os.kill(first.pid, signal.SIGKILL)
        first.close()
        time.sleep(1.0)
        iocs.append(Ioc(OPTIONS, port=first.port))

    def hear(name: str, document: dict[str, Any]) -> None:
        documents.append((name, document))
        if name == "event" and document["data"].get("counter") and document["seq_num"] == 12:
            threads.append(threading.Thread(target=restart))
            threads[-1].start()

    threads: list[threading.Thread] = []
    RE = RunEngine({}, call_returns_result=True, context_managers=[])
    RE.subscribe(hear)
    end = 9 * 0.1
    plan = adaptive_scan(
        [counter],
        make_sampler("low-discrepancy", {}),
        *(stage.y, 0, end, 10, stage.x, 0, end, 10),
        until="points(30)",
        batch=5,
        dwell=0.02,
        on_bad_point=BadPoints(lost=("wait",) * 20 + ("stop",), in_a_row=20, patience=60.0),
    )
    with contextlib.redirect_stdout(sys.stderr):
        outcome = RE(plan).plan_result
    for thread in threads:
        thread.join()
    events = [doc["data"] for name, doc in documents if name == "event"]
    readings = [data for data in events if "counter" in data]
    said = {
        "points": outcome.points,
        "reason": outcome.stop_reason,
        "kinds": [d["intervention_kind"] for d in events if "intervention_kind" in d],
        "why": [d["intervention_detail"] for d in events if "intervention_kind" in d],
        "dwells": sorted({round(data["counter_dwell"], 6) for data in readings}),
        "readings": len(readings),
        "exposures": outcome.exposures,
        "repeated": outcome.repeated,
    }
    for ioc in iocs:
        ioc.close()
    return said


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
    os._exit(0)  # threads of Channel Access do not end by themselves where their IOC was killed
