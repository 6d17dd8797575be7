"""A beam shutter that is open while points are measured, and closed whenever they are not."""

from __future__ import annotations

import logging
from typing import Any

import bluesky.plan_stubs as bps

from .logbook import Plan
from .status import finished

logger = logging.getLogger(__name__)


class ScanShutter:
    """Opens and closes a shutter for a scan; closed on a pause, and when it is unstaged.

    Parameters
    ----------
    device : movable
        The shutter: anything that can be set to the two values.
    opened, closed : object
        What it is set to.
    patience : float
        s that a decision may take before the shutter is closed.

    Examples
    --------
    ``adaptive_scan(..., shutter=ScanShutter(shutter, opened=1, closed=0))``
    """

    parent = None

    def __init__(
        self, device: Any, opened: Any = "open", closed: Any = "close", patience: float = 5.0
    ) -> None:
        self.device, self.patience = device, patience
        self.name = f"{device.name}_for_scan"
        self.is_open = False
        self._values = {True: opened, False: closed}

    def opened(self) -> Plan:
        """Open it and wait, unless it is open; in messages that may be replayed."""
        yield from bps.abs_set(self, True, wait=True)

    def closed(self) -> Plan:
        """Close it and wait."""
        yield from bps.abs_set(self, False, wait=True)

    def closed_after(self, waited: float) -> Plan:
        """Close it where a decision has been waited for longer than the patience, in seconds."""
        if waited > self.patience:
            yield from self.closed()

    def set(self, is_open: bool) -> Any:
        """Open or close it; returns the device's status."""
        if is_open == self.is_open:
            return finished()
        self.is_open = is_open
        return self.device.set(self._values[is_open])

    def stage(self) -> list[Any]:
        """Close it: it is opened for the first exposure."""
        self.shut()
        return [self]

    def unstage(self) -> list[Any]:
        """Close it, however the run ended."""
        self.shut()
        return [self]

    def pause(self) -> None:
        """Close it; the exposure that is replayed opens it again."""
        self.shut()

    def resume(self) -> None:
        """Nothing: see ``pause``."""

    def shut(self) -> None:
        """Close it at once, without waiting."""
        self.is_open = False
        try:
            self.device.set(self._values[False])
        except Exception:
            # Raised here it would cover what ended the run.
            logger.exception("the shutter %s could not be closed: close it by hand", self.name)


def shutter_for_scan(shutter: Any) -> ScanShutter | None:
    """Take a shutter as it is given to a plan."""
    if shutter is None or isinstance(shutter, ScanShutter):
        return shutter
    if not hasattr(shutter, "set"):
        raise ValueError(
            f"shutter takes a device that can be set to 'open' and 'close', but {shutter!r} came: "
            "wrap it in ScanShutter(device, opened=..., closed=...)"
        )
    return ScanShutter(shutter)
