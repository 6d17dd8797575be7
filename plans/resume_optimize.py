"""Going on with an optimisation of motors that was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..agent import History
from .logbook import Plan
from .optimize import optimize
from .request import data_key

SETTINGS = "until batch key dwell settle seed prefetch on_bad_point approval".split()
"""Settings that the run's record holds and ``optimize`` takes, under the same name."""


def resume_optimize(
    past: History, detectors: Sequence[Any], motors: Sequence[Any], agent: Any, **changes: Any
) -> Plan:
    """Go on with an optimisation of motors, in its own limits.

    Parameters
    ----------
    past : History
        Of an optimisation that is not finished.
    detectors, motors, agent
        As in ``resume_scan``.
    **changes
        Further arguments of ``optimize``.

    Raises
    ------
    ValueError
        If a motor or a detector of the run is missing.
    """
    record = past.record
    space = {**record["space"]}
    limits = [tuple(each) for each in space.pop("motors")]
    of_name = motors_of(past, motors, [name for name, *_ in limits])
    _check_detectors(past, detectors)
    settings: dict[str, Any] = {name: record[name] for name in SETTINGS}
    settings |= {**space, "then": "best" if record["then"] else "stay"}
    return (
        yield from optimize(
            detectors,
            agent or {"goal": record["goal"], **record["options"]},
            *(part for name, low, high in limits for part in (of_name[name], low, high)),
            **{**settings, **changes},
        )
    )


def motors_of(past: History, motors: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """Find the motors of a run by their data keys.

    Raises
    ------
    ValueError
        If one is missing.
    """
    of_name = {data_key(motor): motor for motor in motors}
    missing = [name for name in names if name not in of_name]
    if missing:
        raise ValueError(
            f"run {past.uid} moved {' and '.join(names)}, but the motors given are "
            f"{', '.join(of_name) or 'none'}: give {' and '.join(missing)} too"
        )
    return of_name


def _check_detectors(past: History, detectors: Sequence[Any]) -> None:
    read, given = past.starts[0]["detectors"], [detector.name for detector in detectors]
    missing = [name for name in read if name not in given]
    if missing:
        raise ValueError(
            f"run {past.uid} read {' and '.join(read)}, but the detectors given are "
            f"{', '.join(given) or 'none'}: give {' and '.join(missing)} too"
        )
