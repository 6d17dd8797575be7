"""Runs that go on with one another: found, closed when their process has died, read as one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.plans import count
from ophyd.sim import det

from skysteer.storage import (
    Journal,
    LiveRunError,
    as_one_run,
    check_abandoned,
    close_run,
    documents_of_chain,
    read_chain,
    read_journal,
)


def run(folder: Path, num: int, after: str = "") -> str:
    """A run of some events in a folder's journal; its uid."""
    RE = RunEngine({})
    RE.subscribe(Journal(folder / "journal"))
    md = {"resumed_from": after} if after else {}
    (uid,) = RE(count([det], num=num, md=md))
    return uid


def torn(folder: Path, uid: str) -> Path:
    """Cut the run's file in the middle of its last event."""
    file = folder / "journal" / f"{uid}.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    return file


def test_a_chain_is_found_from_any_of_its_runs(tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    other = run(tmp_path, 1)
    second = run(tmp_path, 2, first)
    third = run(tmp_path, 4, second)
    for which in (first, second, third[:8]):
        assert [each.start["uid"] for each in read_chain(tmp_path, which)] == [first, second, third]
    assert [each.start["uid"] for each in read_chain(tmp_path, other)] == [other]


def test_of_two_runs_that_went_on_with_one_the_later_counts(tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    run(tmp_path, 1, first)
    again = run(tmp_path, 1, first)
    assert [each.start["uid"] for each in read_chain(tmp_path, first)] == [first, again]


def test_an_earlier_run_is_looked_for_elsewhere_too(tmp_path: Path) -> None:
    first = run(tmp_path / "a", 3)
    run(tmp_path / "b", 2, first)
    with pytest.raises(KeyError, match=f"goes on with run {first}, which is not in"):
        read_chain(tmp_path / "b")
    assert len(read_chain(tmp_path / "b", -1, lambda: tmp_path / "a")) == 2


def test_a_chain_reads_as_one_run(tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    second = run(tmp_path, 2, first)
    documents = list(as_one_run(read_chain(tmp_path)))
    assert [doc["seq_num"] for name, doc in documents if name == "event"] == [1, 2, 3, 4, 5]
    start, stop = documents[0][1], documents[-1][1]
    assert start["uid"] == stop["run_start"] == second
    assert stop["num_events"] == {"primary": 5}
    assert start["time"] == read_chain(tmp_path)[0].start["time"]
    assert {doc["run_start"] for name, doc in documents if name == "descriptor"} == {second}


def test_a_run_whose_process_has_died_is_closed_once(tmp_path: Path) -> None:
    uid = run(tmp_path, 3)
    file = torn(tmp_path, uid)
    assert close_run(tmp_path, uid)
    name, stop = read_journal(file)[-1]
    assert (name, stop["exit_status"], stop["num_events"]) == ("stop", "abort", {"primary": 2})
    assert "process that measured this run ended" in stop["reason"]
    before = file.read_bytes()
    assert not close_run(tmp_path, uid)
    assert file.read_bytes() == before


def test_one_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal("start", {"uid": "live", "time": time.time()})
    for refused in (lambda: close_run(tmp_path, "live"), lambda: documents_of_chain(tmp_path)):
        with pytest.raises(LiveRunError, match="run live is still being measured"):
            refused()
    journal.close()
    assert close_run(tmp_path, "live")


@pytest.mark.parametrize("uid", ["nobody", "../../secret", "*", ""])
def test_what_is_no_run_of_the_folder_is_never_touched(tmp_path: Path, uid: str) -> None:
    run(tmp_path, 1)
    (tmp_path.parent / "secret.jsonl").write_text("")
    assert not close_run(tmp_path, uid)
    assert (tmp_path.parent / "secret.jsonl").read_text() == ""


def test_a_run_without_an_end_counts_as_dead_only_after_a_while(tmp_path: Path) -> None:
    torn(tmp_path, run(tmp_path, 3))
    recorded: Any = read_chain(tmp_path)[0]
    with pytest.raises(LiveRunError, match="may still be at work"):
        check_abandoned(recorded)
    check_abandoned(recorded, patience=0.0)
