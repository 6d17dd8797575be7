"""Drive both axes with a motor class that others wrote; report what it makes of the records.

Run as ``python stock_motor_client.py ophyd|ophyd-async`` with the IOC's environment; 10 um/s.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any


def with_ophyd() -> Any:
    from ophyd import EpicsMotor
    from ophyd.utils.errors import LimitError

    x: Any = EpicsMotor("SIM:x", name="x")
    x.wait_for_connection(timeout=20)
    first = {"limits": x.limits, "egu": x.egu, "precision": x.precision, "position": x.position}
    x.set(1.5).wait(20)
    reading = {key: entry["value"] for key, entry in x.read().items()}
    try:
        x.set(1e4)
        refused = False
    except LimitError:
        refused = True
    status = x.set(11.0)
    while x.user_readback.get() < 3.0:
        time.sleep(0.01)
    moving = x.moving
    x.stop()
    while x.moving or not status.done:
        time.sleep(0.01)
    stopped = x.user_readback.get()
    x.set_current_position(100.0)
    return {**first, "reading": reading, "refused": refused, "moving": moving,
            "stopped": stopped, "offset": x.user_offset.get()}  # fmt: skip


async def with_ophyd_async() -> Any:
    from ophyd_async.core import init_devices
    from ophyd_async.epics.motor import Motor, MotorLimitsError

    async with init_devices(timeout=20):
        x = Motor("SIM:x", name="x")
    described: Any = (await x.describe())["x"]
    first = {"limits": described["limits"]["control"], "egu": described["units"]}
    await x.set(1.5)
    reading = {key: entry["value"] for key, entry in (await x.read()).items()}
    try:
        await x.set(1e4)
        refused = False
    except MotorLimitsError:
        refused = True
    status = x.set(11.0)
    while await x.user_readback.get_value() < 3.0:
        await asyncio.sleep(0.01)
    await x.stop()
    try:
        await status
        arrived = True
    except RuntimeError:
        arrived = False
    while not await x.motor_done_move.get_value():
        await asyncio.sleep(0.01)
    stopped = await x.user_readback.get_value(), await x.user_setpoint.get_value()
    return {**first, "reading": reading, "refused": refused, "arrived": arrived, "stopped": stopped}


if __name__ == "__main__":
    if sys.argv[1] == "ophyd":
        print(json.dumps(with_ophyd()))
    else:
        print(json.dumps(asyncio.run(with_ophyd_async())))
