"""Do to a motor record, with pyepics, what operators and programs do; report what was seen.

Run as ``python motor_record_client.py`` with the environment of an IOC whose motors run at 10 um/s
with 0.1 s of ramp, within soft limits -2..12 um and limit switches at -3.4 and 13.4 um.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from epics import PV

RECORD = "SIM:x"
FIELDS = (
    "VAL RBV DVAL DRBV DMOV MOVN STOP HLM LLM DHLM DLLM HLS LLS LVIO VELO ACCL BDST BVEL BACC "
    "SPMG MSTA OFF DIR SET TWV TWF TWR RLV TDIR"
).split()
events: list[tuple[str, Any]] = []
pvs = {
    field: PV(
        f"{RECORD}.{field}",
        auto_monitor=True,
        callback=lambda value, field=field, **_: events.append((field, value)),
    )
    for field in FIELDS
}


def get(field: str) -> Any:
    return pvs[field].get(use_monitor=False)


def put(field: str, value: Any, *, wait: bool = True) -> Any:
    return pvs[field].put(value, wait=wait, timeout=20)


def start(field: str, value: Any) -> Callable[[], bool]:
    """Put without waiting; return what tells whether the put has completed."""
    done: list[bool] = []
    pvs[field].put(value, callback=lambda **_: done.append(True))
    return lambda: bool(done)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.002)
    return False


def at_rest() -> bool:
    return until(lambda: get("DMOV") == 1)


def state() -> dict[str, Any]:
    return {field: get(field) for field in FIELDS}


def home() -> None:
    """Back to 0 and to the first settings."""
    put("SPMG", 3)
    put("SET", 0)
    put("DIR", 0)
    put("OFF", 0.0)
    put("BDST", 0.0)
    put("HLM", 12.0)
    put("LLM", -2.0)
    put("VAL", 0.0)
    at_rest()
    time.sleep(0.05)
    events.clear()


def a_move() -> Any:
    began = time.monotonic()
    put("VAL", 2.0)
    return {"seconds": time.monotonic() - began, "events": list(events), **state()}


def beyond_a_limit() -> Any:
    before = state()
    status = put("VAL", 1e4)
    after = state()
    seen = list(events)
    put("VAL", 1.0)
    return {"before": before, "status": status, "after": after, "events": seen, "then": state()}


def not_a_number() -> Any:
    put("VAL", float("nan"))
    return state()


def numbers_that_are_none() -> Any:
    before = state()
    for field in ("VELO", "ACCL", "BDST", "OFF", "HLM", "DLLM"):
        start(field, float("nan"))
        start(field, float("inf"))
    put("VAL", 0.5)
    return {"before": before, **state()}


def limits() -> Any:
    pvs["VAL"].get_ctrlvars()
    first = pvs["VAL"].lower_ctrl_limit, pvs["VAL"].upper_ctrl_limit
    put("HLM", 3.0)
    ctrl = pvs["VAL"].get_ctrlvars()
    put("VAL", 3.5)
    refused = state()
    put("DHLM", 4.0)
    put("VAL", 3.5)
    return {"first": first, "ctrl": ctrl, "refused": refused, "then": state()}


def a_new_target_on_the_way() -> Any:
    first = start("VAL", 8.0)
    until(lambda: get("RBV") > 1.0)
    early = first()
    put("VAL", 0.5)
    return {"early": early, "first": until(first), "events": list(events), **state()}


def a_stop() -> Any:
    moved = start("VAL", 10.0)
    until(lambda: get("RBV") > 1.0)
    put("STOP", 1)
    return {"completed": until(moved), "rest": at_rest(), **state()}


def a_stop_at_rest() -> Any:
    put("STOP", 1)
    put("VAL", 1.0)
    return state()


def a_pause() -> Any:
    moved = start("VAL", 6.0)
    until(lambda: get("RBV") > 1.0)
    put("SPMG", 1)
    until(lambda: get("MOVN") == 0)
    time.sleep(0.1)
    paused, early = state(), moved()
    put("SPMG", 3)
    return {"paused": paused, "early": early, "completed": until(moved), **state()}


def a_stop_in_a_pause() -> Any:
    moved = start("VAL", 6.0)
    until(lambda: get("RBV") > 1.0)
    put("SPMG", 1)
    until(lambda: get("MOVN") == 0)
    put("STOP", 1)
    return {"completed": until(moved), **state()}


def spmg_stop() -> Any:
    moved = start("VAL", 6.0)
    until(lambda: get("RBV") > 1.0)
    put("SPMG", 0)
    stopped = until(moved) and state()
    later = start("VAL", 3.0)
    time.sleep(0.3)
    waiting, early = state(), later()
    put("SPMG", 3)
    return {"stopped": stopped, "waiting": waiting, "early": early, "done": until(later), **state()}


def spmg_move() -> Any:
    put("SPMG", 2)
    put("VAL", 1.0)
    return state()


def tweaks() -> Any:
    put("TWV", 0.5)
    put("TWF", 1)
    put("TWF", 1)
    put("TWR", 1)
    after = state()
    put("RLV", 1.25)
    return {"after": after, "then": state()}


def an_offset() -> Any:
    put("VAL", 1.0)
    put("OFF", 10.0)
    shifted = state()
    put("VAL", 12.0)
    moved = state()
    put("DIR", 1)
    return {"shifted": shifted, "moved": moved, "mirrored": state()}


def a_calibration() -> Any:
    put("VAL", 1.0)
    put("SET", 1)
    put("VAL", 5.0)
    put("SET", 0)
    return state()


def backlash() -> Any:
    put("VAL", 4.0)
    put("BDST", 0.5)
    put("BVEL", 2.0)
    events.clear()
    put("VAL", 2.0)  # against the preferred direction: from 1.5
    down = [value for field, value in events if field == "RBV"]
    events.clear()
    put("VAL", 4.0)
    up = [value for field, value in events if field == "RBV"]
    return {"down": down, "up": up, **state()}


def a_limit_switch() -> Any:
    put("HLM", 50.0)
    put("VAL", 20.0)
    hit = state()
    put("VAL", 5.0)
    return {"hit": hit, "then": state()}


def velocity() -> Any:
    put("VELO", 1e9)
    fast = get("VELO")
    events.clear()
    for target in (1.0, 1.0, 2.0):
        put("VAL", target)
    moves = [value for field, value in events if field == "DMOV"]
    put("VELO", 10.0)
    return {"fast": fast, "moves": moves, **state()}


SCENARIOS = (
    a_move, beyond_a_limit, not_a_number, numbers_that_are_none, limits, a_new_target_on_the_way,
    a_stop, a_stop_at_rest, a_pause, a_stop_in_a_pause, spmg_stop, spmg_move, tweaks, an_offset,
    a_calibration, backlash, a_limit_switch, velocity,
)  # fmt: skip

if __name__ == "__main__":
    assert all(pv.wait_for_connection(10) for pv in pvs.values())
    found = {}
    for scenario in SCENARIOS:
        home()
        found[scenario.__name__] = scenario()
    print(json.dumps(found))
