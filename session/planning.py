"""What a scan would take, told before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .checks import check_sampler
from .microscope import open_devices
from .settings import Demo, Scan
from .simulated import demo_microscope, over


@dataclass(frozen=True)
class Advice:
    """Which way of scanning shall be told to be the fastest.

    Attributes
    ----------
    nrmse : float
        Of the map that is wanted.
    like : sequence of str
        Kinds of specimens, or images' files, on which it is rehearsed.
    """

    nrmse: float
    like: Sequence[str] = ()


def plan_scan(scan: Scan, advice: Advice | None = None) -> dict[str, Any]:
    """Tell what a scan would take; checks limits, PVs and disk, and moves nothing.

    Raises
    ------
    TimeoutError, ValueError
        If a check fails.
    """
    check_sampler(scan)
    with open_devices(scan.prefix, scan.timeout) as (stage, counter, ring):
        return _planned(scan, advice, [counter, ring], stage.y, stage.x)


def plan_demo(demo: Demo, advice: Advice | None = None) -> dict[str, Any]:
    """Tell what a scan of the simulated microscope would take; starts nothing.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``run_demo``.
    """
    from ..simulators import SoftMicroscope

    check_sampler(demo.scan)
    options = demo_microscope(demo)
    soft = SoftMicroscope(options=options)
    scan = over(demo.scan, options, soft.chain.beam.specimen)
    speed = {"speed": options.velocity, "acceleration": options.ramp}
    detectors = [soft.counter, soft.ring]
    return _planned(scan, advice, detectors, soft.y, soft.x, stage=speed)


def _planned(
    scan: Scan, advice: Advice | None, detectors: list[Any], slow: Any, fast: Any, **known: Any
) -> dict[str, Any]:
    from ..plans import dry_run

    told = dry_run(
        detectors,
        slow,
        *scan.slow,
        fast,
        *scan.fast,
        until=scan.until,
        batch=scan.batch,
        dwell=scan.dwell,
        seed=scan.seed,
        folder=scan.out,
        **known,
    )
    return {
        "agent": scan.agent,
        "points": len(told.pixels),
        "of": told.grid.size,
        "at_most": told.at_most,
        "travel_y": told.travel[0],
        "travel_x": told.travel[1],
        "seconds": told.seconds,
        "beam_seconds": told.exposure,
        "megabytes": told.size / 1e6,
        "free_megabytes": told.free / 1e6,
        **_advised(told.stage, told.grid.shape, advice),
    }


def _advised(stage: Any, shape: tuple[int, int], advice: Advice | None) -> dict[str, Any]:
    """The fastest way to a quality, where one was asked for."""
    if advice is None:
        return {}
    if stage is None:
        raise ValueError("advice needs the motors' speed, but these do not tell it")
    from ..rehearsal import advised

    return advised(stage, shape, advice.nrmse, advice.like)
