"""What `skysteer resume` makes of a folder, before any device is asked for."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.plans import count
from ophyd.sim import SynAxis, SynSignal

from skysteer.agent import History
from skysteer.plans import adaptive_scan
from skysteer.session import run_resume
from skysteer.storage import (
    Journal,
    close_run,
    documents_of_chain,
    open_catalog,
    read_journal,
    sync,
)

SESSION = {"prefix": "NO:", "timeout": 0.5}
DEMO = {"region": "all", "noise": "none", "peak_rate": 1e6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def scan(folder: Path, cut: int | None = None, **md: Any) -> str:
    """A run in a folder's journal, cut off after some lines; its uid."""
    RE = RunEngine({})
    RE.subscribe(Journal(folder / "journal"))
    x, y = SynAxis(name="stage_x"), SynAxis(name="stage_y")
    det = SynSignal(name="counter", func=lambda: x.position + y.position + 1.0)
    det.kind = "hinted"
    det.dwell = x.velocity
    axes = (y, 0, 9, 10, x, 0, 9, 10)
    settings = {"until": "points(20)", "dwell": 0.01, "seed": 1}
    (uid,) = RE(adaptive_scan([det], "low-discrepancy", *axes, **settings, md=md))
    file = folder / "journal" / f"{uid}.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:cut]))
    return uid


def test_a_finished_scan_is_drawn_again_and_told_as_if_it_had_just_ended(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = scan(folder, session=SESSION)
    told = run_resume(folder)
    assert (told["uid"], told["points"], told["stop_reason"]) == (uid, 20, "20 points")
    assert told["resumed_from"] is None
    assert json.dumps(told)
    assert f"run {uid} in {folder} is finished (20 points)" in capsys.readouterr().err
    with open(folder / "points.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert (folder / "map.png").exists() and (folder / "report.html").exists()


def test_the_catalog_alone_says_what_the_journal_says(folder: Path) -> None:
    uid = scan(folder, 25, session=SESSION)
    close_run(folder, uid)
    journal = History.of(documents_of_chain(folder))
    assert len(journal.decisions) > 5 and len(journal.log) > 5
    assert sync(folder).complete
    shutil.rmtree(folder / "journal")
    catalog = History.of(documents_of_chain(open_catalog(folder)))
    assert catalog.log == journal.log
    assert catalog.record == journal.record
    assert [
        (each.decision.digest, each.decision.pixels.tolist(), each.told, each.heard, each.exposures)
        for each in catalog.decisions
    ] == [
        (each.decision.digest, each.decision.pixels.tolist(), each.told, each.heard, each.exposures)
        for each in journal.decisions
    ]
    with pytest.raises(TimeoutError, match="NO:"):  # it goes on, where its devices are
        run_resume(folder)


def test_another_image_than_that_of_the_scan_is_refused(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "map.npy"
    np.save(image, np.arange(100.0).reshape(10, 10))
    demo = {**DEMO, "image": str(image), "sha256": "0" * 64}
    scan(folder, 15, session=SESSION, demo=demo)
    with pytest.raises(ValueError, match=re.escape(f"the image {image} has changed")):
        run_resume(folder)
    image.unlink()
    with pytest.raises(FileNotFoundError, match="no image file"):
        run_resume(folder)


def test_a_scan_that_still_runs_is_left_alone(folder: Path) -> None:
    uid = scan(folder, 15, session=SESSION)
    file = folder / "journal" / f"{uid}.jsonl"
    documents = read_journal(file)
    file.unlink()
    journal = Journal(folder / "journal")
    for name, document in documents:
        journal(name, document)
    before = file.read_bytes()
    with pytest.raises(RuntimeError, match=f"run {uid} is still being measured"):
        run_resume(folder)
    assert file.read_bytes() == before
    journal.close()
    with pytest.raises(TimeoutError, match="NO:"):  # now it goes on, where its devices are
        run_resume(folder)
    assert read_journal(file)[-1][1]["exit_status"] == "abort"


def test_what_holds_no_scan_is_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a folder of runs"):
        run_resume(folder)
    (folder / "journal").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="has none"):
        run_resume(folder)
    RE = RunEngine({})
    RE.subscribe(Journal(folder / "journal"))
    RE(count([SynSignal(name="det", func=lambda: 1.0)]))
    with pytest.raises(ValueError, match="expected the documents of an adaptive scan, but run"):
        run_resume(folder)
    uid = scan(folder, 15)
    with pytest.raises(ValueError, match=f"run {uid} was not made by `skysteer demo`"):
        run_resume(folder)
    with pytest.raises(ValueError, match="no runs answer to 'other'"):
        run_resume(folder, "other")
