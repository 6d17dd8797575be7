"""A counter with a dwell time: counts of the detector and of the incident-beam monitor."""

import math
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, DeviceStatus
from ophyd.device import create_device_from_components

from .outcome import outcome
from .signals import FLOAT64, FloatSignal, FloatSignalRO, WritableSignal
from .turns import Turns

MARGIN = 10.0
"""s, on top of twice the dwell, until a count is given up."""
NOMINAL_I0 = 1e7
"""counts/s of the incident-beam monitor to which the steering value is scaled."""


def normalised_rate(counts: float, i0: float, nominal_i0: float = NOMINAL_I0) -> float:
    """Give the count rate that a beam of the nominal intensity would have made.

    ``(counts / dwell) * nominal_i0 / (i0 / dwell)``: both were counted over the same time, so that
    the dwell, and a count cut short, drop out.

    Parameters
    ----------
    counts, i0
        Counts of the detector and of the incident-beam monitor, over the same time.
    nominal_i0
        Counts/s of the monitor at the nominal intensity.

    Returns
    -------
    float
        Counts/s; NaN where the monitor has seen no beam or is not a number.

    Examples
    --------
    >>> normalised_rate(counts=50.0, i0=2000.0, nominal_i0=1e6)
    25000.0
    """
    return counts * nominal_i0 / i0 if 0 < i0 < math.inf else math.nan


def _told(signal: Any, reading: dict[str, Any]) -> Any:
    """A signal's value and time, out of a reading that may have it."""
    return reading[signal.name] if signal.name in reading else signal.read()[signal.name]


class DwellSignal(FloatSignal):
    """The dwell time in s; refuses what is no time to count for."""

    def check_value(self, value: float) -> None:
        super().check_value(value)
        if not 0 < value < math.inf:
            raise ValueError(f"{self.name}: a dwell must be a positive number of s, got {value}")


class Count(DeviceStatus):
    """One count of a `Counter`; its text gives the reason when it failed."""

    def __str__(self) -> str:
        counter = self.device
        action = f"count of {counter.name} ({counter.prefix})"
        return outcome(
            self, action, f"check that the IOC answers and {counter.acquire.pvname} ends"
        )

    __repr__ = __str__


class Counter(Device):
    """A scaler-like counter: `trigger` counts for the dwell, `read` fetches what was counted.

    A reading has ``<name>``, the value that steers (`normalised_rate`, counts/s),
    ``<name>_counts``, ``<name>_i0`` and ``<name>_dwell`` (s); with `with_channels` also rate and
    counts of further channels, ``<name>2``, ``<name>_counts2`` and so on. The dwell is set like a
    motor, ``bps.abs_set(counter.dwell, 0.01)``; unstaging puts back what it was.

    Parameters
    ----------
    prefix
        What the PVs' names begin with, for example ``"SIM:counter:"``.
    name
        Name of the device and of the steering value in the documents.
    nominal_i0
        counts/s of the incident-beam monitor to which the steering value is scaled.
    timeout
        s, for each count; default: twice the dwell plus 10 s.

    Examples
    --------
    ``counter = Counter("SIM:counter:"); RE(bp.count([counter], num=3))``
    """

    acquire = Cpt(WritableSignal, "Acquire", kind="omitted")
    dwell = Cpt(DwellSignal, "Dwell", kind="normal", put_complete=True, write_timeout=MARGIN)
    counts = Cpt(FloatSignalRO, "Counts", kind="normal")
    i0 = Cpt(FloatSignalRO, "I0", kind="normal")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str = "counter",
        nominal_i0: float = NOMINAL_I0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.nominal_i0 = nominal_i0
        self.timeout = timeout
        self._turns = Turns(self.acquire, lambda count: self._turns.end(count))
        self._last_dwell = math.nan
        self._dwell_to_restore = math.nan
        self.dwell.subscribe(self._dwell_changed)

    @classmethod
    def with_channels(cls, channels: int) -> type["Counter"]:
        """Make a class that also reads further channels, ``2`` to ``channels``, each its rate."""
        further = {f"counts{n}": f"Counts{n}" for n in range(2, channels + 1)}
        components = {attr: Cpt(FloatSignalRO, suffix) for attr, suffix in further.items()}
        return create_device_from_components(
            f"{cls.__name__}{channels}", base_class=cls, docstring=cls.__doc__, **components
        )

    def trigger(self) -> Count:
        """Start a count; the status ends when the count does.

        Raises
        ------
        RuntimeError
            A count is under way.
        """
        under_way = self._turns.current
        if under_way is not None and not under_way.done:
            raise RuntimeError(f"{self.name} is counting already: wait for it, or stop() it")
        count = Count(self, timeout=self.timeout or self._time_for_count())
        self._turns.begin(count, 1)
        return count

    def read(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        reading: Any = super().read()
        i0 = _told(self.i0, reading)["value"]
        rates: dict[str, Any] = {}
        for key, signal in self._rated().items():
            counts = _told(signal, reading)
            rate = normalised_rate(counts["value"], i0, self.nominal_i0)
            rates[key] = {"value": rate, "timestamp": counts["timestamp"]}
        return {**rates, **reading}

    def describe(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        over = f"* {self.nominal_i0:g} / {self.i0.pvname}"
        rates = {
            key: {"source": f"{signal.source_name} {over}", **FLOAT64, "units": "counts/s"}
            for key, signal in self._rated().items()
        }
        further: Any = super().describe()
        return {**rates, **further}

    def _rated(self) -> dict[str, Any]:
        """Each channel's counts, by the key of its rate."""
        counted = [attr for attr in self.component_names if attr.startswith("counts")]
        return {
            f"{self.name}{attr.removeprefix('counts')}": getattr(self, attr) for attr in counted
        }

    @property
    def hints(self) -> dict[str, list[str]]:
        """The steering value is what to plot."""
        return {"fields": [self.name]}

    def stage(self) -> list[object]:
        before = self.dwell.get()
        staged = super().stage()
        self._dwell_to_restore = before
        return staged

    def unstage(self) -> list[object]:
        self.stop(success=True)
        unstaged = super().unstage()
        before, self._dwell_to_restore = self._dwell_to_restore, math.nan
        # Without waiting: unstaging also runs after a failure, which an IOC that is gone must not
        # cover with another.
        if before > 0 and self.dwell.connected:
            self.dwell.put(before, use_complete=False)
        return unstaged

    def pause(self) -> None:
        """Abort the count, for the RunEngine to trigger it again when it resumes."""
        self.stop(success=True)

    def stop(self, *, success: bool = False) -> None:
        """Abort the count under way, which then fails, or with `success` is forgiven."""
        count = self._turns.current
        if count is None:
            return
        try:
            if self.acquire.connected:
                self.acquire.put(0, use_complete=False)
        finally:
            self._turns.end(count, None if success else RuntimeError("stopped by stop()"))

    def _time_for_count(self) -> float:
        return 2 * (self._last_dwell if 0 < self._last_dwell < math.inf else 0) + MARGIN

    def _dwell_changed(self, value: Any = math.nan, **_: Any) -> None:
        self._last_dwell = float(value)
