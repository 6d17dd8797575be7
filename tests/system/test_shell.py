"""`skysteer shell` as a user meets it: a process, a terminal, scripts, what it leaves behind."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pexpect
import psutil
import pytest
from IPython.core.completer import Completer
from PIL import Image

import skysteer
from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import list_runs, read_run

PATIENCE = 240  # s
pytestmark = pytest.mark.timeout(500)
ROOT = Path(skysteer.__file__).parent
ROOMS = ("agent", "devices", "models", "plans", "rehearsal", "simulators", "storage", "views")


@pytest.fixture
def environment(tmp_path):
    """Of a user who has no IPython settings, and no display."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EPICS_", "DISPLAY"))}
    return {**kept, "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}


@pytest.fixture
def shell(environment):
    def run(*arguments, **options):
        return subprocess.run(
            [sys.executable, "-m", "skysteer", "shell", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment,
            **options,
        )

    return run


def the_example():
    """What the shell tells a new user to type."""
    from skysteer.session.shell import EXAMPLE

    return EXAMPLE


LOOK_AROUND = """
import inspect, sys
print("torch:", "torch" in sys.modules, "agent:", agent)
ours = ("RE stage counter ring catalog beam live adaptive_scan coverage points time dose "
        "expected_error no_improvement summarize export_run write_report").split()
print("without words:", [name for name in ours if not inspect.getdoc(globals()[name])])
print("private:", [name for name in dir(catalog) if name.startswith("_")])
print("live:", [name for name in dir(live) if not name.startswith("_")])
"""


def processes_of(folder):
    """Processes that have this folder on their command line or serve it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_the_example_of_the_banner_works_as_it_stands_and_nothing_is_left(shell, tmp_path):
    out = tmp_path / "runs"
    done = shell(
        "--sim",
        "--out",
        out,
        "--command",
        f"{LOOK_AROUND}\nresult = {the_example()}\n"
        "print('reason:', result.plan_result.stop_reason)\n"
        "print('in the catalog:', catalog[-1].metadata['start']['uid'] == result.plan_result.uid)\n"
        "import psutil; print('pids:', *[p.pid for p in psutil.Process().children(True)])",
    )
    assert done.returncode == 0, done.stderr
    for said in (
        "torch: False agent: slads",
        "without words: []",
        "private: []",
        "['close', 'path', 'wait']",
    ):
        assert said in done.stdout
    assert "reason: coverage 0.05" in done.stdout
    assert "in the catalog: True" in done.stdout
    (run,) = list_runs(out)
    assert run.stop["num_events"]["primary"] == round(0.05 * 64 * 64)
    assert "ring_current" in read_run(out).events()
    with Image.open(out / "live.png") as picture:
        assert min(picture.size) > 500
    started = [int(pid) for pid in re.search(r"pids: (.*)", done.stdout)[1].split()]
    psutil.wait_procs([p for p in psutil.process_iter() if p.pid in started], PATIENCE)
    assert not [pid for pid in started if psutil.pid_exists(pid)]
    assert processes_of(out) == []


PAUSED = """
def plan():
    yield from bps.open_run()
    yield from bps.checkpoint()
    yield from bps.pause()
    yield from bps.close_run()

RE(plan())
"""


def test_a_script_on_standard_input_runs_at_a_microscope_that_is_there(
    shell, environment, tmp_path
):
    with Ioc(IocOptions(prefix="BL9:", shape=(20, 20), noise="none")) as ioc:
        environment.update(ioc.environment)
        script = (
            "RE(bp.scan([counter], stage.x, 0, 1, 3))\nRE.md['scan_id']\ncoverage(0.2) | time(9)\n"
        )
        done = shell("--prefix", "BL9:", "--out", tmp_path, input=script)
        paused = shell("--prefix", "BL9:", "--out", tmp_path, "-c", f"RE.md['scan_id']\n{PAUSED}")
    assert done.returncode == 0, done.stderr
    assert "|   seq_num |" in done.stdout  # Best Effort's table
    assert "coverage(0.2) | time(9)" in done.stdout
    assert "Out[0]: 1" in done.stdout and "Out[0]: 1" in paused.stdout  # numbers go on
    assert paused.returncode == 1 and "RunEngineInterrupted" in paused.stdout + paused.stderr
    (scan, left) = list_runs(tmp_path)
    assert (left.stop["exit_status"], left.stop["reason"]) == ("abort", "the shell was left")
    assert list(read_run(tmp_path, scan.uid).events()["stage_x"]) == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("arguments", [(), ("--sim", "--prefix", "BL:")])
def test_one_microscope_is_asked_for(shell, arguments):
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stderr == (
        "skysteer: give --sim for a simulated microscope, or --prefix BL: for one that runs\n"
    )


def test_at_a_terminal_it_says_what_is_there_and_help_shows_units(environment, tmp_path):
    session = pexpect.spawn(
        sys.executable,
        ["-m", "skysteer", "shell", "--sim", "--out", str(tmp_path / "runs")],
        env={**environment, "IPY_TEST_SIMPLE_PROMPT": "1"},
        timeout=PATIENCE,
        encoding="utf-8",
        dimensions=(50, 200),
    )
    try:
        session.expect_exact("Try, and see adaptive_scan?")
        banner = session.before
        for name in ("RE", "stage.x", "counter (counts/s)", "ring (mA)", "catalog", "live", "beam"):
            assert name in banner
        assert len(banner.splitlines()) < 10
        session.sendline("print(adaptive_scan.__doc__)")
        session.expect("Seconds of each exposure")
        session.sendline("adaptive_scan([], 'slads')")
        session.expect(r"TypeError.*: adaptive_scan\(\) missing")
        session.sendline("RE.suspenders")
        session.expect("BeamSuspender")
        session.sendline("exit")
        session.expect(pexpect.EOF)
    finally:
        session.close(force=True)
    assert session.exitstatus == 0


@pytest.mark.parametrize("room", ROOMS)
def test_completion_shows_a_rooms_face_and_no_private_names(room):
    face = importlib.import_module(f"skysteer.{room}")
    offered = Completer(namespace={"face": face}).attr_matches("face.")
    shown = [name for name in offered if not name.startswith("face.__")]  # as IPython shows them
    assert sorted(shown) == sorted(f"face.{name}" for name in face.__all__)


PROFILE = """
from bluesky import RunEngine
from ophyd.sim import det4, motor1, motor2
heard = []
RE = RunEngine({"beamline": "XY"})          # the profile's own, as it is
RE.subscribe(lambda name, doc: heard.append(name))
"""


def test_an_existing_profile_needs_three_imports(tmp_path, environment):
    page = (ROOT / "docs" / "desk.md").read_text()
    snippet = next(
        code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "LiveMap" in code
    )
    imports = [line for line in snippet.splitlines() if line.startswith(("from", "import"))]
    assert len(imports) == 3
    checks = "print(heard.count('event') > 100, RE.md['beamline'], heard[-1]); live.wait()"
    script = tmp_path / "profile.py"
    script.write_text(f"{PROFILE}\n{snippet}\n{checks}\n")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines()[-1] == "True XY stop", done.stderr
    with Image.open(tmp_path / "live.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
