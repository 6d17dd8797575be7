"""IPython with a RunEngine, devices, catalog and live picture ready: `skysteer shell`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from .microscope import Session, open_session

if TYPE_CHECKING:
    from bluesky import RunEngine
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from ..storage import Store
    from ..views import LiveMap

PATIENCE = 10.0  # s that a run may take from its end into the catalog
EXAMPLE = (
    'RE(adaptive_scan([counter, ring], "slads", stage.y, 0, 30, 64, stage.x, 0, 30, 64,\n'
    "                 until=coverage(0.05)))"
)


def run_shell(
    prefix: str | None, out: Path, *, command: str | None = None, timeout: float = 10.0
) -> int:
    """Open IPython at a microscope; everything that was started ends with it.

    Parameters
    ----------
    prefix : str or None
        What the PVs' names begin with; None starts a simulated microscope, 31.75 um wide.
    out : Path
        Folder of the journal, the catalog and the live picture.
    command : str, optional
        Run this and leave; without it, and without a terminal, what comes on standard input.
    timeout : float
        Seconds to wait for the PVs.

    Returns
    -------
    int
        Exit status: 0, or 1 where the command raised.
    """
    with _microscope(prefix) as found, open_session(found, out, timeout=timeout) as session:
        from ..views import LiveMap

        with ExitStack() as stack:
            window = None if command is None and sys.stdin.isatty() else False
            live = stack.enter_context(closing(LiveMap(out / "live.png", window=window)))
            names = desk(session, out, live)
            stack.callback(names.clear)  # the catalog's server goes with its last client
            stack.callback(_end_paused, session.RE)
            return _interact(_interpreter(names), command, _banner(found, out, live))


@contextmanager
def _microscope(prefix: str | None) -> Iterator[str]:
    """The prefix of a microscope that runs."""
    if prefix is not None:
        yield prefix
        return
    from ..simulators import Ioc, IocOptions

    with Ioc(IocOptions(shape=(128, 128), pixel_size=0.25)) as ioc:
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        yield ioc.prefix


def desk(session: Session, out: Path, live: LiveMap) -> dict[str, Any]:
    """Put together what the user finds, by name; the RunEngine gets callbacks and a suspender.

    Parameters
    ----------
    session : Session
    out : Path
        The folder of the catalog.
    live : LiveMap
    """
    import bluesky.plan_stubs as bps
    import bluesky.plans as bp
    import numpy as np
    from bluesky.callbacks.best_effort import BestEffortCallback

    from .. import agent
    from ..devices import beam_suspender
    from ..plans import adaptive_scan
    from ..views import export_run, summarize, write_report

    bec = BestEffortCallback()
    bec.disable_plots()  # they need a window in this process, and `live` is the picture of a grid
    beam = beam_suspender(session.ring)
    session.RE.subscribe(_by_kind(bec))
    session.RE.subscribe(live)
    session.RE.install_suspender(beam)
    rules = ("coverage", "points", "time", "dose", "expected_error", "expected_rms")
    rules += ("no_improvement",)
    return {
        "RE": session.RE,
        "stage": session.stage,
        "counter": session.counter,
        "ring": session.ring,
        "catalog": DeskCatalog(session.store, out),
        "beam": beam,
        "bec": bec,
        "live": live,
        "adaptive_scan": adaptive_scan,
        "agent": "slads",  # so that a line can be said again with another one
        **{rule: getattr(agent, rule) for rule in rules},
        "summarize": summarize,
        "export_run": export_run,
        "write_report": write_report,
        "bp": bp,
        "bps": bps,
        "np": np,
    }


def _by_kind(bec: Any) -> Callable[[str, Any], object]:
    """Show a steered run's progress as a bar, and every other run as Best Effort does."""
    from event_model import RunRouter

    from ..views import progress_bar

    def choose(_: str, start: Any) -> tuple[list[Any], list[Any]]:
        steered = start.get("skysteer")
        return [progress_bar(steered["agent"]) if steered else bec], []

    return RunRouter([choose])


def _end_paused(RE: RunEngine) -> None:
    """End a run that somebody paused and left."""
    if RE.state == "paused":
        RE.abort("the shell was left")


def _banner(prefix: str, out: Path, live: LiveMap) -> str:
    picture = f"  live picture: {live.path}" if live.path else ""
    return (
        f"skysteer at {prefix}  (runs are kept in {out}){picture}\n"
        "  RE  stage.x stage.y (um)  counter (counts/s)  ring (mA)  catalog[-1]  live\n"
        "  adaptive_scan, bp.scan ...  agent  until= coverage points time dose expected_error\n"
        "  beam holds each scan while the ring is below 10 mA; RE.clear_suspenders() takes it off\n"
        f"Try, and see adaptive_scan? for more:\n{EXAMPLE}\n"
    )


def _interpreter(names: dict[str, Any]) -> TerminalInteractiveShell:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.ipapp import load_default_config

    # the user's settings, but no start-up files: those of a beamline make a RunEngine of their own
    return TerminalInteractiveShell.instance(config=load_default_config(), user_ns=names)


def _interact(shell: TerminalInteractiveShell, command: str | None, banner: str) -> int:
    """Run a command, or standard input, or else ask the user."""
    if command is None and sys.stdin.isatty():
        shell.show_banner(banner)
        shell.mainloop()
        return 0
    shell.ast_node_interactivity = "all"
    if not sys.stdout.isatty():
        shell.colors = "nocolor"
    code = sys.stdin.read() if command is None else command
    return 0 if shell.run_cell(code).success else 1


class DeskCatalog:
    """The folder's catalog: opened in the background; each use waits for the runs so far.

    ``catalog[-1]`` is the latest run, ``catalog[-1]["primary"].read()`` what it measured.

    Parameters
    ----------
    store : Store
        Whose runs it waits for, a few seconds at most.
    out : Path
        The folder.
    """

    def __init__(self, store: Store, out: Path) -> None:
        self._store = store
        self._opened: Future[Any] = Future()
        Thread(target=_open, args=(self._opened, out), daemon=True).start()

    def _fresh(self) -> Any:
        client = self._opened.result()
        self._store.wait(PATIENCE)
        return client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fresh(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._fresh()[key]

    def __len__(self) -> int:
        return len(self._fresh())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fresh())

    def __repr__(self) -> str:
        return repr(self._fresh())

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._opened.result()) if not name.startswith("_")]


def _open(opened: Future[Any], out: Path) -> None:
    from ..storage import open_catalog

    try:
        opened.set_result(open_catalog(out))
    except Exception as error:
        opened.set_exception(error)
