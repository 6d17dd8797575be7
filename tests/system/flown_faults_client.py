"""Fly over Channel Access, with a fault in mid-air now and then: prints what came of it as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from skysteer.agent import History, make_sampler
from skysteer.plans import BadPoints, adaptive_scan
from skysteer.simulators import Ioc, IocOptions

OPTIONS = IocOptions(kind="gradients", shape=(16, 16), noise="none", velocity=10.0, ramp=0.1)
SAMPLER = f"{Path(__file__).parents[1] / 'plans' / 'samplers.py'}:Segments"
DWELL = 0.02
IN_MID_AIR = 0.11  # s after its move has begun
BRAKES, DIES = (2,), 4  # of the flights


def main() -> dict[str, Any]:
    iocs = [Ioc(OPTIONS)]
    os.environ.update(iocs[0].environment)
    from bluesky import RunEngine

    from skysteer.devices import MultichannelCounter, ScanStage, connect

    stage = ScanStage("SIM:", name="stage", timeout=2.0)
    encoders = {"stage_x": "X", "stage_y": "Y"}
    counter = MultichannelCounter("SIM:counter:", name="counter", encoders=encoders, timeout=2.0)
    connect([stage, counter], timeout=60)
    documents: list[tuple[str, dict[str, Any]]] = []
    threads: list[threading.Thread] = []
    flights: list[Any] = []

    def restart() -> None:
        os.kill(iocs[0].pid, signal.SIGKILL)
        iocs[0].close()
        time.sleep(0.5)
        iocs.append(Ioc(OPTIONS, port=iocs[0].port))

    def look(message: Any) -> None:
        flies = message.command == "set" and message.obj in (stage.x, stage.y)
        if not (flies and abs(message.obj.velocity.get() - 0.1 / DWELL) < 1e-6):
            return
        flights.append(message.obj.name)
        if len(flights) in (*BRAKES, DIES):
            brake = partial(message.obj.motor_stop.put, 1, wait=False)
            act = brake if len(flights) in BRAKES else restart
            threads.append(threading.Timer(IN_MID_AIR, act))
            threads[-1].start()

    RE = RunEngine({}, call_returns_result=True, context_managers=[])
    RE.subscribe(lambda name, document: documents.append((name, document)))
    RE.msg_hook = look
    end = 15 * 0.1
    plan = adaptive_scan(
        [counter],
        make_sampler(SAMPLER, {}),
        *(stage.y, 0, end, 16, stage.x, 0, end, 16),
        until="points(60)",
        batch=30,
        dwell=DWELL,
        fly=True,
        on_bad_point=BadPoints(
            stalled=("retry", "retry", "skip"),
            hung=("retry", "retry", "skip"),
            lost=("wait",) * 20 + ("stop",),
            in_a_row=20,
            patience=60.0,
        ),
    )
    with contextlib.redirect_stdout(sys.stderr):
        outcome = RE(plan).plan_result
    for thread in threads:
        thread.join()
    past = History.of(documents)
    pages = [document["seq_num"] for name, document in documents if name == "event_page"]
    said = {
        "points": outcome.points,
        "reason": outcome.stop_reason,
        "flights": flights,
        "pages": [len(page) for page in pages],
        "kinds": [(each.kind, each.detail["why"]) for each in past.interventions],
        "measured": [[entry.row, entry.column] for entry in past.log],
        "targets": [p for each in past.made for p in each.decision.pixels.tolist()],
        "values": [entry.value for entry in past.log],
        "speeds": [motor.velocity.get() for motor in (stage.x, stage.y)],
        "ramps": [motor.acceleration.get() for motor in (stage.x, stage.y)],
        "exposures": outcome.exposures,
    }
    for ioc in iocs:
        ioc.close()
    return said


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
    os._exit(0)  # threads of Channel Access do not end by themselves where their IOC was killed
