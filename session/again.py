"""What is done with past runs: go on with one, or run it again through an agent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import say
from .outcome import finish
from .past import find_chain, find_past
from .scanning import run_scan
from .settings import Demo, Scan
from .simulated import demo_microscope, run_demo, true_rates

if TYPE_CHECKING:
    pass


def run_resume(out: Path, uid: str | None = None, *, tiled: str | None = None) -> dict[str, Any]:
    """Go on with what a demo or a scan left in a folder; returns what the command prints.

    Parameters
    ----------
    out : Path
        The folder.
    uid : str, optional
        The run's uid or its beginning; the latest run without it.
    tiled : str, optional
        A Tiled server that has the run, and that goes on being written to.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no adaptive scan, or not with these devices.
    LiveRunError
        If it is still being measured.
    """
    from ..agent import steering_keys

    began = time.monotonic()
    past = find_past(out, uid, tiled)
    history = past.history
    session = history.starts[0].get("session")
    if session is None:
        raise ValueError(
            f"run {history.uid} was not made by `skysteer demo` or `skysteer scan`: go on with it "
            "where its devices are, with RE(resume_scan(...))"
        )
    record = history.record
    slow, fast = ((a["start"], a["stop"], a["num"]) for a in record["grid"]["axes"])
    scan = Scan(
        prefix=session["prefix"],
        slow=slow,
        fast=fast,
        **{name: record[name] for name in ("agent", "options", "until", "batch", "seed", "dwell")},
        fly=bool(record.get("fly")),
        longest_dwell=record.get("longest_dwell"),
        channels=len(steering_keys(history.starts[0], ())),
        timeout=session["timeout"],
        out=out,
        tiled=tiled,
    )
    demo = history.starts[0].get("demo")
    settings = None if demo is None else Demo(scan, **demo)
    before = history.starts[-1].get("resumed_from") if history.finished else history.uid
    if history.finished:
        say(f"run {history.uid} in {out} is finished ({history.finished})")
        options = None if settings is None else demo_microscope(settings)
        truth = None if options is None else true_rates(options, scan.channels)
        return {**finish(scan, past.runs, history.finished, truth, began), "resumed_from": before}
    say(f"going on with run {history.uid} after {history.events} points")
    outcome = run_scan(scan, past=past) if settings is None else run_demo(settings, past)
    return {**outcome, "resumed_from": before}


def run_replay(
    out: Path,
    uid: str | None,
    agents: Sequence[str],
    coverages: Sequence[float] = (),
    *,
    tiled: str | None = None,
    key: str | Sequence[str] | None = None,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """Let agents scan what a past run has measured; without any, check its decisions.

    Parameters
    ----------
    out, uid, tiled
        As in ``run_resume``.
    agents, coverages, key, **settings
        As in ``rehearsal.replay`` and ``rehearsal.read_past_scan``.

    Yields
    ------
    dict
        As ``rehearsal.replay`` or ``rehearsal.check_decisions``.
    """
    from ..agent import check_agent
    from ..rehearsal import check_decisions, read_past_scan, replay
    from ..storage import as_one_run

    for agent in agents:
        check_agent(agent)
    chain = find_chain(out, uid, tiled)
    if not agents and not coverages and chain[0].start.get("skysteer"):
        yield check_decisions(d for run in chain for d in run.documents(doubles=True))
        return
    past = read_past_scan(list(as_one_run(chain)), key)
    yield from replay(past, agents or ("slads",), coverages, **settings)
