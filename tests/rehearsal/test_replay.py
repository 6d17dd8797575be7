"""Past runs of any plan through the agents of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.plans import count, grid_scan, list_scan
from ophyd.sim import SynAxis, SynSignal
from skimage.metrics import normalized_root_mse

from skysteer.models import SparseScan, inverse_distance
from skysteer.plans import adaptive_scan
from skysteer.rehearsal import check_decisions, read_past_scan, replay
from skysteer.session import run_replay
from skysteer.storage import Document, Journal, read_chain

SAMPLERS = Path(__file__).parents[1] / "plans" / "samplers.py"
ROWS, COLUMNS = 12, 15


def counts(x: float, y: float) -> float:
    return 100 * np.exp(-((x - 9) ** 2 + (y - 4) ** 2) / 12) + (x > 5) * 20.0


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    """A RunEngine with a journal, two axes and a detector over a known specimen."""
    RE = RunEngine({}, call_returns_result=True)
    RE.subscribe(Journal(tmp_path / "journal"))
    x, y = SynAxis(name="x"), SynAxis(name="y")
    det = SynSignal(name="det", func=lambda: counts(x.position, y.position))
    det.kind = "hinted"
    return RE, det, x, y, tmp_path


def raster(lab: Any) -> list[Document]:
    RE, det, x, y, folder = lab
    RE(grid_scan([det], y, 0, ROWS - 1, ROWS, x, 0, COLUMNS - 1, COLUMNS))
    return list(read_chain(folder)[0].documents())


def adaptive(lab: Any, agent: str = "Steepest", **changes: Any) -> list[Document]:
    RE, det, x, y, folder = lab
    settings = {"until": "points(60)", "batch": 8, "seed": 3, **changes}
    axes = (y, 0, ROWS - 1, ROWS, x, 0, COLUMNS - 1, COLUMNS)
    RE(adaptive_scan([det], f"{SAMPLERS}:{agent}", *axes, **settings))
    return list(read_chain(folder)[0].documents(doubles=True))


def truth() -> np.ndarray:
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return counts(columns, rows)


def test_a_raster_is_a_truth_for_every_agent(lab: Any) -> None:
    past = read_past_scan(raster(lab))
    assert past.full
    np.testing.assert_allclose(past.truth, truth())
    rows = list(replay(past, ["low-discrepancy", f"{SAMPLERS}:Steepest"], [0.1, 0.3], seed=2))
    assert [row["points"] for row in rows] == [18, 54] * 2
    for row in rows:
        assert row["against"] == "full data"
        assert row["points_saved"] == ROWS * COLUMNS - row["points"]
        assert row["seconds_saved"] == pytest.approx(row["points_saved"] * past.seconds_per_point)
        first = np.argwhere(np.ones((ROWS, COLUMNS)))[: row["points"]]
        own = inverse_distance(SparseScan.of((ROWS, COLUMNS), first, truth()[tuple(first.T)]))
        assert row["nrmse_recorded"] == pytest.approx(normalized_root_mse(truth(), own))
    assert rows[1]["nrmse"] < rows[0]["nrmse"] < rows[0]["nrmse_recorded"]


def test_a_list_scan_that_covers_a_grid_is_a_raster_too(lab: Any) -> None:
    RE, det, x, y, folder = lab
    rows, columns = (each.ravel().tolist() for each in np.mgrid[0:6:0.5, 0:COLUMNS])
    RE(list_scan([det], x, columns, y, rows))
    past = read_past_scan(list(read_chain(folder)[0].documents()))
    assert past.full and past.scan.shape == (12, COLUMNS)
    expected = counts(np.array(columns), np.array(rows)).reshape(12, COLUMNS)
    np.testing.assert_allclose(past.truth, expected)


def test_what_lies_on_no_grid_is_refused(lab: Any) -> None:
    RE, det, x, y, folder = lab
    RE(list_scan([det], x, [0, 1, 2.6, 7], y, [0, 3, 4.1, 4.2]))
    with pytest.raises(ValueError, match="lie on no even grid"):
        read_past_scan(list(read_chain(folder)[0].documents()))
    RE(count([det]))
    with pytest.raises(ValueError, match="count"):
        read_past_scan(list(read_chain(folder)[0].documents()))


def test_a_scan_that_left_pixels_out_is_compared_where_it_measured(lab: Any) -> None:
    past = read_past_scan(adaptive(lab))
    assert not past.full
    (row,) = replay(past, ["low-discrepancy"], [60 / (ROWS * COLUMNS)])
    assert (row["against"], row["points_saved"]) == ("measured pixels", 0)
    assert row["nrmse_recorded"] == pytest.approx(0.0, abs=1e-12)
    assert 0 < row["nrmse"] < 1


@pytest.mark.parametrize("prefetch", [0, 4])
def test_every_decision_of_a_scan_comes_out_again(lab: Any, prefetch: int) -> None:
    documents = adaptive(lab, prefetch=prefetch)
    told = check_decisions(documents)
    assert told["decisions"] == told["identical"] >= 8
    assert (told["first_different"], told["what"]) == (-1, "")


def test_a_decision_that_does_not_is_named(lab: Any) -> None:
    documents = adaptive(lab, prefetch=0)
    changed = [
        (name, {**doc, "data": {**doc["data"], "det": doc["data"]["det"] + (number == 30)}})
        if name == "event" and "det" in doc["data"]
        else (name, doc)
        for number, (name, doc) in enumerate(documents)
    ]
    told = check_decisions(changed)
    assert told["what"] == "digest"
    assert told["identical"] == told["first_different"] > 2


def test_the_command_finds_the_run_and_refuses_what_makes_no_sense(lab: Any) -> None:
    folder = lab[4]
    uid = adaptive(lab)[0][1]["uid"]
    raster(lab)
    assert next(run_replay(folder, uid[:8], ()))["identical"] >= 8
    rows = list(run_replay(folder, None, ["uniform", "raster"], [0.2]))
    assert [row["agent"] for row in rows] == ["uniform", "raster"]
    for refused, words in (
        ((folder, "no-such-run", ()), "no-such-run"),
        ((folder, None, ["oracle"]), "there is no agent 'oracle'"),
        ((folder, None, ["uniform"], [2.0]), "coverage"),
    ):
        with pytest.raises(ValueError, match=words):
            list(run_replay(*refused))
    with pytest.raises(FileNotFoundError, match="has none"):
        list(run_replay(folder / "nothing", None, ()))
