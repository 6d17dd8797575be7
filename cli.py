"""The command line: `skysteer --help`."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="skysteer",
    help="Steer a Bluesky scan by what it has already seen.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


INTERRUPTED = 130  # the exit code of what Ctrl-C ended


class Noise(StrEnum):
    """How the simulated counter counts."""

    POISSON = "poisson"
    NONE = "none"


class Goal(StrEnum):
    """What an agent measures for."""

    MAP = "map"
    OPTIMUM = "optimum"
    BOUNDARY = "boundary"


class Trained(StrEnum):
    """Agents with a network."""

    SLADS = "slads"
    SLADS_NET = "slads-net"


TOLD = ("nrmse_own", "best_found", "f1", "estimated_nrmse", "cov90", "nlpd")  # where a row has them


Json = Annotated[bool, typer.Option("--json", help="Machine-readable: JSON on standard output.")]
Agent = Annotated[str, typer.Option(help="An installed agent, or path/to/mine.py:Class.")]
Options = Annotated[str, typer.Option("--options", help="The agent's options, as JSON.")]
Seed = Annotated[int, typer.Option(help="The same seed and readings give the same scan.")]
Batch = Annotated[int | None, typer.Option(help="Points between two decisions.")]
Until = Annotated[str | None, typer.Option(help="Stop rule, such as 'coverage(0.2) | time(3600)'.")]
Out = Annotated[Path, typer.Option(help="Folder for the journal, the catalog and the pictures.")]
Tiled = Annotated[
    str | None,
    typer.Option(help="Write to this Tiled server instead; its key comes from TILED_API_KEY."),
]


Approve = Annotated[
    bool, typer.Option("--approve", help="Each batch waits for `skysteer tell approve`.")
]
Monitor = Annotated[
    bool, typer.Option("--monitor", help="Show the scan on a web page, too: `skysteer monitor`.")
]
Then = Annotated[
    str | None, typer.Option(help="Where the stage goes at the end: best, or ROW,COLUMN.")
]


@app.callback(invoke_without_command=True)
def about(context: typer.Context) -> None:
    """Steer a Bluesky scan by what it has already seen."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog="Example: skysteer demo --image map.tif --coverage 0.15 --out demo-run")
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
    dwell: Annotated[float, typer.Option(help="Seconds of each exposure.")] = 0.01,
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
    from .session import Demo, Scan, run_demo

    scan = Scan(
        agent=agent,
        options=_options(options),
        until=_stop_rule(until, coverage),
        batch=batch,
        seed=seed,
        dwell=dwell,
        out=out,
        tiled=tiled,
        approval=approve,
        then=_goal(then),
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
    _print_outcome(outcome, as_json)


@app.command(
    epilog="Example: skysteer scan --prefix BL:SIM: --y 0,30,256 --x 0,30,256 "
    "--until 'coverage(0.15) | time(3600)'"
)
def scan(
    prefix: Annotated[str, typer.Option(help="What the PVs' names begin with.")],
    y: Annotated[str, typer.Option(help="Slow axis: start,stop,num in the motor's units.")],
    x: Annotated[str, typer.Option(help="Fast axis: start,stop,num in the motor's units.")],
    until: Until = "coverage(0.15)",
    batch: Batch = None,
    agent: Agent = "slads",
    options: Options = "{}",
    seed: Seed = 1,
    dwell: Annotated[float, typer.Option(help="Seconds of each exposure.")] = 0.01,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the PVs.")] = 10.0,
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
    from .session import Scan, run_scan

    settings = Scan(
        prefix=prefix,
        slow=_axis(y, "y"),
        fast=_axis(x, "x"),
        dwell=dwell,
        agent=agent,
        options=_options(options),
        until=until or "coverage(0.15)",
        batch=batch,
        seed=seed,
        timeout=timeout,
        patience=patience,
        out=out,
        tiled=tiled,
        approval=approve,
        then=_goal(then),
    )
    with _shown_on_a_page(out, monitor):
        outcome = run_scan(settings)
    _print_outcome(outcome, as_json)


@app.command(epilog="Example: skysteer resume --out demo-run")
def resume(
    uid: Annotated[
        str | None, typer.Argument(help="The run's uid or its beginning; the latest without it.")
    ] = None,
    out: Out = Path("runs"),
    tiled: Tiled = None,
    monitor: Monitor = False,
    as_json: Json = False,
) -> None:
    """Go on with a scan that was cut off, in a new run that names the old one."""
    from .session import run_resume

    with _shown_on_a_page(out, monitor):
        outcome = run_resume(out, uid, tiled=tiled)
    _print_outcome(outcome, as_json)


@app.command(epilog="Example: skysteer replay 3c93f54e --out runs --agent slads --agent raster")
def replay(
    uid: Annotated[
        str | None, typer.Argument(help="The run's uid or its beginning; the latest without it.")
    ] = None,
    out: Out = Path("runs"),
    agent: Annotated[
        list[str] | None,
        typer.Option(
            help="An agent; may be given several times. Without one an adaptive scan is checked "
            "decision by decision, and another run replayed by slads."
        ),
    ] = None,
    coverage: Annotated[
        list[float] | None, typer.Option(help="May be given several times.")
    ] = None,
    batch: Batch = None,
    seed: Seed = 1,
    options: Options = "{}",
    key: Annotated[str | None, typer.Option(help="Data key of the readings.")] = None,
    tiled: Annotated[str | None, typer.Option(help="Read from this Tiled server.")] = None,
    as_json: Json = False,
) -> None:
    """Let agents scan what a past run has measured, or check its decisions."""
    from .workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: agents decide in this process
    from .session import run_replay

    rows = run_replay(
        out,
        uid,
        agent or (),
        coverage or (),
        tiled=tiled,
        batch=batch,
        seed=seed,
        options=_options(options),
        key=key,
    )
    if as_json:
        for row in rows:
            print(_json(row), flush=True)
    else:
        shown = list(rows)
        _print_table(shown, tuple(shown[0]) if shown else ())


@app.command(
    epilog="Example: skysteer simulate --image map.tif --agent slads-net --agent raster "
    "--coverage 0.05 --coverage 0.1 --json"
)
def simulate(
    image: Annotated[list[str], typer.Option(help="An image; may be given several times.")],
    agent: Annotated[list[str], typer.Option(help="An agent; may be given several times.")],
    coverage: Annotated[list[float], typer.Option(help="May be given several times.")],
    batch: Annotated[
        int | None,
        typer.Option(help="Points between two decisions; 50, or what suits the stage."),
    ] = None,
    seed: Seed = 1,
    options: Options = "{}",
    beam_px: Annotated[float, typer.Option(help="FWHM of a beam that blurs the image, px.")] = 0.0,
    dwell: Annotated[
        float | None,
        typer.Option(help="Seconds of each exposure: adds the beam time to each row."),
    ] = None,
    settle: Annotated[float | None, typer.Option(help="Seconds at rest before each.")] = None,
    speed: Annotated[float | None, typer.Option(help="Of the stage, px/s.")] = None,
    acceleration: Annotated[float | None, typer.Option(help="Seconds to full speed.")] = None,
    goal: Annotated[
        Goal | None, typer.Option(help="What is looked for, by an agent that knows goals: gp.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of the goal boundary, in the image's values.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rehearse agents against images, without a RunEngine."""
    from .workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: the times told are of one thread
    from .rehearsal import compare_agents

    rows = compare_agents(
        image,
        agent,
        coverage,
        batch=batch,
        seed=seed,
        options=_options(options) | _goal_options(goal, threshold),
        beam_px=beam_px,
        stage=_stage(dwell, speed, settle=settle, acceleration=acceleration),
    )
    if as_json:
        for row in rows:
            print(_json(row), flush=True)
    else:
        found = list(rows)
        told = {key for row in found for key in row}
        _print_table(
            found,
            (
                "image",
                "agent",
                "coverage",
                "points",
                "nrmse",
                "ssim",
                "psnr",
                "decision_ms_p50",
                "travel_px",
                *[k for k in TOLD if k in told],
                *([] if dwell is None else ["seconds"]),
            ),
        )


@app.command(
    epilog="Examples: skysteer tune --agent slads --vary flatness=0,0.1,0.25 --image a.tif "
    "--image b.tif --seeds 3 --plot tune.png; on past runs: skysteer tune --agent gp "
    "--vary power=0,0.5,1 --out runs --run 3c93f54e --run 8d1c0a2b"
)
def tune(
    vary: Annotated[
        list[str],
        typer.Option(help="NAME=VALUE,VALUE of the agent's options; again for another option."),
    ],
    agent: Agent = "slads",
    image: Annotated[
        list[str] | None, typer.Option(help="An image; may be given several times.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder with past runs; the latest without --run.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run's uid or its beginning; may be given several times."),
    ] = None,
    tiled: Annotated[str | None, typer.Option(help="Read runs from this Tiled server.")] = None,
    key: Annotated[str | None, typer.Option(help="Data key of a run's readings.")] = None,
    coverage: Annotated[
        list[float] | None,
        typer.Option(help="May be given several times; 0.05, 0.1 and 0.2 without it."),
    ] = None,
    options: Options = "{}",
    seeds: Annotated[int, typer.Option(help="Scans of each combination, seeds 0, 1, ...")] = 1,
    batch: Batch = None,
    processes: Annotated[
        int | None, typer.Option(help="How many at a time; one for each processor without it.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the results into this file: .png, .pdf or .svg.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try an agent's options on images or past runs, in parallel, and rank them."""
    from .workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: agents are built here, to check them
    from .session import run_tune

    given = {} if coverage is None else {"coverages": coverage}
    records = run_tune(
        agent,
        vary,
        images=image or (),
        out=out,
        uids=run or (),
        tiled=tiled,
        key=key,
        plot=plot,
        options=_options(options),
        seeds=seeds,
        batch=batch,
        processes=processes,
        on_record=(lambda record: print(_json(record), flush=True)) if as_json else None,
        **given,
    )
    from .rehearsal import ranking, save_tune_figure

    if not as_json:
        rows = [{**row.pop("options"), **row} for row in ranking(records)]
        hidden = {"seed_spread"} if seeds == 1 else set()
        _print_table(rows, tuple(name for name in rows[0] if name not in hidden))
    if plot is not None:
        save_tune_figure(plot, records)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def ioc(context: typer.Context) -> None:
    """Serve a simulated X-ray microscope on Channel Access; see `skysteer ioc --help`."""
    from .simulators import IocOptions, serve

    serve(IocOptions.parse(context.args))


@app.command(epilog="Example: skysteer train --agent slads --out my_net.safetensors --seed 3")
def train(
    out: Annotated[Path, typer.Option(help="File for the weights (safetensors).")],
    agent: Annotated[Trained, typer.Option(help="Whose network.")] = Trained.SLADS,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a sampling network; use it with --options '{"weights": "my_net.safetensors"}'."""
    from .rehearsal.train_sampler import train as train_slads
    from .rehearsal.train_slads import train as train_slads_net

    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ValueError(f"--out must lie in a folder one can write to, but {out} does not")
    trainer = {Trained.SLADS: train_slads, Trained.SLADS_NET: train_slads_net}[agent]
    _print_outcome(trainer(out, seed=seed), as_json)


@app.command(
    epilog="Example: skysteer plan --prefix BL:SIM: --y 0,30,256 --x 0,30,256 "
    "--until 'coverage(0.15) | time(3600)'"
)
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
    dwell: Annotated[float, typer.Option(help="Seconds of each exposure.")] = 0.01,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the PVs.")] = 10.0,
    out: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """Check a scan, and tell points, travel, time, dose and data; nothing moves."""
    from .session import Demo, Scan, plan_demo, plan_scan

    if (prefix is None) != (y is None and x is None) or (prefix and image):
        raise ValueError("give --prefix with --y and --x, or else --image and --region, if any")
    scan = Scan(
        agent=agent,
        options=_options(options),
        until=until or "coverage(0.15)",
        batch=batch,
        seed=seed,
        dwell=dwell,
        timeout=timeout,
        out=out,
    )
    if prefix is None:
        told = plan_demo(Demo(scan, image=image, region=region))
    else:
        axes = {"slow": _axis(y or "", "y"), "fast": _axis(x or "", "x")}
        told = plan_scan(replace(scan, prefix=prefix, **axes))
    _print_outcome(told, as_json)


@app.command(
    epilog="Example: skysteer tell --out demo-run stop enough",
    context_settings={"ignore_unknown_options": True},  # -1,2 is a position
)
def tell(
    kind: Annotated[
        str,
        typer.Argument(
            help="stop, pause, resume, approve, reject, forbid, allow, inject, agent or move."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="stop or pause: WHY. approve or reject: the decision's NUMBER (the present one "
            "without it); reject also pixels ROW,COLUMN. inject: pixels. forbid: LOW,HIGH of the "
            "slow and of the fast axis, or corners SLOW,FAST. allow: the forbid's NUMBER. agent: "
            "NAME and options as JSON. move (at the end): best or ROW,COLUMN."
        ),
    ] = None,
    out: Out = Path("runs"),
    by: Annotated[str | None, typer.Option(help="Who says so; user@host without it.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the scan's answer.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Tell a running scan what to do; it is recorded with who and when."""
    from .session import tell_scan

    _print_outcome(tell_scan(out, kind, words or (), by=by, timeout=timeout), as_json)


@app.command(epilog="Example: skysteer monitor --out runs")
def monitor(
    out: Annotated[
        Path, typer.Option("--out", "--watch", help="Folder whose scans are followed.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="0 for one that is free.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Tell the address, and open no browser.")
    ] = False,
) -> None:
    """Follow a folder's scans on a web page, with buttons to pause, resume, approve and stop."""
    from .workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy: the scan goes before
    from .views import watch_folder

    if not out.is_dir():
        raise ValueError(f"expected a folder of runs, but {out} is none: name one with --out")
    watch_folder(out, port=port, browser=not no_browser)


runs = typer.Typer(
    help="List the runs of a folder, and bring them into its catalog.", invoke_without_command=True
)
app.add_typer(runs, name="runs")


@runs.callback(epilog="Example: skysteer runs --out demo-run")
def runs_list(context: typer.Context, out: Out = Path("runs"), as_json: Json = False) -> None:
    """List the runs of a folder."""
    context.obj = out
    if context.invoked_subcommand is None:
        from .session import list_folder

        rows = list_folder(out)
        if as_json:
            for row in rows:
                print(_json(row))
        else:
            _print_table(rows, ("scan_id", "uid", "when", "plan", "agent", "points", "status"))


@runs.command("sync", epilog="Example: skysteer runs --out demo-run sync")
def runs_sync(context: typer.Context, tiled: Tiled = None) -> None:
    """Bring every run of the journal into the catalog."""
    from tqdm import tqdm

    from .storage import sync

    with tqdm(unit="run", delay=2.0, leave=False, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        delivery = sync(context.obj, tiled, progress=show)
    if not delivery.complete:
        raise RuntimeError(str(delivery))
    print(delivery)


@app.command(epilog="Example: skysteer shell --sim, or skysteer shell --prefix BL: --out runs")
def shell(
    prefix: Annotated[str | None, typer.Option(help="What the PVs' names begin with.")] = None,
    sim: Annotated[bool, typer.Option("--sim", help="Start a simulated microscope.")] = False,
    out: Out = Path("runs"),
    command: Annotated[
        str | None,
        typer.Option("--command", "-c", help="Run this Python and leave."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the PVs.")] = 10.0,
) -> None:
    """Open IPython with RunEngine, devices, catalog and live picture ready."""
    if sim == (prefix is not None):
        raise ValueError("give --sim for a simulated microscope, or --prefix BL: for one that runs")
    from .session import run_shell

    raise typer.Exit(run_shell(prefix, out, command=command, timeout=timeout))


Uid = Annotated[
    str | None,
    typer.Argument(help="The run's uid or its beginning; the latest run without it."),
]


@app.command(epilog="Example: skysteer export 3c93f54e --out demo-run --to run.nxs")
def export(
    to: Annotated[Path, typer.Option(help="run.nxs (NeXus), map.tif (TIFF) or points.csv.")],
    uid: Uid = None,
    out: Out = Path("runs"),
) -> None:
    """Write a run to a file for other programs: NeXus, TIFF or CSV, as the suffix says."""
    from .session import summary_of
    from .views import export_run

    export_run(to, summary_of(out, uid))
    print(to)


@app.command(epilog="Example: skysteer report 3c93f54e --out demo-run")
def report(
    uid: Uid = None,
    out: Out = Path("runs"),
    to: Annotated[
        Path | None, typer.Option(help="The file; report-UID.html in the folder without it.")
    ] = None,
) -> None:
    """Write a run's report, one HTML file that needs no other."""
    from .session import summary_of, truth_of
    from .views import write_report

    summary = summary_of(out, uid)
    page = to or out / f"report-{summary.start['uid'][:8]}.html"
    write_report(page, summary, truth_of(summary))
    print(page)


def _shown_on_a_page(out: Path, wanted: bool) -> AbstractContextManager[None]:
    if not wanted:
        return nullcontext()
    from .views import monitored

    return monitored(out)


def _print_outcome(outcome: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(_json(outcome), flush=True)
        return
    for name, value in outcome.items():
        print(f"{name.replace('_', ' '):>22}  {_shown(value)}")


def _print_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [[_shown(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _json(row: dict[str, Any]) -> str:
    """One line of JSON; what is not finite, which JSON has no word for, becomes null."""
    return json.dumps(
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    )


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--options takes a JSON object, but {text!r} came ({error})") from error
    if not isinstance(options, dict):
        raise ValueError(f"--options takes a JSON object, but {text!r} came")
    return options


def _goal_options(goal: Goal | None, threshold: float | None) -> dict[str, Any]:
    given = {"goal": goal and goal.value, "threshold": threshold}
    return {name: value for name, value in given.items() if value is not None}


def _stage(dwell: float | None, speed: float | None, **others: float | None) -> Any:
    """What the stage needs in time; None where nothing was said of it."""
    from .agent import StageTime

    given = {"dwell": dwell, "speed": speed, **others}
    known = {name: number for name, number in given.items() if number is not None}
    if known and not {"dwell", "speed"} <= set(known):
        raise ValueError(
            "beam time needs --dwell (s) and --speed (px/s), and takes --settle and --acceleration "
            f"(s), but {', '.join(f'--{name}' for name in known)} came"
        )
    return StageTime.of(known) if known else None


def _stop_rule(until: str | None, coverage: float | None) -> str:
    if until is not None and coverage is not None:
        raise ValueError("give --coverage or --until, not both: coverage(0.15) is a stop rule too")
    return until or f"coverage({0.15 if coverage is None else coverage!r})"


def _goal(text: str | None) -> str | tuple[int, int] | None:
    if text is None or text == "best":
        return text
    try:
        row, column = text.split(",")
        return int(row), int(column)
    except ValueError as error:
        raise ValueError(f"--then takes best or ROW,COLUMN, but {text!r} came") from error


def _axis(text: str, name: str) -> tuple[float, float, int]:
    try:
        start, stop, num = text.split(",")
        return float(start), float(stop), int(num)
    except ValueError as error:
        raise ValueError(
            f"--{name} takes start,stop,num such as 0,30,256, but {text!r} came"
        ) from error


def main() -> None:
    """Run the command line: one clear line and exit code 2 for whatever is wrong."""
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # its tracebacks; the message follows
    try:
        status = app(standalone_mode=False, prog_name="skysteer")
        if status == INTERRUPTED:
            _complain("interrupted", INTERRUPTED)
    except Exception as error:
        if os.environ.get("SKYSTEER_TRACEBACK"):
            raise
        # what typer itself refuses has its words in format_message
        words = getattr(error, "format_message", None)
        message = words() if words else str(error)
        interrupted = type(error).__name__ in ("ScanInterruptedError", "Abort")
        status = _complain(message or type(error).__name__, INTERRUPTED if interrupted else 2)
    sys.exit(status or 0)


def _complain(message: str, status: int) -> int:
    print("skysteer: " + " ".join(message.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
