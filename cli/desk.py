"""Commands that open a microscope: IPython at one, and the simulated one for any client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Out, Timeout


def shell(
    prefix: Annotated[str | None, typer.Option(help="What the PVs' names begin with.")] = None,
    sim: Annotated[bool, typer.Option("--sim", help="Start a simulated microscope.")] = False,
    out: Out = Path("runs"),
    command: Annotated[
        str | None,
        typer.Option("--command", "-c", help="Run this Python and leave."),
    ] = None,
    timeout: Timeout = 10.0,
) -> None:
    """Open IPython with RunEngine, devices, catalog and live picture ready."""
    if sim == (prefix is not None):
        raise ValueError("give --sim for a simulated microscope, or --prefix BL: for one that runs")
    from ..session import run_shell

    raise typer.Exit(run_shell(prefix, out, command=command, timeout=timeout))


def ioc(context: typer.Context) -> None:
    """Serve a simulated X-ray microscope on Channel Access; see `skysteer ioc --help`."""
    from ..simulators import IocOptions, serve

    serve(IocOptions.parse(context.args))
