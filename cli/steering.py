"""Commands for a scan that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Out
from .printing import print_outcome


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
    from ..session import tell_scan

    print_outcome(tell_scan(out, kind, words or (), by=by, timeout=timeout), as_json)


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
    from ..workers import ONE_THREAD

    os.environ.update(ONE_THREAD)  # before numpy: the scan goes before
    from ..views import watch_folder

    if not out.is_dir():
        raise ValueError(f"expected a folder of runs, but {out} is none: name one with --out")
    watch_folder(out, port=port, browser=not no_browser)
