"""The house itself: its faces, its examples in docstrings, and what an import brings along."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skysteer

ROOT = Path(skysteer.__file__).parent
ROOMS = (
    "agent",
    "cli",
    "devices",
    "models",
    "plans",
    "rehearsal",
    "session",
    "simulators",
    "storage",
    "views",
)
MODULES = sorted(
    f"skysteer.{room}.{module.name}"
    for room in ROOMS
    for module in pkgutil.iter_modules([str(ROOT / room)])
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_on_a_rooms_face_is_there(room):
    face = importlib.import_module(f"skysteer.{room}")
    assert face.__all__
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_right(name):
    if name.endswith((".ioc", ".keeper")):
        pytest.skip("run as a process of its own")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from skysteer.plans import adaptive_scan", ("torch", "tiled", "skimage", "ophyd")),
        ("from skysteer.cli import app", ("torch", "bluesky", "matplotlib", "numpy", "IPython")),
        ("from skysteer.views import LiveMap", ("torch", "matplotlib", "IPython")),
        ("from skysteer.views import write_report", ("torch", "scipy.stats", "skimage.metrics")),
        ("from skysteer.devices import ScanStage", ("torch", "tiled", "caproto.server")),
        ("from skysteer.agent import ScanAgent", ("torch", "bluesky", "ophyd")),
        ("from skysteer.session.shell import desk, run_shell", ("torch", "IPython", "tiled")),
        ("from skysteer.rehearsal import tune", ("torch", "matplotlib", "ophyd")),
        ("from skysteer.storage import Store, read_chain", ("tiled", "bluesky_tiled_plugins")),
    ],
)
def test_an_import_brings_only_what_it_needs(statement, absent):
    code = f"import sys; {statement}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("command", ["shell", "scan", "tune"])
def test_importtime_shows_no_torch_until_it_is_needed(command):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "skysteer", command, "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Usage" in done.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "skysteer.cli" in imported
    assert not {"torch", "numba", "bluesky", "IPython"} & imported


def test_nothing_is_ever_unpickled():
    culprits = re.compile(
        r"\b(pickle|joblib|cloudpickle|dill)\b|torch\.load|allow_pickle\s*=\s*True"
    )
    sources = [path for room in (*ROOMS, ".") for path in (ROOT / room).glob("*.py")]
    assert sources
    found = [
        f"{p.name}: {line}"
        for p in sources
        for line in p.read_text().splitlines()
        if culprits.search(line) and "allow_pickle=False" not in line
    ]
    assert found == []


def test_the_readmes_python_runs():
    readme = (ROOT / "README.md").read_text()
    session = next(
        code
        for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
        if "ophyd.sim" in code
    )
    code = f"{session}\nprint(result.plan_result)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "stop_reason='coverage 0.15'" in done.stdout, done.stderr
