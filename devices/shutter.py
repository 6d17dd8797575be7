"""A beam shutter."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device

from .signals import WritableSignal

STATES = {"open": 1, "close": 0}


class Shutter(Device):
    """A shutter that is set to ``"open"`` and ``"close"``, as `ScanShutter` of the plans does.

    Parameters
    ----------
    prefix
        What the PV's name begins with, for example ``"SIM:shutter:"``.
    name
        Name of the device.

    Examples
    --------
    ``adaptive_scan([counter], ..., shutter=Shutter("SIM:shutter:"))``
    """

    is_open = Cpt(WritableSignal, "Open", kind="normal", put_complete=True)

    def __init__(self, prefix: str = "", *, name: str = "shutter", **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)

    def set(self, state: str) -> Any:
        """Open or close it; the status is done when the IOC says so.

        Raises
        ------
        ValueError
            For any other state.
        """
        if state not in STATES:
            raise ValueError(f"{self.name} is set to 'open' or 'close', but {state!r} came")
        return self.is_open.set(STATES[state])
