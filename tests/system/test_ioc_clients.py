"""Clients that nobody here wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skysteer.simulators import Ioc

CLIENT = Path(__file__).parents[1] / "simulators" / "stock_motor_client.py"
SLOW = {"velocity": 10.0, "ramp": 0.1, "x_limits": (-2.0, 12.0), "time_scale": 2.0}


@pytest.mark.parametrize("layer", ["pyepics", "caproto"])
def test_ophyds_stock_motor_reads_limits_moves_and_stops(
    layer: str, ioc: Callable[..., Ioc], run_client: Callable[..., Any]
) -> None:
    seen = run_client(ioc(**SLOW), CLIENT, "ophyd", OPHYD_CONTROL_LAYER=layer)
    assert seen["limits"] == [-2.0, 12.0]
    assert (seen["egu"], seen["precision"], seen["position"]) == ("um", 4, 0.0)
    assert seen["reading"] == {"x": 1.5, "x_user_setpoint": 1.5}
    assert seen["refused"]
    assert seen["moving"]
    assert 3.0 < seen["stopped"] < 11.0
    assert seen["offset"] == pytest.approx(100.0 - seen["stopped"])


def test_ophyd_asyncs_motor_moves_and_tells_a_stop_from_an_arrival(
    ioc: Callable[..., Ioc], run_client: Callable[..., Any]
) -> None:
    seen = run_client(ioc(**SLOW), CLIENT, "ophyd-async")
    assert seen["limits"] == {"low": -2.0, "high": 12.0}
    assert seen["egu"] == "um"
    assert seen["reading"] == {"x": 1.5}
    assert seen["refused"]
    assert not seen["arrived"]
    readback, setpoint = seen["stopped"]
    assert 3.0 < readback < 11.0
    assert setpoint == readback


def test_caprotos_tools_get_put_and_are_told_what_is_not_simulated(
    ioc: Callable[..., Ioc],
) -> None:
    running = ioc()

    def tool(name: str, *arguments: str) -> str:
        done = subprocess.run(
            # a repeater would outlive the test
            [str(Path(sys.executable).with_name(f"caproto-{name}")), "--no-repeater", *arguments],
            env={**os.environ, **running.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    assert "[2.5]" in tool("put", "SIM:x", "2.5")
    got = tool("get", "SIM:x", "SIM:x.RBV", "SIM:x.EGU", "SIM:x.SPMG", "SIM:x.RTYP", "SIM:x.DESC")
    for expected in ("[2.5]", "[um]", "[Go]", "[motor]", "[simulated stage x]"):
        assert expected in got.replace("'", "").replace('"', "").replace("b[", "[")
    assert "HOMF is not simulated" in tool("put", "SIM:x.HOMF", "1")
