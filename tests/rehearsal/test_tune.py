"""Sweeps of an agent's options: in this process' workers, and as a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bluesky import RunEngine
from bluesky.plans import grid_scan
from ophyd.sim import SynAxis, SynSignal
from PIL import Image

from skysteer.models import SparseScan
from skysteer.rehearsal import (
    PastScan,
    compare_agents,
    ranking,
    replay,
    save_tune_figure,
    tune,
)
from skysteer.storage import Journal

PATIENCE = 120  # s
AGENT = '''
"""Takes the free pixels in raster order: every one, or those of every so many-th row first."""
import os, time
from pathlib import Path
import numpy as np
from skysteer.agent import Choice

class Rows:
    start = 0.01

    def __init__(self, every=1, wait_beside=None):
        if every < 1:
            raise ValueError(f"every must be 1 or more, but {every} came")
        self.every, self.wait_beside = every, wait_beside

    def choose(self, request):
        if self.wait_beside:
            (Path(self.wait_beside) / f"{os.getpid()}.pid").touch()
            time.sleep(600)
        free = np.argwhere(~request.taken)
        order = np.argsort(free[:, 0] % self.every > 0, kind="stable")[: request.num]
        return Choice(free[order], np.zeros(len(order)))
'''


@pytest.fixture
def agent(tmp_path: Path) -> str:
    (tmp_path / "rows.py").write_text(AGENT)
    return f"{tmp_path / 'rows.py'}:Rows"


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Waves along the rows' number, of which every fourth row tells much more than the first."""
    paths = []
    for number, period in enumerate((40, 25)):
        rows, columns = np.mgrid[:24, :20]
        paths.append(str(tmp_path / f"{number}.npy"))
        np.save(paths[-1], np.sin(rows / period * 2 * np.pi) + columns / 40 + 2)
    return paths


@pytest.fixture
def skysteer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Any, str, str]]:
    """Run the command in this process: exit status, standard output and error."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        from skysteer.cli import main

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["skysteer", *map(str, arguments)])
        monkeypatch.setattr(os, "environ", dict(os.environ))
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_each_trial_is_what_the_rehearsal_of_its_options_gives(agent: str, images: list[str]):
    records = tune(
        agent, {"every": [1, 4]}, images=images, coverages=[0.1, 0.25], seeds=2, processes=1
    )
    assert len(records) == 2 * 2 * 2 * 2
    for record in records:
        (row,) = compare_agents(
            [record["subject"]],
            [agent],
            [record["coverage"]],
            seed=record["seed"],
            batch=1,
            options=record["options"],
        )
        assert record["points"] == row["points"]
        for name in ("nrmse", "ssim", "psnr", "travel_px"):
            assert record[name] == pytest.approx(row[name], rel=1e-9)
    best, other = ranking(records)
    assert (best["options"], other["options"]) == ({"every": 4}, {"every": 1})
    assert best["trials"] == 4 and other["over_best"] > 1.2


def past_scans() -> tuple[PastScan, PastScan]:
    rows, columns = np.mgrid[:24, :20]
    pixels = np.column_stack([rows.ravel(), columns.ravel()])
    values = np.sin(rows / 7).ravel() + 2
    some = np.random.default_rng(3).permutation(len(values))[:120]
    whole = SparseScan.of((24, 20), pixels, values)
    part = SparseScan.of((24, 20), pixels[some], values[some])
    return PastScan("whole", "raster", whole, 0.5), PastScan("part", "slads", part, 0.5)


def test_past_runs_are_tried_as_replay_does(agent: str):
    pasts = past_scans()
    records = tune(agent, {"every": [3]}, pasts=pasts, coverages=[0.2], processes=1)
    for record, past in zip(records, pasts, strict=True):
        (row,) = replay(past, [agent], [0.2], options={"every": 3})
        assert (record["subject"], record["points"]) == (past.uid, row["points"])
        assert record["nrmse"] == pytest.approx(row["nrmse"], rel=1e-9)
    assert np.isfinite(records[0]["ssim"]) and np.isnan(records[1]["ssim"])


def record(flatness: float, subject: str, nrmse: float, seed: int = 0) -> dict[str, Any]:
    about = {"options": {"flatness": flatness}, "subject": subject, "seed": seed, "agent": "spread"}
    trial = hash((flatness, subject, seed))
    return {**about, "trial": trial, "coverage": 0.1, "nrmse": nrmse, "decision_cpu_ms_p50": 3.0}


def test_the_ranking_is_by_the_mean_ratio_and_tells_the_worst_subject():
    rows = ranking(
        [record(0, "a", 0.1), record(0, "b", 0.4), record(1, "a", 0.2), record(1, "b", 0.1)]
    )
    assert [row["options"]["flatness"] for row in rows] == [1, 0]
    assert rows[0]["nrmse"] == pytest.approx((0.2 * 0.1) ** 0.5)
    assert rows[1]["over_best"] == pytest.approx((0.04 / 0.02) ** 0.5)
    assert [row["worst"] for row in rows] == pytest.approx([2.0, 4.0])
    assert np.isnan(rows[0]["seed_spread"])
    two_seeds = ranking([record(0, "a", 0.1, 0), record(0, "a", 0.1 * np.e**0.2, 1)])
    assert two_seeds[0]["seed_spread"] == pytest.approx(0.2 / 2**0.5)


def test_the_picture_shows_the_best_first_and_is_whole_or_not_there(tmp_path: Path):
    records = [record(k, s, 0.1 + k / 100) for k in range(30) for s in "ab"]
    save_tune_figure(tmp_path / "tune.png", records)
    with Image.open(tmp_path / "tune.png") as picture:
        assert picture.size[0] == 1500 and picture.size[1] > 1000  # grows with the combinations
    with pytest.raises(ValueError, match="none came"):
        save_tune_figure(tmp_path / "none.png", [])
    assert [path.name for path in tmp_path.iterdir()] == ["tune.png"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vary": {"every": []}}, "'every' needs a list of values"),
        ({"vary": {"every": "123"}}, "'every' needs a list of values"),
        ({"vary": {"evry": [1]}}, "takes every, wait_beside"),
        ({"vary": {"every": [1, 0]}}, "every must be 1 or more, but 0 came"),
        ({"options": {"every": 1}}, "both fixed and varied"),
        ({"images": []}, "an image or a past run"),
        ({"images": ["nowhere.tif"]}, "nowhere.tif"),
        ({"coverages": [1.5]}, "coverage"),
        ({"coverages": []}, "coverage"),
        ({"seeds": 0}, "seeds must be"),
        ({"processes": 0}, "processes must be"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_process_starts(
    agent: str, images: list[str], changes: dict[str, Any], words: str
):
    settings: dict[str, Any] = {"vary": {"every": [1]}, "images": images, **changes}
    before = set(psutil.Process().children())
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        tune(agent, settings.pop("vary"), **settings)
    assert set(psutil.Process().children()) <= before


def test_a_sweep_that_is_left_early_leaves_no_process(agent: str, images: list[str]):
    before = set(psutil.Process().children())

    def leave(_: dict[str, Any]) -> None:
        assert len(set(psutil.Process().children()) - before) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(agent, {"every": [1, 2, 3]}, images=images, processes=2, on_record=leave)
    assert set(psutil.Process().children()) <= before


def test_the_command_ranks_past_runs_and_writes_lines_and_picture(
    agent: str, tmp_path: Path, skysteer: Callable[..., tuple[Any, str, str]]
):
    RE = RunEngine({})
    RE.subscribe(Journal(tmp_path / "runs" / "journal"))
    x, y = SynAxis(name="x"), SynAxis(name="y")
    det = SynSignal(name="det", func=lambda: float(np.sin(y.position / 3) + 2))
    RE(grid_scan([det], y, 0, 15, 16, x, 0, 9, 10))
    common = ("tune", "--agent", agent, "--vary", "every=1,4", "--out", "runs", "--processes", 1)
    status, lines, _ = skysteer(*common, "--coverage", 0.2, "--json")
    assert status == 0
    records = [json.loads(line) for line in lines.splitlines()]
    assert sorted(r["options"]["every"] for r in records) == [1, 4]
    _, table, _ = skysteer(*common, "--coverage", 0.2, "--plot", "tune.png")
    head, *rows = table.splitlines()
    assert head.split()[:2] == ["every", "nrmse"]
    assert [row.split()[0] for row in rows] == ["4", "1"]
    with Image.open(tmp_path / "tune.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--vary"),
        (("--vary", "every"), "--vary takes NAME=VALUE,VALUE"),
        (("--vary", "every=1,"), "--vary takes NAME=VALUE,VALUE"),
        (("--vary", "every=1"), "an image or a past run"),
        (("--vary", "every=1", "--run", "abc"), "--out"),
        (("--vary", "every=1", "--out", "nowhere"), "nowhere has none"),
        (("--vary", "every=1", "--plot", "tune.doc"), ".png"),
        (("--vary", "every=1", "--plot", "nowhere/tune.png"), "folder"),
        (("--vary", "flatness=9", "--agent", "oracle", "--image", "a.npy"), "no agent 'oracle'"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(
    arguments: tuple[str, ...], words: str, skysteer: Callable[..., tuple[Any, str, str]]
):
    status, _, told = skysteer("tune", *arguments)
    (line,) = told.splitlines()
    assert status == 2 and line.startswith("skysteer: ") and words in line


def test_ctrl_c_ends_the_sweep_and_leaves_nothing(agent: str, images: list[str], tmp_path: Path):
    plot = tmp_path / "tune.png"
    slow = json.dumps({"wait_beside": str(tmp_path)})
    command = f"tune --agent {agent} --vary every=1,2 --image {images[0]} --processes 2"
    process = subprocess.Popen(
        [sys.executable, "-m", "skysteer", *command.split(), "--options", slow, "--plot", plot],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while len(list(tmp_path.glob("*.pid"))) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert words.splitlines()[-1] == "skysteer: interrupted"
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert not [pid for pid in workers if psutil.pid_exists(pid)]
    assert not list(tmp_path.glob("*tune.png*"))
