"""Going on with a scan, or an optimisation, that was interrupted, in a new run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..agent import History, MotorSampler, Sampler
from ..storage import documents_of_chain
from .adaptive import adaptive_scan
from .logbook import Plan
from .point import PerStep
from .resume_optimize import motors_of, resume_optimize

SETTINGS = (
    "until batch key dwell longest_dwell settle seed prefetch keep_out largest_step stage "
    "on_bad_point beam approval"
).split()
"""Settings of the scan that its record holds and ``adaptive_scan`` takes, under the same name."""

OF_THE_RUN = frozenset(
    "uid time scan_id versions plan_type plan_name plan_args detectors motors shape extents hints "
    "num_points skysteer resumed_from resumed_after".split()
)
"""What a start document says of its own run; the rest is the user's, and goes on."""


def resume_scan(
    run: History | str | int | Iterable[tuple[str, Mapping[str, Any]]],
    detectors: Sequence[Any],
    motors: Sequence[Any],
    *,
    source: Any = None,
    agent: str | Mapping[str, Any] | Sampler | MotorSampler | None = None,
    decision_timeout: float | None = None,
    per_step: PerStep | None = None,
    md: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Plan:
    """Go on with an adaptive scan, or with ``optimize``, in a new run that names the old one.

    All that it needs the old run's documents say. The interrupted batch is finished first; the
    decision that was asked for is asked for again.
    On the same machine, with repeatable readings, the points are then those that the
    uninterrupted run would have measured. Elsewhere it goes on all the same, and the first
    decision that comes out otherwise is told, in a warning and in the stream ``interventions``.

    Parameters
    ----------
    run : History, documents, str or int
        What to go on with: documents of the run, or of a chain of runs, oldest first, as
        ``(name, document)``; or a uid (or scan id, or -1 for the latest) in ``source``.
    detectors : list of readables
        As of the old run.
    motors : list of movables
        The motors of the old run, in any order.
    source : path or catalog, optional
        Where a uid is looked up: a data folder, or a client as ``open_catalog`` gives it. A run
        in a folder whose process has died is closed there, with the reason.
    agent : str, mapping, Sampler or MotorSampler, optional
        In place of the old run's agent or goal; needed where that was a sampler of your own.
    decision_timeout, per_step, md
        As in ``adaptive_scan`` and ``optimize``.
    **changes
        Further devices that the scan needs (``shutter``, ``inbox``), and what to change of its
        settings.

    Returns
    -------
    ScanOutcome or OptimizeOutcome
        Of the whole: its points count all runs.

    Raises
    ------
    ValueError
        If the documents are not those of an adaptive scan or an optimisation, if that is finished,
        or if the devices are not its devices: before anything moves.
    RuntimeError
        If the run is still being measured, or a motor does not come to rest.

    Examples
    --------
    ``RE(resume_scan("3c93f54e", [counter], [stage.x, stage.y], source="runs"))``
    """
    past = run if isinstance(run, History) else History.of(_documents(run, source))
    if past.finished:
        raise ValueError(f"run {past.uid} is finished ({past.finished}): nothing is left to resume")
    go_on = resume_optimize if past.of_motors else _resume_raster
    return (
        yield from go_on(
            past,
            detectors,
            motors,
            agent=agent,
            after=past,
            decision_timeout=decision_timeout or past.record["decision_timeout"],
            per_step=per_step,
            md={**_of_the_user(past), **(md or {})},
            **_checked(past, changes),
        )
    )


def _resume_raster(
    past: History, detectors: Sequence[Any], motors: Sequence[Any], agent: Any, **changes: Any
) -> Plan:
    record = past.record
    axes = record["grid"]["axes"]
    of_axis = motors_of(past, motors, [axis["name"] for axis in axes])
    slow, fast = (
        (of_axis[axis["name"]], axis["start"], axis["stop"], axis["num"]) for axis in axes
    )
    settings: dict[str, Any] = {name: record[name] for name in SETTINGS if name in record}
    if record.get("batch_grows"):
        settings["batch"] = None
    settings["fly"] = _flying(past, detectors, changes)
    settings["then"] = _goal(record.get("then"))
    return (
        yield from adaptive_scan(
            detectors,
            agent or {"agent": record["agent"], "options": record.get("options", {})},
            *slow,
            *fast,
            **{**settings, **changes},
        )
    )


def _checked(past: History, changes: dict[str, Any]) -> dict[str, Any]:
    """Give the changes back, unless they lack the shutter that the run had."""
    shutter = past.record.get("shutter")
    if shutter and "shutter" not in changes:
        raise ValueError(f"run {past.uid} had a shutter, {shutter}: give shutter=")
    return changes


def _of_the_user(past: History) -> dict[str, Any]:
    return {key: value for key, value in past.starts[0].items() if key not in OF_THE_RUN}


def _flying(past: History, detectors: Sequence[Any], changes: Mapping[str, Any]) -> bool:
    """Whether the run flew, with one of these detectors."""
    flown = past.record.get("fly")
    if not flown or "fly" in changes:
        return False
    if flown["detector"] not in [detector.name for detector in detectors]:
        raise ValueError(f"run {past.uid} flew with {flown['detector']!r}: give it as fly=")
    return True


def _goal(goal: Mapping[str, Any] | None) -> str | tuple[int, int] | None:
    if goal is None:
        return None
    return "best" if "to" in goal else (goal["row"], goal["column"])


def _documents(
    run: str | int | Iterable[tuple[str, Mapping[str, Any]]], source: Any
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if not isinstance(run, str | int):
        return run
    if source is None:
        raise ValueError(f"run {run!r} is looked up in a source: give a data folder or a catalog")
    return documents_of_chain(source, run)
