"""The command line, put together of its commands: `skysteer --help`."""

from __future__ import annotations

import inspect
import logging
import os
import sys

import typer

from .desk import ioc, shell
from .past_runs import export, report, runs
from .rehearsing import replay, simulate, train, tune
from .scanning import demo, plan, resume, scan
from .steering import monitor, tell

INTERRUPTED = 130  # the exit code of what Ctrl-C ended
EXAMPLES = {
    demo: "skysteer demo --image map.tif --coverage 0.15 --out demo-run",
    scan: "skysteer scan --prefix BL:SIM: --y 0,30,256 --x 0,30,256 "
    "--until 'coverage(0.15) | time(3600)'",
    plan: "skysteer plan --prefix BL:SIM: --y 0,30,256 --x 0,30,256 "
    "--until 'coverage(0.15) | time(3600)'",
    resume: "skysteer resume --out demo-run",
    tell: "skysteer tell --out demo-run stop enough",
    monitor: "skysteer monitor --out runs",
    shell: "skysteer shell --sim, or skysteer shell --prefix BL: --out runs",
    report: "skysteer report 3c93f54e --out demo-run",
    export: "skysteer export 3c93f54e --out demo-run --to run.nxs",
    simulate: "skysteer simulate --image map.tif --agent slads-net --agent raster "
    "--coverage 0.05 --coverage 0.1 --json",
    tune: "skysteer tune --agent slads --vary flatness=0,0.1,0.25 --image a.tif --image b.tif "
    "--seeds 3 --plot tune.png; on past runs: skysteer tune --agent gp --vary power=0,0.5,1 "
    "--out runs --run 3c93f54e --run 8d1c0a2b",
    replay: "skysteer replay 3c93f54e --out runs --agent slads --agent raster",
    train: "skysteer train --agent slads --out my_net.safetensors --seed 3",
}

app = typer.Typer(
    name="skysteer",
    help="Steer a Bluesky scan by what it has already seen.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def about(context: typer.Context) -> None:
    """Steer a Bluesky scan by what it has already seen."""
    if context.invoked_subcommand is None:
        print(context.get_help())


for command, example in EXAMPLES.items():
    settings = {"ignore_unknown_options": command is tell}  # -1,2 is a position there
    whole = inspect.getdoc(command)  # else the list of commands cuts it
    epilog = f"Example: {example}"
    app.command(short_help=whole, epilog=epilog, context_settings=settings)(command)
app.command(
    short_help=inspect.getdoc(ioc),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)(ioc)
app.add_typer(runs, name="runs")


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
