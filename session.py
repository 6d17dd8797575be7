"""RunEngine, devices and storage, put together for IPython and for the commands."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bluesky import RunEngine

    from .agent import History
    from .devices import Counter, RingCurrent, ScanStage
    from .plans import Inbox
    from .simulators import IocOptions, Specimen
    from .storage import JournalEntry, RecordedRun, Store
    from .views import RunSummary

INTERVENTIONS = "interventions"
LOOK = 0.1  # s between two looks at the inbox of a paused scan

AxisRange = tuple[float, float, int]


class ScanInterruptedError(RuntimeError):
    """Somebody pressed Ctrl-C; what was measured is kept."""


@dataclass(frozen=True, eq=False)
class Session:
    """What a scan needs at a beamline.

    Attributes
    ----------
    RE : RunEngine
        Writes every document to the journal in ``out``.
    stage : ScanStage
        With axes ``x`` and ``y``.
    counter : Counter
    ring : RingCurrent
    store : Store
        Feeds the catalog from the journal, in the background.
    """

    RE: RunEngine
    stage: ScanStage
    counter: Counter
    ring: RingCurrent
    store: Store


@dataclass(frozen=True)
class Scan:
    """An adaptive scan with PVs that already run.

    Attributes
    ----------
    prefix : str
        What the PVs' names begin with.
    slow, fast : (start, stop, num)
        The stage's y and x, in the motors' units.
    agent, options, until, batch, seed
        As in ``adaptive_scan``.
    dwell : float
        Seconds.
    timeout : float
        Seconds to wait for the PVs.
    patience : float
        Seconds to wait in mid-scan for PVs that are lost to come back, before the scan ends.
    out : Path
        Folder for the journal, the catalog and the pictures.
    tiled : str, optional
        A Tiled server to write to in place of the folder's own catalog.
    approval : bool
        Whether each batch waits until ``skysteer tell approve`` lets it be measured.
    then : "best" or (row, column), optional
        Where the stage goes at the end.
    """

    prefix: str = "SIM:"
    slow: AxisRange = (0.0, 1.0, 2)
    fast: AxisRange = (0.0, 1.0, 2)
    agent: str = "slads"
    options: Mapping[str, Any] = field(default_factory=dict)
    until: str = "coverage(0.15)"
    batch: int | None = None
    seed: int = 1
    dwell: float = 0.01
    timeout: float = 10.0
    patience: float = 300.0
    out: Path = Path("runs")
    tiled: str | None = None
    approval: bool = False
    then: str | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _require(0 < self.dwell < np.inf, f"the dwell must be a time above 0 s, not {self.dwell}")
        _require(
            self.patience >= 0, f"the patience must be seconds, 0 or more, not {self.patience}"
        )
        _require(self.seed >= 0, f"the seed must be a whole number, 0 or more, not {self.seed}")
        _require(
            self.batch is None or self.batch >= 1,
            f"a batch must have 1 point or more, but {self.batch} came",
        )
        _require(
            self.tiled is None or self.tiled.startswith(("http://", "https://")),
            f"--tiled takes the URL of a server, http://..., but {self.tiled!r} came",
        )


@dataclass(frozen=True)
class Demo:
    """An adaptive scan of a simulated microscope.

    Attributes
    ----------
    scan : Scan
        How it is scanned; prefix and axes are those of the microscope.
    image : str, optional
        What lies under the beam; generated flakes without it.
    region : str
        ``ROWSxCOLUMNS`` from the middle of the image (as much as it has), or ``all``.
    noise : str
        ``poisson`` or ``none``.
    peak_rate : float
        Counts/s of the brightest pixel.
    sha256 : str, optional
        Of the image's file: another one is refused.
    """

    scan: Scan
    image: str | None = None
    region: str = "128x128"
    noise: Literal["poisson", "none"] = "poisson"
    peak_rate: float = 1e6
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Past:
    """What a scan goes on with.

    Attributes
    ----------
    history : History
        What its runs say.
    runs : list of RecordedRun
        Oldest first.
    """

    history: History
    runs: list[RecordedRun]


@contextmanager
def open_devices(prefix: str, timeout: float) -> Iterator[tuple[ScanStage, Counter, RingCurrent]]:
    """Connect to a microscope, and let it go on leaving.

    Raises
    ------
    TimeoutError
        Names the PVs that do not answer.
    """
    from .devices import Counter, RingCurrent, ScanStage, connect

    stage = ScanStage(prefix, name="stage")
    counter = Counter(f"{prefix}counter:", name="counter")
    ring = RingCurrent(f"{prefix}ring:", name="ring")
    try:
        connect([stage, counter, ring], timeout)
        yield stage, counter, ring
    finally:
        for device in (stage, counter, ring):
            device.destroy()  # else libca complains of an IOC that ends before its clients


@contextmanager
def open_session(
    prefix: str, out: Path, *, tiled: str | None = None, timeout: float = 10.0
) -> Iterator[Session]:
    """Connect to a microscope and get ready to record; on leaving, what is left is stored.

    Parameters
    ----------
    prefix : str
        What the PVs' names begin with.
    out : Path
        Folder of the journal and the catalog.
    tiled : str, optional
        A Tiled server to write to in place of the folder's own catalog.
    timeout : float
        Seconds to wait for the PVs, all together.

    Raises
    ------
    TimeoutError
        Names the PVs that do not answer.
    """
    from bluesky import RunEngine

    from .storage import Store

    with open_devices(prefix, timeout) as (stage, counter, ring):
        store = Store(out, tiled)
        try:
            RE = RunEngine({"scan_id": _last_scan_id(out)}, call_returns_result=True)
            RE.subscribe(store)  # first of all: what it has been told is on disk
            yield Session(RE, stage, counter, ring, store)
        finally:
            delivery = store.close()
            if not delivery.complete:
                _say(str(delivery))


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
    truth : (M, N) ndarray of float64, optional
        The noiseless rates on the grid, where they are known.
    past : Past, optional
        What to go on with.
    md : mapping, optional
        Added to the start document.
    """
    from bluesky import RunEngineInterrupted
    from tqdm.contrib.logging import logging_redirect_tqdm

    from .plans import Inbox, adaptive_scan, resume_scan
    from .storage import Mailbox
    from .views import progress_bar

    _check(scan)
    began = time.monotonic()
    with (
        contextlib.closing(Mailbox(scan.out)) as mailbox,
        open_session(scan.prefix, scan.out, tiled=scan.tiled, timeout=scan.timeout) as session,
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
                {"agent": scan.agent, "options": dict(scan.options)},
                stage.y,
                *scan.slow,
                stage.x,
                *scan.fast,
                until=scan.until,
                batch=scan.batch,
                dwell=scan.dwell,
                seed=scan.seed,
                inbox=inbox,
                approval=scan.approval,
                then=scan.then,
                md={"session": {"prefix": scan.prefix, "timeout": scan.timeout}, **(md or {})},
                on_bad_point={"patience": scan.patience},
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
        runs = _with_last(past, scan.out, uids[-1])
        outcome = _finish(scan, runs, stop_reason, truth, began)
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
        _say("paused: `skysteer tell resume` goes on, `skysteer tell stop` or Ctrl-C ends it")
        while not inbox.wakes():
            time.sleep(LOOK)
        go_on = RE.resume


def _end_in_order(RE: RunEngine) -> None:
    """Abort a paused run; from here on nobody can interrupt the keeping of what was measured."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _say("interrupted: ending the run and keeping what was measured")
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


def _with_last(past: Past | None, out: Path, uid: str) -> list[RecordedRun]:
    from .storage import read_run

    return [*(past.runs if past else ()), read_run(out, uid)]


def run_resume(out: Path, uid: str | None = None, *, tiled: str | None = None) -> dict[str, Any]:
    """Go on with what a demo or a scan left in a folder; returns what the command prints.

    Parameters
    ----------
    out : Path
        The folder.
    uid : str, optional
        The run's uid or its beginning; the latest run without it.
    tiled : str, optional
        A Tiled server that has the run, and that goes on being written to.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no adaptive scan, or not with these devices.
    LiveRunError
        If it is still being measured.
    """
    began = time.monotonic()
    past = _past(out, uid, tiled)
    history = past.history
    session = history.starts[0].get("session")
    if session is None:
        raise ValueError(
            f"run {history.uid} was not made by `skysteer demo` or `skysteer scan`: go on with it "
            "where its devices are, with RE(resume_scan(...))"
        )
    record = history.record
    slow, fast = ((a["start"], a["stop"], a["num"]) for a in record["grid"]["axes"])
    scan = Scan(
        prefix=session["prefix"],
        slow=slow,
        fast=fast,
        **{name: record[name] for name in ("agent", "options", "until", "batch", "seed", "dwell")},
        timeout=session["timeout"],
        out=out,
        tiled=tiled,
    )
    demo = history.starts[0].get("demo")
    settings = None if demo is None else Demo(scan, **demo)
    before = history.starts[-1].get("resumed_from") if history.finished else history.uid
    if history.finished:
        _say(f"run {history.uid} in {out} is finished ({history.finished})")
        options = None if settings is None else _microscope(settings)
        truth = None if options is None else _truth(options, options.specimen())
        return {**_finish(scan, past.runs, history.finished, truth, began), "resumed_from": before}
    _say(f"going on with run {history.uid} after {history.events} points")
    outcome = run_scan(scan, past=past) if settings is None else run_demo(settings, past)
    return {**outcome, "resumed_from": before}


def run_replay(
    out: Path,
    uid: str | None,
    agents: Sequence[str],
    coverages: Sequence[float] = (),
    *,
    tiled: str | None = None,
    key: str | None = None,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """Let agents scan what a past run has measured; without any, check its decisions.

    Parameters
    ----------
    out, uid, tiled
        As in ``run_resume``.
    agents, coverages, key, **settings
        As in ``rehearsal.replay`` and ``rehearsal.read_past_scan``.

    Yields
    ------
    dict
        As ``rehearsal.replay`` or ``rehearsal.check_decisions``.
    """
    from .agent import check_agent
    from .rehearsal import check_decisions, read_past_scan, replay
    from .storage import as_one_run

    for agent in agents:
        check_agent(agent)
    chain = _chain(out, uid, tiled)
    if not agents and not coverages and chain[0].start.get("skysteer"):
        yield check_decisions(d for run in chain for d in run.documents(doubles=True))
        return
    past = read_past_scan(list(as_one_run(chain)), key)
    yield from replay(past, agents or ("slads",), coverages, **settings)


def _chain(out: Path, uid: str | None, tiled: str | None) -> list[RecordedRun]:
    """A run and those that it goes on with, from the folder's journal, or from a catalog."""
    from .storage import open_catalog, read_chain

    journal = tiled is None and any((out / "journal").glob("*.jsonl"))
    if not (journal or tiled or (out / "catalog").is_dir()):
        raise FileNotFoundError(f"expected a folder of runs, but {out} has none: name one by --out")
    try:
        source = out if journal else open_catalog(tiled or out)
        return read_chain(source, uid or -1, lambda: open_catalog(out))
    except KeyError as error:
        raise ValueError(f"{error.args[0]}; `skysteer runs --out {out}` lists them") from error


def _past(out: Path, uid: str | None, tiled: str | None) -> Past:
    """What a folder or a catalog holds of a scan; a run whose process has died is closed."""
    from .agent import History
    from .storage import check_abandoned, close_run

    runs = _chain(out, uid, tiled)
    last = runs[-1].start["uid"]
    if close_run(out, last):
        runs = [*runs[:-1], *_with_last(None, out, last)]
    elif runs[-1].stop is None:
        check_abandoned(runs[-1])
    return Past(History.of(d for run in runs for d in run.documents(doubles=True)), runs)


def run_demo(demo: Demo, past: Past | None = None) -> dict[str, Any]:
    """Start a simulated microscope, scan it, compare with the truth.

    Parameters
    ----------
    demo : Demo
    past : Past, optional
        What to go on with.

    Raises
    ------
    FileNotFoundError, ValueError
        If the image, the region or a setting makes no sense: before anything is started.
    """
    from .simulators import Ioc

    _check(demo.scan)
    digest = _checked_digest(demo)
    options = _microscope(demo)
    specimen = options.specimen()
    scan = _over(demo.scan, options, specimen)
    truth = _truth(options, specimen)
    rows, columns = specimen.shape
    _say(f"starting the microscope: {specimen.name}, {rows} x {columns} pixels")
    with Ioc(options) as ioc:
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        about = {"demo": _settings(demo, digest)}
        # a microscope of our own that is gone does not come back: `skysteer resume` starts another
        return run_scan(replace(scan, patience=0.0), truth, past=past, md=about)


def _over(scan: Scan, options: IocOptions, specimen: Specimen) -> Scan:
    """The scan of all of a simulated specimen."""
    rows, columns = specimen.shape
    pitch = specimen.pixel_size
    slow, fast = (0.0, (rows - 1) * pitch, rows), (0.0, (columns - 1) * pitch, columns)
    return replace(scan, prefix=options.prefix, slow=slow, fast=fast)


def _truth(options: IocOptions, specimen: Specimen) -> NDArray[np.float64]:
    """The noiseless rates on the demo's grid."""
    rows, columns = specimen.shape
    pitch = specimen.pixel_size
    beam = options.counting(specimen).beam
    return beam.truth(np.arange(columns) * pitch, np.arange(rows) * pitch)[0]


def _settings(demo: Demo, digest: str | None) -> dict[str, Any]:
    """What the start document says of the simulated microscope, to start it again."""
    settings = {name: getattr(demo, name) for name in ("region", "noise", "peak_rate")}
    image = None if demo.image is None else str(Path(demo.image).resolve())
    return {"image": image, **settings, "sha256": digest}


def _checked_digest(demo: Demo) -> str | None:
    """SHA-256 of the image's file; refuses another image than that of the scan gone on with."""
    if demo.image is None:
        return None
    from .simulators import image_file

    digest = hashlib.sha256(image_file(demo.image).read_bytes()).hexdigest()
    _require(
        demo.sha256 in (None, digest),
        f"the image {demo.image} has changed since the scan began (SHA-256 {digest[:12]}, not "
        f"{str(demo.sha256)[:12]}): put the old one back to go on",
    )
    return digest


def _check_agent(scan: Scan) -> None:
    from .agent import check_agent, make_sampler, parse

    parse(scan.until)
    check_agent(scan.agent)
    if scan.options:
        make_sampler(scan.agent, scan.options)


def _check(scan: Scan) -> None:
    """Refuse what makes no sense before anything is started."""
    _check_agent(scan)
    try:
        scan.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=scan.out):
            pass
    except OSError as error:
        raise ValueError(
            f"--out must be a folder one can write to, but {scan.out} is not: {error.strerror}"
        ) from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _last_scan_id(out: Path) -> int:
    from .storage import list_runs

    return max((run.start.get("scan_id", 0) for run in list_runs(out)), default=0)


def _microscope(demo: Demo) -> IocOptions:
    """What the demo simulates: no time for moves, a constant current, the image's middle."""
    from .simulators import IocOptions

    whole = IocOptions(
        image=demo.image,
        noise=demo.noise,
        peak_rate=demo.peak_rate,
        seed=demo.scan.seed,
        dwell=demo.scan.dwell,
    )
    if demo.region == "all":
        return whole
    asked = demo.region.lower().split("x")
    if len(asked) != 2 or not all(part.isdecimal() and int(part) for part in asked):
        raise ValueError(
            f"--region takes ROWSxCOLUMNS such as 128x128, or all, but {demo.region!r} came"
        )
    rows, columns = map(int, asked)
    if demo.image is None:
        return replace(whole, shape=(rows, columns))
    size = whole.specimen().shape
    return replace(whole, crop=(min(rows, size[0]), min(columns, size[1])))


def _finish(
    scan: Scan,
    runs: list[RecordedRun],
    stop_reason: str,
    truth: NDArray[np.float64] | None,
    began: float,
) -> dict[str, Any]:
    """Draw what the runs of a scan hold, and compare."""
    from .models import inverse_distance, nrmse, ssim
    from .storage import as_one_run
    from .views import save_map, summarize, write_points, write_report

    summary = summarize(as_one_run(runs))
    if not len(summary.scan.values):
        raise RuntimeError(f"nothing usable was measured: {stop_reason}")
    reconstruction = inverse_distance(summary.scan)
    write_points(scan.out / "points.csv", summary)
    save_map(scan.out / "map.png", summary, truth=truth)
    write_report(scan.out / "report.html", summary, truth=truth)
    decided = [d.ms for d in summary.decisions if d.count]
    timed = [run.events()["time"] for run in runs if "primary" in run.streams]
    spacing = np.concatenate([np.diff(times) for times in timed])
    return {
        "uid": runs[-1].start["uid"],
        "agent": scan.agent,
        "points": len(summary.scan.values),
        "coverage": summary.scan.coverage,
        "nrmse": None if truth is None else nrmse(truth, reconstruction),
        "ssim": None if truth is None else ssim(truth, reconstruction),
        "decision_ms_p50": float(np.median(decided)),
        "decision_ms_p95": float(np.percentile(decided, 95)),
        "overhead_ms_per_point": 1e3 * (float(np.mean(spacing)) - scan.dwell)
        if len(spacing)
        else None,
        "seconds": time.monotonic() - began,
        "stop_reason": stop_reason,
        "catalog": scan.tiled.partition("?")[0] if scan.tiled else str(scan.out / "catalog"),
        "notes": [*dict.fromkeys(d.note for d in summary.decisions if d.note), *_remarks(runs)],
        "picture": str(scan.out / "map.png"),
        "report": str(scan.out / "report.html"),
    }


def _remarks(runs: list[RecordedRun]) -> list[str]:
    """Where a run that went on with another decided otherwise."""
    from .agent import History

    if len(runs) < 2:
        return []
    said = History.of(d for run in runs for d in run.documents(doubles=True)).interventions
    differing = [each.detail for each in said if each.detail.get("differs", -1) >= 0]
    return [
        f"decision {each['differs']} came out with other {each['what']} when run "
        f"{each['resumed_from']} was gone on with"
        for each in differing
    ]


def _say(message: str) -> None:
    print(f"skysteer: {message}", file=sys.stderr, flush=True)


def summary_of(out: Path, uid: str | None = None) -> RunSummary:
    """Read a run of a folder's journal back.

    Parameters
    ----------
    out : Path
        Folder of the journal.
    uid : str, optional
        The run's uid or its beginning; the latest run without it.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    ValueError
        If no run or several answer to the uid, or the run is no map.
    """
    from .storage import read_run
    from .views import summarize

    try:
        return summarize(read_run(out, uid or -1).documents())
    except KeyError as error:
        raise ValueError(f"{error.args[0]}; `skysteer runs --out {out}` lists them") from error


def plan_scan(scan: Scan) -> dict[str, Any]:
    """Tell what a scan would take; checks limits, PVs and disk, and moves nothing.

    Raises
    ------
    TimeoutError, ValueError
        If a check fails.
    """
    _check_agent(scan)
    with open_devices(scan.prefix, scan.timeout) as (stage, counter, ring):
        return _planned(scan, [counter, ring], stage.y, stage.x)


def plan_demo(demo: Demo) -> dict[str, Any]:
    """Tell what a scan of the simulated microscope would take; starts nothing.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``run_demo``.
    """
    from .simulators import SoftMicroscope

    _check_agent(demo.scan)
    options = _microscope(demo)
    soft = SoftMicroscope(options=options)
    scan = _over(demo.scan, options, soft.chain.beam.specimen)
    speed = {"speed": options.velocity, "acceleration": options.ramp}
    return _planned(scan, [soft.counter, soft.ring], soft.y, soft.x, stage=speed)


def _planned(
    scan: Scan, detectors: list[Any], slow: Any, fast: Any, **known: Any
) -> dict[str, Any]:
    from .plans import dry_run

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
    }


def tell_scan(
    out: Path, kind: str, words: Sequence[str], *, by: str | None = None, timeout: float = 30.0
) -> dict[str, Any]:
    """Send a message to the scan that runs in a folder; what it was, once the scan has taken it.

    Raises
    ------
    FileNotFoundError
        If no scan runs there.
    ValueError
        If the message makes no sense, or the scan refuses it.
    TimeoutError
        If the scan has not taken it in time.
    """
    from .agent import Message, detail_of
    from .plans import me
    from .storage import post

    said = {"kind": kind, "by": by or me(), "detail": detail_of(kind, words)}
    message = Message.from_json(said).to_json()
    answer = post(out, message, timeout)
    if not answer.taken:
        raise ValueError(f"the scan in {out} refuses: {answer.why}")
    return {"taken": kind, "by": message["by"], **message["detail"]}


def list_folder(out: Path) -> list[dict[str, Any]]:
    """Tell what runs a folder's journal holds, oldest first.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    """
    from .storage import list_runs

    if not (out / "journal").is_dir():
        raise FileNotFoundError(
            f"expected a folder of runs, but {out} holds no journal: name one with --out"
        )
    return [
        {
            "scan_id": run.start.get("scan_id"),
            "uid": run.uid,
            "when": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.start["time"])),
            "plan": run.start.get("plan_name"),
            "agent": run.start.get("skysteer", {}).get("agent", ""),
            "points": _points(out, run),
            "status": run.status,
        }
        for run in list_runs(out)
    ]


def _points(out: Path, run: JournalEntry) -> int:
    """Number of a run's points; without a stop document they are counted."""
    from .storage import read_run

    if run.stop is not None:
        return run.stop.get("num_events", {}).get("primary", 0)
    recorded = read_run(out, run.uid)
    return len(recorded.events()["seq_num"]) if "primary" in recorded.streams else 0
