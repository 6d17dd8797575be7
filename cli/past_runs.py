"""Commands for the runs of a folder: what is there, as files, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Out, Tiled, Uid
from .printing import json_line, print_table

runs = typer.Typer(
    help="List the runs of a folder, and bring them into its catalog.", invoke_without_command=True
)


@runs.callback(epilog="Example: skysteer runs --out demo-run")
def runs_list(context: typer.Context, out: Out = Path("runs"), as_json: Json = False) -> None:
    """List the runs of a folder."""
    context.obj = out
    if context.invoked_subcommand is None:
        from ..session import list_folder

        rows = list_folder(out)
        if as_json:
            for row in rows:
                print(json_line(row))
        else:
            print_table(rows, ("scan_id", "uid", "when", "plan", "agent", "points", "status"))


@runs.command("sync", epilog="Example: skysteer runs --out demo-run sync")
def runs_sync(context: typer.Context, tiled: Tiled = None) -> None:
    """Bring every run of the journal into the catalog."""
    from tqdm import tqdm

    from ..storage import sync

    with tqdm(unit="run", delay=2.0, leave=False, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        delivery = sync(context.obj, tiled, progress=show)
    if not delivery.complete:
        raise RuntimeError(str(delivery))
    print(delivery)


def export(
    to: Annotated[Path, typer.Option(help="run.nxs (NeXus), map.tif (TIFF) or points.csv.")],
    uid: Uid = None,
    out: Out = Path("runs"),
) -> None:
    """Write a run to a file for other programs: NeXus, TIFF or CSV, as the suffix says."""
    from ..session import summary_of
    from ..views import export_run

    export_run(to, summary_of(out, uid))
    print(to)


def report(
    uid: Uid = None,
    out: Out = Path("runs"),
    to: Annotated[
        Path | None, typer.Option(help="The file; report-UID.html in the folder without it.")
    ] = None,
) -> None:
    """Write a run's report, one HTML file that needs no other."""
    from ..session import summary_of, truth_of
    from ..views import write_report

    summary = summary_of(out, uid)
    page = to or out / f"report-{summary.start['uid'][:8]}.html"
    write_report(page, summary, truth_of(summary))
    print(page)
