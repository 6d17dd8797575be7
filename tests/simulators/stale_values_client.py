"""Move to many pixels, count at each, and report every value that is not the pixel's own.

Run as ``python stale_values_client.py LAYER IMAGE.npy POINTS`` with the IOC's environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import numpy as np

LAYER, IMAGE, POINTS = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])
PIXEL, DWELL = 0.1, 0.001
PATH = np.random.default_rng(0).integers((0, 0), IMAGE.shape, (POINTS, 2))


def check(row: int, column: int, counts: float, x: float, y: float) -> list[str]:
    """What is wrong with one point."""
    wrong = []
    if not np.isclose(counts, IMAGE[row, column] * DWELL, rtol=1e-9):
        wrong.append(f"({row}, {column}) counted {counts}")
    if (x, y) != (PIXEL * column, PIXEL * row):
        wrong.append(f"({row}, {column}) read back ({x}, {y})")
    return wrong


def scan(measure: Callable[[float, float], tuple[float, float, float]]) -> list[str]:
    wrong: list[str] = []
    for row, column in PATH.tolist():
        counts, x, y = measure(PIXEL * column, PIXEL * row)
        wrong += check(row, column, counts, x, y)
    return wrong


def with_pyepics() -> list[str]:
    from epics import PV

    names = ("x", "y", "x.RBV", "y.RBV", "counter:Acquire", "counter:Counts", "counter:Dwell")
    pvs = {name: PV(f"SIM:{name}", auto_monitor=not name.startswith("counter")) for name in names}
    monitored = PV("SIM:counter:Counts", auto_monitor=True)
    assert all(pv.wait_for_connection(10) for pv in (*pvs.values(), monitored))
    monitored.get()
    pvs["counter:Dwell"].put(DWELL, wait=True)
    late: list[str] = []

    def measure(x: float, y: float) -> tuple[float, float, float]:
        pvs["x"].put(x, wait=True)
        pvs["y"].put(y, wait=True)
        pvs["counter:Acquire"].put(1, wait=True)
        # no monitor may be on its way still when the completion is here
        seen = monitored.value, pvs["x.RBV"].value, pvs["y.RBV"].value
        if seen[0] != pvs["counter:Counts"].get():
            late.append(f"monitor at {x}, {y} had {seen[0]}")
        return seen

    return scan(measure) + late


def with_caproto() -> list[str]:
    from caproto.threading.client import Context

    names = ("x", "y", "x.RBV", "y.RBV", "counter:Acquire", "counter:Counts", "counter:Dwell")
    pvs = dict(zip(names, Context().get_pvs(*(f"SIM:{n}" for n in names)), strict=True))
    for pv in pvs.values():
        pv.wait_for_connection(timeout=10)
    latest: dict[str, float] = {}
    keep = []
    for name in ("x.RBV", "y.RBV", "counter:Counts"):
        subscription = pvs[name].subscribe()
        subscription.add_callback(keep_latest := _remember(latest, name))
        keep.append((subscription, keep_latest))
    pvs["counter:Dwell"].write([DWELL], wait=True)

    def measure(x: float, y: float) -> tuple[float, float, float]:
        pvs["x"].write([x], wait=True, timeout=10)
        pvs["y"].write([y], wait=True, timeout=10)
        pvs["counter:Acquire"].write([1], wait=True, timeout=10)
        read = (float(pvs[n].read().data[0]) for n in ("counter:Counts", "x.RBV", "y.RBV"))
        return tuple(read)  # pyright: ignore[reportReturnType]

    wrong = scan(measure)
    row, column = PATH[-1].tolist()
    final = (latest["counter:Counts"], latest["x.RBV"], latest["y.RBV"])
    return wrong + check(row, column, *final)


def _remember(latest: dict[str, float], name: str) -> Callable[..., None]:
    def callback(subscription: object, response: object) -> None:
        latest[name] = float(response.data[0])  # pyright: ignore[reportAttributeAccessIssue]

    return callback


async def with_ophyd_async() -> list[str]:
    from ophyd_async.core import init_devices
    from ophyd_async.epics.core import epics_signal_r, epics_signal_rw
    from ophyd_async.epics.motor import Motor

    async with init_devices(timeout=10):
        x, y = Motor("SIM:x"), Motor("SIM:y")
        acquire = epics_signal_rw(int, "SIM:counter:Acquire")
        counts = epics_signal_r(float, "SIM:counter:Counts")
        dwell = epics_signal_rw(float, "SIM:counter:Dwell")
    for device in (x, y):
        await device.stage()  # monitors the readback from here on
    counts.subscribe(lambda reading: None)
    await dwell.set(DWELL)
    wrong: list[str] = []
    for row, column in PATH.tolist():
        await asyncio.gather(x.set(PIXEL * column, timeout=10), y.set(PIXEL * row, timeout=10))
        await acquire.set(1, timeout=10)
        reading = await x.read() | await y.read()
        where = [reading[device.name]["value"] for device in (x, y)]
        wrong += check(row, column, await counts.get_value(), *where)
    return wrong


if __name__ == "__main__":
    layers = {
        "pyepics": with_pyepics,
        "caproto": with_caproto,
        "ophyd-async": lambda: asyncio.run(with_ophyd_async()),
    }
    print(json.dumps({"wrong": layers[LAYER](), "points": len(PATH)}))
