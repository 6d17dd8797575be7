"""`skysteer plan`: what a scan would take, from real PVs, before anything moves."""

import json
import os
import subprocess
import sys

from skysteer.simulators import Ioc, IocOptions


def plan(*arguments, env=None):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    return subprocess.run(
        [sys.executable, "-m", "skysteer", "plan", "--json", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=150,
        env={**environment, **(env or {})},
    )


def test_a_plan_reads_the_motors_checks_the_limits_and_leaves_no_trace(tmp_path):
    out = tmp_path / "runs"
    options = IocOptions(shape=(20, 20), velocity=2.0, ramp=0.05, noise="none")
    with Ioc(options) as ioc:
        scan = ["--prefix", "SIM:", "--y", "0,1.9,20", "--agent", "low-discrepancy", "--out", out]
        fits = ["--until", "points(40)", "--dwell", 0.05, "--x", "0,1.9,20"]
        told = plan(*scan, *fits, env=ioc.environment)
        beyond = plan(*scan, "--x", "0,500,20", env=ioc.environment)
    assert told.returncode == 0, told.stderr
    row = json.loads(told.stdout)
    assert (row["points"], row["of"], row["at_most"]) == (40, 400, False)
    assert row["beam_seconds"] == 2.0
    moving = max(row["travel_x"], row["travel_y"]) / 2.0
    assert moving + 2.0 < row["seconds"] < 4 * (moving + 2.0), "ramps and overheads come on top"
    assert 0 < row["megabytes"] < row["free_megabytes"]
    assert beyond.returncode == 2 and "soft limits" in beyond.stderr and "500" in beyond.stderr
    assert len(beyond.stderr.splitlines()) == 1
    assert not out.exists()
