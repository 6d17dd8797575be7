"""The devices, the RunEngine and the store, opened and closed in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import say

if TYPE_CHECKING:
    from bluesky import RunEngine

    from ..devices import Counter, RingCurrent, ScanStage
    from ..storage import Store


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


@contextmanager
def open_devices(
    prefix: str, timeout: float, fly: bool = False, channels: int = 1
) -> Iterator[tuple[ScanStage, Counter, RingCurrent]]:
    """Connect to a microscope, and let it go on leaving.

    Parameters
    ----------
    prefix, timeout
        As in ``open_session``.
    fly : bool
        Whether the counter needs its multichannel mode, which not every one has.
    channels : int
        How many of the counter's channels are read.

    Raises
    ------
    TimeoutError
        Names the PVs that do not answer.
    """
    from ..devices import Counter, MultichannelCounter, RingCurrent, ScanStage, connect

    stage = ScanStage(prefix, name="stage")
    encoders = {"stage_x": "X", "stage_y": "Y"}
    known: dict[str, Any] = {"encoders": encoders} if fly else {}
    kind = (MultichannelCounter if fly else Counter).with_channels(channels)
    counter = kind(f"{prefix}counter:", name="counter", **known)
    ring = RingCurrent(f"{prefix}ring:", name="ring")
    try:
        connect([stage, counter, ring], timeout)
        yield stage, counter, ring
    finally:
        for device in (stage, counter, ring):
            device.destroy()  # else libca complains of an IOC that ends before its clients


@contextmanager
def open_session(
    prefix: str,
    out: Path,
    *,
    tiled: str | None = None,
    timeout: float = 10.0,
    fly: bool = False,
    channels: int = 1,
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
    fly, channels
        As in ``open_devices``.

    Raises
    ------
    TimeoutError
        Names the PVs that do not answer.
    """
    from bluesky import RunEngine

    from ..storage import Store

    with open_devices(prefix, timeout, fly, channels) as (stage, counter, ring):
        store = Store(out, tiled)
        try:
            RE = RunEngine({"scan_id": _last_scan_id(out)}, call_returns_result=True)
            RE.subscribe(store)  # first of all: what it has been told is on disk
            yield Session(RE, stage, counter, ring, store)
        finally:
            delivery = store.close()
            if not delivery.complete:
                say(str(delivery))


def _last_scan_id(out: Path) -> int:
    from ..storage import list_runs

    return max((run.start.get("scan_id", 0) for run in list_runs(out)), default=0)
