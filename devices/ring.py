"""The storage ring's current, and a suspender that waits for beam."""

import math
import time
from typing import Any

from bluesky.suspenders import SuspendFloor
from ophyd import Component as Cpt
from ophyd import Device

from .signals import FloatSignalRO


class RingCurrent(Device):
    """The storage ring's current in mA, read as ``<name>_current``.

    Parameters
    ----------
    prefix
        What the PV's name begins with, for example ``"SIM:ring:"``.
    name
        Name of the device.

    Attributes
    ----------
    suspenders : list of BeamSuspender
        Those that watch it.

    Examples
    --------
    ``ring = RingCurrent("SIM:ring:"); RE.install_suspender(beam_suspender(ring))``
    """

    # Monitored: no trigger precedes it, and the suspender hears of a change at once.
    current = Cpt(FloatSignalRO, "Current", kind="normal", auto_monitor=True)

    def __init__(self, prefix: str = "", *, name: str = "ring", **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.suspenders: list[BeamSuspender] = []


class BeamSuspender(SuspendFloor):
    """`bluesky.suspenders.SuspendFloor` for which a current that is not a number is no beam.

    While it holds a scan no plan runs, which could see that its time is up: so it can be told to
    hold it no longer than that.

    Examples
    --------
    ``beam.tripped`` tells whether it holds the scan; ``RE.remove_suspender(beam)`` takes it off.
    """

    _until = math.inf
    _low = False

    def hold_until(self, moment: float) -> None:
        """Let a scan go at a moment of ``time.monotonic()``, beam or none; inf for never."""
        with self._lock:
            self._until = moment
            self._tripped = self._tripped or (self._low and moment == math.inf)  # the next is held
        self._call_when_due()

    def __call__(self, value: float, **kwargs: Any) -> None:
        self._low = not value >= self._suspend_thresh
        super().__call__(value, **kwargs)
        self._call_when_due()

    def _call_when_due(self) -> None:
        engine = self.RE
        if engine is not None and self.tripped and self._until < math.inf:
            loop = engine.loop
            left = max(0.0, self._until - time.monotonic())
            loop.call_soon_threadsafe(lambda: loop.call_later(left, self._let_go))

    def _let_go(self) -> None:
        with self._lock:
            if self._ev is not None and self._is_over():
                self._ev.set()
                self._ev, self._tripped = None, False

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    def _should_suspend(self, value: float) -> bool:
        return not value >= self._suspend_thresh and not self._is_over()

    def _should_resume(self, value: float) -> bool:
        return value >= self._resume_thresh


def beam_suspender(
    ring: RingCurrent, *, minimum: float = 10.0, resume: float | None = None, settle: float = 10.0
) -> BeamSuspender:
    """Make a suspender that holds a scan while there is no beam.

    Parameters
    ----------
    ring
        The ring current to watch.
    minimum
        mA, below which the scan is held.
    resume
        mA, from which it may go on; default: a tenth above `minimum`, so that noise at the
        threshold does not hold and release it in turn.
    settle
        s, from the return of the beam until the scan goes on, for the optics to warm up.

    Raises
    ------
    ValueError
        `resume` is below `minimum`.

    Examples
    --------
    ``RE.install_suspender(beam_suspender(ring, minimum=50))``
    """
    suspender = BeamSuspender(
        ring.current,
        minimum,
        resume_thresh=1.1 * minimum if resume is None else resume,
        sleep=settle,
        tripped_message="waiting for beam",
    )
    ring.suspenders.append(suspender)
    return suspender
