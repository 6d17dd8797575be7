"""A scan, run to its end through pauses and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_scan, say
from .microscope import open_session
from .outcome import finish
from .past import Past, with_last
from .settings import Scan, ScanInterruptedError

if TYPE_CHECKING:
    from bluesky import RunEngine

    from ..plans import Inbox
    from ..storage import RecordedRun


INTERVENTIONS = "interventions"
LOOK = 0.1  # s between two looks at the inbox of a paused scan


def run_scan(
    scan: Scan,
    truth: NDArray[np.float64] | None = None,
    *,
    past: Past | None = None,
    md: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Scan, store, draw; returns what the command prints.

    Parameters
    ----------
    scan : Scan
    truth : (C, M, N) ndarray of float64, optional
        The noiseless rates on the grid, where they are known.
    past : Past, optional
        What to go on with.
    md : mapping, optional
        Added to the start document.
    """
    from bluesky import RunEngineInterrupted
    from tqdm.contrib.logging import logging_redirect_tqdm

    from ..plans import Inbox, RingCheck, adaptive_scan, resume_scan
    from ..storage import Mailbox
    from ..views import progress_bar

    check_scan(scan)
    began = time.monotonic()
    with (
        contextlib.closing(Mailbox(scan.out)) as mailbox,
        open_session(
            scan.prefix,
            scan.out,
            tiled=scan.tiled,
            timeout=scan.timeout,
            fly=scan.fly,
            channels=scan.channels,
        ) as session,
    ):
        RE, stage, inbox = session.RE, session.stage, Inbox(mailbox)
        interrupted = threading.Event()
        RE.context_managers = [partial(_PauseOnInterrupt, interrupted)]
        uids: list[str] = []
        RE.subscribe(lambda _, start: uids.append(start["uid"]), "start")
        RE.subscribe(progress_bar(scan.agent))
        detectors = [session.counter, session.ring]
        if past is None:
            plan = adaptive_scan(
                detectors,
                {"agent": scan.agent, "options": scan.all_options},
                stage.y,
                *scan.slow,
                stage.x,
                *scan.fast,
                until=scan.until,
                batch=scan.batch,
                dwell=scan.dwell,
                key=scan.keys if scan.channels > 1 else None,
                longest_dwell=scan.longest_dwell,
                fly=scan.fly,
                seed=scan.seed,
                inbox=inbox,
                approval=scan.approval,
                then=scan.then,
                md={"session": {"prefix": scan.prefix, "timeout": scan.timeout}, **(md or {})},
                on_bad_point={"patience": scan.patience},
                beam=RingCheck(),
            )
        else:
            plan = resume_scan(past.history, detectors, [stage.x, stage.y], inbox=inbox)
        with logging_redirect_tqdm():
            try:
                stop_reason = _run(RE, plan, inbox, interrupted).plan_result.stop_reason
            except (RunEngineInterrupted, KeyboardInterrupt):
                _end_in_order(RE)
                stop_reason = "interrupted"
        if not uids:
            raise ScanInterruptedError("interrupted before the first point")
        runs = with_last(past, scan.out, uids[-1])
        outcome = finish(scan, runs, stop_reason, truth, began)
    if stop_reason == "interrupted":
        raise ScanInterruptedError(f"interrupted; {outcome['points']} points are in {scan.out}")
    if _broken_off(runs[-1]):
        raise RuntimeError(
            f"{stop_reason}; {outcome['points']} points are in {scan.out}: when that is mended, "
            f"`skysteer resume --out {scan.out}` goes on"
        )
    return outcome


def _broken_off(run: RecordedRun) -> bool:
    """Whether a rule ended the run, for what went wrong with its points."""
    if INTERVENTIONS not in run.streams:
        return False
    said = run.events(INTERVENTIONS)
    last = (str(said["intervention_kind"][-1]), str(said["intervention_by"][-1]))
    return last == ("stop", "policy")


def _run(RE: RunEngine, plan: Any, inbox: Inbox, interrupted: threading.Event) -> Any:
    """Run a plan to its end, through the pauses that people ask for by the inbox."""
    from bluesky import RunEngineInterrupted

    go_on = partial(RE, plan)
    while True:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # the RunEngine says that it pauses
                return go_on()
        except RunEngineInterrupted:
            if interrupted.is_set() or not inbox.paused:
                raise
        say("paused: `skysteer tell resume` goes on, `skysteer tell stop` or Ctrl-C ends it")
        while not inbox.wakes():
            time.sleep(LOOK)
        go_on = RE.resume


def _end_in_order(RE: RunEngine) -> None:
    """Abort a paused run; from here on nobody can interrupt the keeping of what was measured."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say("interrupted: ending the run and keeping what was measured")
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(RuntimeError):
        RE.abort("interrupted")


class _PauseOnInterrupt:
    """While a plan runs, the first Ctrl-C pauses it at once, and further ones change nothing."""

    def __init__(self, pressed: threading.Event, RE: RunEngine) -> None:
        self._RE = RE
        self._pressed = pressed

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._pause)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _pause(self, *_: object) -> None:
        if not self._pressed.is_set():
            self._pressed.set()
            # from a thread: a signal handler must not wait for the RunEngine
            threading.Thread(target=self._request, daemon=True).start()

    def _request(self) -> None:
        with contextlib.suppress(RuntimeError):  # a TransitionError: it has ended meanwhile
            self._RE.request_pause(defer=False)
