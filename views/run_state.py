"""Where a run stands, in words and numbers, for a page that follows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..agent import parse
from .follower import FollowedRun
from .interventions import gathered
from .live_panels import rule_limit
from .live_scan import Batch
from .summary import RunSummary, active_seconds

INJECTED = "inject"  # the source of a batch that a person has asked for, and nobody approves
LATEST = 30  # interventions that are shown


@dataclass(frozen=True)
class Progress:
    """How far a run is in one of its measures.

    Attributes
    ----------
    name : str
        ``points``, ``time`` or ``dose``.
    share : float or None
        Of what the stop rule allows, 0 to 1; None where it sets no limit.
    text : str
        The numbers, with units.
    """

    name: str
    share: float | None
    text: str


def page_state(run: FollowedRun | None, *, mailbox: bool) -> dict[str, Any]:
    """Tell where a run stands, JSON-able.

    Parameters
    ----------
    run : FollowedRun or None
    mailbox : bool
        Whether its folder has a mailbox, so that it can be told something.
    """
    summary = None if run is None else run.scan.summary()
    if run is None or summary is None:
        words = "No scan of a grid yet: the page waits for the first."
        return {"state": "waiting for a scan", "words": words, "buttons": _buttons("", None)}
    state, words = run_state(run, summary)
    waiting = awaits_approval(summary, run.scan.batch)
    can_be_told = mailbox and run.live
    return {
        "uid": summary.start["uid"],
        "title": f"Scan of {summary.keys} by {summary.agent}",
        "state": state,
        "words": words,
        "facts": _facts(summary),
        "progress": [asdict(each) for each in _progress(summary, _elapsed(run, summary))],
        "next": _next(summary, run.scan.batch),
        "interventions": [
            [time.strftime("%H:%M:%S", time.localtime(said.time)), said.by, told]
            for said, told in reversed(gathered(summary.interventions)[-LATEST:])
        ],
        "buttons": _buttons(state if can_be_told else "", waiting),
    }


def run_state(run: FollowedRun, summary: RunSummary) -> tuple[str, str]:
    """The run's state in a word, and what there is to say about it."""
    if run.trouble:
        return "unreadable", run.trouble
    if summary.stop is not None:
        names = {"success": "done", "abort": "aborted", "fail": "failed"}
        status = str(summary.stop["exit_status"])
        return names.get(status, status), f"It ended: {summary.stop_reason}."
    if not run.live:
        return "cut off", "Its process is gone without an end: `skysteer resume` goes on with it."
    waiting = awaits_approval(summary, run.scan.batch)
    if is_paused(summary):
        return "paused", "Resume goes on before the next point."
    if waiting is not None:
        return "waiting for approval", f"Batch {waiting} is measured once somebody approves of it."
    return "running", ""


def is_paused(summary: RunSummary) -> bool:
    """Whether the last word about it was to pause."""
    said = [each.kind for each in summary.interventions if each.kind in ("pause", "resume")]
    return said[-1:] == ["pause"]


def awaits_approval(summary: RunSummary, batch: Batch | None) -> int | None:
    """Number of the batch that a person must approve of; None where there is none."""
    if not summary.record.get("approval") or summary.stop is not None or batch is None:
        return None
    said, number = summary.interventions, batch.decision.number
    approved = any(e.kind == "approve" and e.detail.get("decision") == number for e in said)
    rejected = {tuple(p) for e in said if e.kind == "reject" for p in e.detail.get("pixels", ())}
    over = rejected.issuperset(map(tuple, batch.pixels.tolist()))
    return None if approved or over or batch.decision.source == INJECTED else number


def _buttons(state: str, waiting: int | None) -> dict[str, Any]:
    """Which buttons have a meaning now; the batch that approving is about."""
    going = state in ("running", "waiting for approval")
    return {
        "pause": going,
        "resume": state == "paused",
        "stop": going or state == "paused",
        "approve": waiting if state == "waiting for approval" else None,
    }


def _facts(summary: RunSummary) -> str:
    rows, columns = summary.grid.shape
    parts = [f"run {summary.start['uid'][:8]}", f"{rows} × {columns} pixels"]
    if until := summary.record.get("until"):
        parts.append(f"until {until}")
    if again := len(summary.resumptions):
        parts.append(f"resumed {again} time{'s' * (again > 1)}")
    return " · ".join(parts)


def _elapsed(run: FollowedRun, summary: RunSummary) -> float:
    return active_seconds(summary.start, time.time()) if run.live else summary.seconds


def _progress(summary: RunSummary, elapsed: float) -> Iterator[Progress]:
    until = summary.record.get("until") or ""
    points, size = len(summary.scan.values), summary.grid.size
    planned = parse(until).budget(size) if until else summary.start.get("num_points")
    of = f" of {planned:,}" if planned else ""
    covered = f"{points:,}{of} ({100 * summary.scan.coverage:.3g} % of the map)"
    yield Progress("points", _share(points, planned), covered)
    limit = rule_limit(until, "time")
    yield Progress("time", _share(elapsed, limit), _clock(elapsed) + _of(limit))
    if dwell := summary.record.get("dwell"):
        beam, limit = dwell * summary.dose, rule_limit(until, "dose")
        text = _clock(beam) + _of(limit) + f" of beam, {summary.exposures:,} exposures"
        yield Progress("dose", _share(beam, limit), text)


def _share(done: float, limit: float | None) -> float | None:
    return min(done / limit, 1.0) if limit else None


def _of(limit: float | None) -> str:
    return f" of {_clock(limit)}" if limit else ""


def _clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _next(summary: RunSummary, batch: Batch | None) -> list[str]:
    """What the present batch is, and why."""
    if batch is None:
        return ["The plan visits its points in an order of its own."]
    decision, count = batch.decision, len(batch.pixels)
    left = int((~summary.scan.mask[tuple(batch.pixels.T)]).sum())
    said = [
        f"Batch {decision.number}: {count} point{'s' * (count != 1)} chosen by "
        f"{decision.source} after {decision.seen:,} readings; {left} still to be measured.",
        _why(batch),
        f"Deciding took {decision.ms:.1f} ms; the scan waited {decision.waited_ms:.1f} ms for it.",
    ]
    if decision.refused:
        said.append(f"The guard refused {decision.refused} of its targets.")
    return said + ([f"{decision.note}."] if decision.note else [])


def _why(batch: Batch) -> str:
    source, scores = batch.decision.source, batch.scores[np.isfinite(batch.scores)]
    if source == "start":
        return "A low-discrepancy start, chosen without a look at the values."
    if source == INJECTED:
        return "A person asked for these."
    if not scores.size:
        return f"{source} gives no scores."
    return (
        f"They promise the largest gain in {source}'s measure: the best {scores.max():.3g}, the "
        f"least {scores.min():.3g}."
    )
