"""Commands that scan, or tell what a scan would take."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Agent,
    Approve,
    Batch,
    Counters,
    Dwell,
    Fly,
    Json,
    LongestDwell,
    Monitor,
    Noise,
    Options,
    Out,
    Seed,
    Then,
    Tiled,
    Timeout,
    Uid,
    Until,
    agent_options,
    axis,
    place,
    stop_rule,
)
from .printing import print_outcome


def demo(
    image: Annotated[
        str | None,
        typer.Option(help="TIFF, PNG, NPY or file.h5:/dataset; a generated specimen without it."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of the pixels to measure; 0.15 without --until.")
    ] = None,
    until: Until = None,
    batch: Batch = None,
    agent: Agent = "slads",
    options: Options = "{}",
    seed: Seed = 1,
    region: Annotated[
        str,
        typer.Option(
            help="Rows x columns to scan, from the middle of the image; 'all' for the whole.",
        ),
    ] = "128x128",
    dwell: Dwell = 0.01,
    longest_dwell: LongestDwell = None,
    channels: Counters = 1,
    fly: Fly = False,
    noise: Annotated[Noise, typer.Option(help="Counting statistics.")] = Noise.POISSON,
    peak_rate: Annotated[float, typer.Option(help="Counts/s of the brightest pixel.")] = 1e6,
    out: Out = Path("demo-run"),
    tiled: Tiled = None,
    approve: Approve = False,
    then: Then = None,
    monitor: Monitor = False,
    as_json: Json = False,
) -> None:
    """Scan a simulated X-ray microscope adaptively, over Channel Access, and draw the map."""
    from ..session import Demo, Scan, run_demo

    scan = Scan(
        agent=agent,
        options=agent_options(options),
        until=stop_rule(until, coverage),
        batch=batch,
        seed=seed,
        dwell=dwell,
        out=out,
        tiled=tiled,
        approval=approve,
        then=place(then),
        fly=fly,
        longest_dwell=longest_dwell,
        channels=channels,
    )
    settings = Demo(
        scan,
        image=image,
        region=region,
        noise="none" if noise is Noise.NONE else "poisson",
        peak_rate=peak_rate,
    )
    with _shown_on_a_page(out, monitor):
        outcome = run_demo(settings)
    print_outcome(outcome, as_json)


def scan(
    prefix: Annotated[str, typer.Option(help="What the PVs' names begin with.")],
    y: Annotated[str, typer.Option(help="Slow axis: start,stop,num in the motor's units.")],
    x: Annotated[str, typer.Option(help="Fast axis: start,stop,num in the motor's units.")],
    until: Until = "coverage(0.15)",
    batch: Batch = None,
    agent: Agent = "slads",
    options: Options = "{}",
    seed: Seed = 1,
    dwell: Dwell = 0.01,
    longest_dwell: LongestDwell = None,
    channels: Counters = 1,
    fly: Fly = False,
    timeout: Timeout = 10.0,
    patience: Annotated[
        float, typer.Option(help="Seconds to wait in mid-scan for PVs that are lost to come back.")
    ] = 300.0,
    out: Out = Path("runs"),
    tiled: Tiled = None,
    approve: Approve = False,
    then: Then = None,
    monitor: Monitor = False,
    as_json: Json = False,
) -> None:
    """Scan adaptively with PVs that already run."""
    from ..session import Scan, run_scan

    settings = Scan(
        prefix=prefix,
        slow=axis(y, "y"),
        fast=axis(x, "x"),
        dwell=dwell,
        agent=agent,
        options=agent_options(options),
        until=until or "coverage(0.15)",
        batch=batch,
        seed=seed,
        timeout=timeout,
        patience=patience,
        out=out,
        tiled=tiled,
        approval=approve,
        then=place(then),
        fly=fly,
        longest_dwell=longest_dwell,
        channels=channels,
    )
    with _shown_on_a_page(out, monitor):
        outcome = run_scan(settings)
    print_outcome(outcome, as_json)


def resume(
    uid: Uid = None,
    out: Out = Path("runs"),
    tiled: Tiled = None,
    monitor: Monitor = False,
    as_json: Json = False,
) -> None:
    """Go on with a scan that was cut off, in a new run that names the old one."""
    from ..session import run_resume

    with _shown_on_a_page(out, monitor):
        outcome = run_resume(out, uid, tiled=tiled)
    print_outcome(outcome, as_json)


def plan(
    prefix: Annotated[
        str | None, typer.Option(help="What the PVs' names begin with; else it is the demo's scan.")
    ] = None,
    y: Annotated[str | None, typer.Option(help="Slow axis: start,stop,num, with --prefix.")] = None,
    x: Annotated[str | None, typer.Option(help="Fast axis: start,stop,num, with --prefix.")] = None,
    image: Annotated[str | None, typer.Option(help="The demo's image, without --prefix.")] = None,
    region: Annotated[str, typer.Option(help="The demo's rows x columns, or 'all'.")] = "128x128",
    until: Until = "coverage(0.15)",
    batch: Batch = None,
    agent: Agent = "slads",
    options: Options = "{}",
    seed: Seed = 1,
    dwell: Dwell = 0.01,
    timeout: Timeout = 10.0,
    nrmse: Annotated[
        float | None,
        typer.Option(help="Of the map wanted: tells the fastest way to it, by rehearsals."),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(help="With --nrmse: what specimens are like, a kind or an image; again."),
    ] = None,
    out: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """Check a scan, and tell points, travel, time, dose and data; nothing moves."""
    from ..session import Advice, Demo, Scan, plan_demo, plan_scan

    if (prefix is None) != (y is None and x is None) or (prefix and image):
        raise ValueError("give --prefix with --y and --x, or else --image and --region, if any")
    scan = Scan(
        agent=agent,
        options=agent_options(options),
        until=until or "coverage(0.15)",
        batch=batch,
        seed=seed,
        dwell=dwell,
        timeout=timeout,
        out=out,
    )
    likes = like or ([image] if image else [])
    advice = None if nrmse is None else Advice(nrmse, likes)
    if prefix is None:
        told = plan_demo(Demo(scan, image=image, region=region), advice)
    else:
        axes = {"slow": axis(y or "", "y"), "fast": axis(x or "", "x")}
        told = plan_scan(replace(scan, prefix=prefix, **axes), advice)
    print_outcome(told, as_json)


def _shown_on_a_page(out: Path, wanted: bool) -> AbstractContextManager[None]:
    if not wanted:
        return nullcontext()
    from ..views import monitored

    return monitored(out)
