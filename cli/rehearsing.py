"""Commands that rehearse without beam: agents on images and on past runs, and their training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Agent,
    Batch,
    Channels,
    Goal,
    Json,
    Options,
    Out,
    Seed,
    Trained,
    Uid,
    agent_options,
    data_keys,
    goal_options,
    stage_time,
)
from .printing import json_line, print_outcome, print_table

TOLD = (  # where a row has them
    "nrmse_by_channel",
    "steered_by",
    "nrmse_own",
    "best_found",
    "f1",
    "estimated_nrmse",
    "cov90",
    "nlpd",
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
    channels: Annotated[
        Channels, typer.Option(help="Of an image with several, colours too: the first or all.")
    ] = Channels.FIRST,
    dwell: Annotated[
        float | None,
        typer.Option(help="Seconds of each exposure: adds the beam time to each row."),
    ] = None,
    settle: Annotated[float | None, typer.Option(help="Seconds at rest before each.")] = None,
    speed: Annotated[float | None, typer.Option(help="Of the stage, px/s.")] = None,
    acceleration: Annotated[float | None, typer.Option(help="Seconds to full speed.")] = None,
    fly: Annotated[
        bool, typer.Option(help="Let the stage fly over segments, where that is soonest done.")
    ] = False,
    longest_dwell: Annotated[
        float | None,
        typer.Option(
            help="Seconds up to which a pixel may be counted, from --dwell on: photons are then "
            "counted, of the option counts_per_unit."
        ),
    ] = None,
    goal: Annotated[
        Goal | None,
        typer.Option(help="What is looked for, by an agent that knows goals: gp, hybrid."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of the goal boundary, in the image's values.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rehearse agents against images, without a RunEngine."""
    from ..workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: the times told are of one thread
    from ..rehearsal import compare_agents

    rows = compare_agents(
        image,
        agent,
        coverage,
        batch=batch,
        seed=seed,
        options=agent_options(options) | goal_options(goal, threshold),
        beam_px=beam_px,
        channels=channels.value,
        stage=stage_time(dwell, speed, settle=settle, acceleration=acceleration),
        fly=fly,
        longest_dwell=longest_dwell,
    )
    if as_json:
        for row in rows:
            print(json_line(row), flush=True)
    else:
        found = list(rows)
        told = {key for row in found for key in row}
        print_table(
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
    from ..workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: agents are built here, to check them
    from ..session import run_tune

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
        options=agent_options(options),
        seeds=seeds,
        batch=batch,
        processes=processes,
        on_record=(lambda record: print(json_line(record), flush=True)) if as_json else None,
        **given,
    )
    from ..rehearsal import ranking, save_tune_figure

    if not as_json:
        rows = [{**row.pop("options"), **row} for row in ranking(records)]
        hidden = {"seed_spread"} if seeds == 1 else set()
        print_table(rows, tuple(name for name in rows[0] if name not in hidden))
    if plot is not None:
        save_tune_figure(plot, records)


def replay(
    uid: Uid = None,
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
    key: Annotated[
        str | None, typer.Option(help="Data key of the readings; several with commas between.")
    ] = None,
    tiled: Annotated[str | None, typer.Option(help="Read from this Tiled server.")] = None,
    as_json: Json = False,
) -> None:
    """Let agents scan what a past run has measured, or check its decisions."""
    from ..workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy and torch: agents decide in this process
    from ..session import run_replay

    rows = run_replay(
        out,
        uid,
        agent or (),
        coverage or (),
        tiled=tiled,
        batch=batch,
        seed=seed,
        options=agent_options(options),
        key=data_keys(key),
    )
    if as_json:
        for row in rows:
            print(json_line(row), flush=True)
    else:
        shown = list(rows)
        print_table(shown, tuple(shown[0]) if shown else ())


def train(
    out: Annotated[Path, typer.Option(help="File for the weights (safetensors).")],
    agent: Annotated[Trained, typer.Option(help="Whose network.")] = Trained.SLADS,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a sampling network; use it with --options '{"weights": "my_net.safetensors"}'."""
    from ..rehearsal.train_sampler import train as train_slads
    from ..rehearsal.train_slads import train as train_slads_net

    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ValueError(f"--out must lie in a folder one can write to, but {out} does not")
    trainer = {Trained.SLADS: train_slads, Trained.SLADS_NET: train_slads_net}[agent]
    print_outcome(trainer(out, seed=seed), as_json)
