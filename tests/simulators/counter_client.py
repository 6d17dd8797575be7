"""Use the counter, the ring and the faults with caproto's threading client; report what was seen.

Run as ``python counter_client.py SCENARIO ...`` with the IOC's environment.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

from caproto.threading.client import Context, SharedBroadcaster

context = Context(SharedBroadcaster())


def pv(name: str) -> Any:
    (found,) = context.get_pvs(f"SIM:{name}")
    found.wait_for_connection(timeout=10)
    return found


def get(name: str) -> float:
    return float(pv(name).read().data[0])


def put(name: str, value: float) -> None:
    pv(name).write([value], wait=True, timeout=20)


def count() -> dict[str, Any]:
    put("counter:Acquire", 1)
    reading = {name: get(f"counter:{name}") for name in ("Counts", "I0", "Elapsed", "Acquire")}
    return {name: None if math.isnan(value) else value for name, value in reading.items()}


def forwards() -> Any:
    return visit([(3, 4), (0, 0), (7, 2), (3, 4)])


def backwards() -> Any:
    return visit([(3, 4), (7, 2), (0, 0), (3, 4)])


def visit(pixels: list[tuple[int, int]]) -> Any:
    found: dict[str, list[Any]] = {}
    for column, row in pixels:
        put("x", column * 0.1)
        put("y", row * 0.1)
        found.setdefault(f"{column} {row}", []).append(count())
    return found


def dwell() -> Any:
    timed = []
    for seconds in (0.0, 0.05, 0.2):
        put("counter:Dwell", seconds)
        began = time.monotonic()
        reading = count()
        timed.append((seconds, time.monotonic() - began, reading))
    return timed


def a_bad_dwell() -> Any:
    for seconds in (-1.0, math.nan, math.inf):
        pv("counter:Dwell").write([seconds], wait=False)
        time.sleep(0.1)
    return get("counter:Dwell")


def an_abort() -> Any:
    put("counter:Dwell", 60.0)
    acquire, done = pv("counter:Acquire"), []
    acquire.write([1], wait=False, notify=True, callback=lambda response: done.append(response))
    while get("counter:Acquire") == 0:
        pass
    # a count under way keeps nobody waiting
    began = time.monotonic()
    for _ in range(100):
        get("x.RBV")
    reads = time.monotonic() - began
    put("x", 0.3)
    counting = get("counter:Acquire")
    put("counter:Acquire", 0)
    while not done:
        time.sleep(0.005)
    rate = get("counter:I0") / get("counter:Elapsed")
    return {"counting": counting, "after": get("counter:Acquire"), "rate": rate, "reads": reads,
            "elapsed": get("counter:Elapsed")}  # fmt: skip


def a_second_asker() -> Any:
    put("counter:Dwell", 0.3)
    acquire, done = pv("counter:Acquire"), []
    acquire.write([1], wait=False, notify=True, callback=lambda response: done.append(response))
    put("counter:Acquire", 1)
    deadline = time.monotonic() + 5  # its callback runs in a thread of its own
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)
    return {"both": len(done), "elapsed": get("counter:Elapsed")}


def faults() -> Any:
    put("x", 0.0)
    put("y", 0.0)
    put("counter:Dwell", 0.01)
    seen: dict[str, Any] = {"healthy": count()}
    for fault in ("LostCounts", "NaN", "BeamDump"):
        put(f"fault:{fault}", 1)
        seen[fault] = count() | {"current": get("ring:Current")}
        put(f"fault:{fault}", 0)
    seen["mended"] = count() | {"current": get("ring:Current")}
    put("fault:SlowResponse", 0.4)
    began = time.monotonic()
    count()
    seen["slow count"] = time.monotonic() - began
    began = time.monotonic()
    put("x", 0.5)
    seen["slow move"] = time.monotonic() - began
    put("fault:SlowResponse", 0.0)
    return seen


def a_stuck_motor() -> Any:
    x, done = pv("x"), []
    put("x", 0.0)
    put("fault:StuckX", 1)
    x.write([0.7], wait=False, notify=True, callback=lambda response: done.append(response))
    time.sleep(0.5)
    stuck = {"done": len(done), "RBV": get("x.RBV"), "DMOV": get("x.DMOV")}
    put("y", 0.4)  # the other axis is well
    put("fault:StuckX", 0)
    while not done:
        time.sleep(0.01)
    freed = {"RBV": get("x.RBV"), "DMOV": get("x.DMOV")}
    put("fault:StuckX", 2)
    put("x", 0.2)
    stalled = {"RBV": get("x.RBV"), "DMOV": get("x.DMOV"), "MSTA": get("x.MSTA")}
    put("fault:StuckX", 0)
    put("x", 0.2)
    return {"stuck": stuck, "y": get("y.RBV"), "freed": freed, "stalled": stalled,
            "then": {"RBV": get("x.RBV"), "MSTA": get("x.MSTA")}}  # fmt: skip


def two_channels() -> Any:
    put("x", 0.1)
    put("counter:Acquire", 1)
    return [get("counter:Counts"), get("counter:Counts2")]


def the_ring() -> Any:
    values: list[tuple[float, float]] = []
    subscription = pv("ring:Current").subscribe()

    def callback(_: object, response: Any) -> None:
        values.append((time.monotonic(), float(response.data[0])))

    subscription.add_callback(callback)
    time.sleep(1.0)
    return [current for _, current in values]


if __name__ == "__main__":
    print(json.dumps({name: globals()[name]() for name in sys.argv[1:]}))
