"""A folder of runs: what it holds, and words to the scan that runs there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .settings import Demo, Scan

if TYPE_CHECKING:
    from ..storage import JournalEntry
    from ..views import RunSummary


def summary_of(out: Path, uid: str | None = None) -> RunSummary:
    """Read a run of a folder's journal back, with those that it goes on with.

    Parameters
    ----------
    out : Path
        Folder of the journal.
    uid : str, optional
        The run's uid or its beginning; the latest run without it.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    ValueError
        If no run or several answer to the uid, or the run is no map.
    """
    from ..storage import as_one_run, read_chain, read_run
    from ..views import summarize

    try:
        run = read_run(out, uid or -1)
    except KeyError as error:
        raise ValueError(f"{error.args[0]}; `skysteer runs --out {out}` lists them") from error
    try:
        return summarize(as_one_run(read_chain(out, run.start["uid"])))
    except KeyError:  # an earlier part lies elsewhere: what is here is shown
        return summarize(run.documents())


def truth_of(summary: RunSummary) -> NDArray[np.float64] | None:
    """What an endless scan of a demo's microscope would have read, on its grid.

    Returns
    -------
    (C, M, N) ndarray of float64 or None
        None of a run that is no demo, or whose image has gone or changed.
    """
    demo = summary.start.get("demo")
    if demo is None:
        return None
    from .simulated import checked_digest, demo_microscope, true_rates

    scan = Scan(seed=summary.record["seed"], dwell=summary.record["dwell"])
    try:
        settings = Demo(scan, **demo)
        checked_digest(settings)
        options = demo_microscope(settings)
        truth = true_rates(options, len(summary.channels))
    except (OSError, ValueError):
        return None
    return truth if truth.shape[1:] == summary.grid.shape else None


def tell_scan(
    out: Path, kind: str, words: Sequence[str], *, by: str | None = None, timeout: float = 30.0
) -> dict[str, Any]:
    """Send a message to the scan that runs in a folder; what it was, once the scan has taken it.

    Raises
    ------
    FileNotFoundError
        If no scan runs there.
    ValueError
        If the message makes no sense, or the scan refuses it.
    TimeoutError
        If the scan has not taken it in time.
    """
    from ..agent import Message, detail_of
    from ..plans import me
    from ..storage import post

    said = {"kind": kind, "by": by or me(), "detail": detail_of(kind, words)}
    message = Message.from_json(said).to_json()
    answer = post(out, message, timeout)
    if not answer.taken:
        raise ValueError(f"the scan in {out} refuses: {answer.why}")
    return {"taken": kind, "by": message["by"], **message["detail"]}


def list_folder(out: Path) -> list[dict[str, Any]]:
    """Tell what runs a folder's journal holds, oldest first.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    """
    from ..storage import list_runs

    if not (out / "journal").is_dir():
        raise FileNotFoundError(
            f"expected a folder of runs, but {out} holds no journal: name one with --out"
        )
    return [
        {
            "scan_id": run.start.get("scan_id"),
            "uid": run.uid,
            "when": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.start["time"])),
            "plan": run.start.get("plan_name"),
            "agent": run.start.get("skysteer", {}).get("agent", ""),
            "points": _points(out, run),
            "status": run.status,
        }
        for run in list_runs(out)
    ]


def _points(out: Path, run: JournalEntry) -> int:
    """Number of a run's points; without a stop document they are counted."""
    from ..storage import read_run

    if run.stop is not None:
        return run.stop.get("num_events", {}).get("primary", 0)
    recorded = read_run(out, run.uid)
    return len(recorded.events()["seq_num"]) if "primary" in recorded.streams else 0
