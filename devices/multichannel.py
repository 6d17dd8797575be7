"""A counter that also counts bin after bin while an axis flies by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ophyd import Component as Cpt
from ophyd import EpicsSignalRO, StatusBase
from ophyd.device import create_device_from_components
from ophyd.utils import DisconnectedError

from .counter import MARGIN, Counter, normalised_rate
from .signals import FloatSignal, FloatSignalRO

MOST_BINS = 4096
ENCODERS = ("X", "Y")


def _setting(name: str) -> Any:
    return Cpt(FloatSignal, name, kind="omitted", put_complete=True, write_timeout=MARGIN)


def _array(name: str) -> Any:
    return Cpt(EpicsSignalRO, name, kind="omitted")


class MultichannelCounter(Counter):
    """A `Counter` with a position-triggered multichannel mode, for scans that fly.

    It is what ``adaptive_scan(..., fly=True)`` asks for (`skysteer.plans.FlyingDetector`): armed,
    it counts from one edge of a bin to the next as an encoder passes them, and gives arrays of
    counts and of the positions where they were counted. A point is counted as by a `Counter`.

    Parameters
    ----------
    prefix
        What the PVs' names begin with, for example ``"SIM:counter:"``.
    encoders
        ``"X"`` or ``"Y"``, by the data key of the axis' readback, for example
        ``{"stage_x": "X", "stage_y": "Y"}``.
    **kwargs
        As for `Counter`.

    Examples
    --------
    ``counter = MultichannelCounter("SIM:counter:", encoders={"stage_x": "X", "stage_y": "Y"})``
    """

    fly_arm = _setting("Fly:Arm")
    fly_axis = _setting("Fly:Axis")
    fly_start = _setting("Fly:Start")
    fly_step = _setting("Fly:Step")
    fly_bins = _setting("Fly:Bins")
    fly_acquired = Cpt(FloatSignalRO, "Fly:Acquired", kind="omitted")
    fly_counts = _array("Fly:Counts")
    fly_i0 = _array("Fly:I0")
    fly_elapsed = _array("Fly:Elapsed")
    fly_x = _array("Fly:X")
    fly_y = _array("Fly:Y")

    def __init__(self, prefix: str = "", *, encoders: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        wrong = set(encoders.values()) - set(ENCODERS)
        if wrong:
            raise ValueError(f"{self.name}: encoders are X and Y, but {sorted(wrong)} came")
        self.encoders = dict(encoders)

    @classmethod
    def with_channels(cls, channels: int) -> type[MultichannelCounter]:
        """Make a class that also reads further channels, ``2`` to ``channels``, each its rate."""
        arrays = {f"fly_counts{n}": _array(f"Fly:Counts{n}") for n in range(2, channels + 1)}
        counter = super().with_channels(channels)
        return create_device_from_components(
            counter.__name__, base_class=counter, docstring=cls.__doc__, **arrays
        )

    def prepare(
        self, axis: str, *, start: float, pitch: float, bins: int, dwell: float
    ) -> StatusBase:
        """Wait for an axis to pass; see `skysteer.plans.FlyingDetector`.

        Raises
        ------
        ValueError
            No encoder is known for the axis, or there are too many bins.
        """
        if axis not in self.encoders:
            known = ", ".join(self.encoders) or "none"
            raise ValueError(f"{self.name} has no encoder for {axis!r}: encoders= names {known}")
        if not (1 <= bins <= MOST_BINS and pitch):
            raise ValueError(
                f"{self.name} takes 1 to {MOST_BINS} bins of a width other than 0, but {bins} of "
                f"{pitch} came"
            )
        settings = (
            self.fly_axis.set(ENCODERS.index(self.encoders[axis]))
            & self.fly_start.set(start)
            & self.fly_step.set(pitch)
            & self.fly_bins.set(bins)
        )
        armed = StatusBase(timeout=2 * MARGIN)

        def arm(set_up: StatusBase) -> None:
            error = set_up.exception(timeout=0)
            if error is not None:
                armed.set_exception(error)
                return
            _pass_on(self.fly_arm.set(1), armed)

        settings.add_callback(arm)
        return armed

    def complete(self) -> StatusBase:
        """End the flight: done when the arrays are there."""
        return self.fly_arm.set(0)

    def bins(self) -> dict[str, list[float]]:
        """What was counted, bin by bin, by data key.

        Raises
        ------
        DisconnectedError
            The IOC is gone.
        """
        if not self.connected:
            raise DisconnectedError(f"{self.name}: {self.prefix} is not connected; is its IOC up?")
        number = int(self.fly_acquired.get())
        names = [name for name in self.component_names if name.startswith("fly_counts")]
        counted = {
            getattr(self, name.removeprefix("fly_")).name: self._fetched(name, number)
            for name in names
        }
        i0 = self._fetched("fly_i0", number)
        rates = {
            key: [
                normalised_rate(c, m, self.nominal_i0)
                for c, m in zip(counted[signal.name], i0, strict=True)
            ]
            for key, signal in self._rated().items()
        }
        places = {
            axis: self._fetched(f"fly_{encoder.lower()}", number)
            for axis, encoder in self.encoders.items()
        }
        elapsed = self._fetched("fly_elapsed", number)
        told = {self.i0.name: i0, self.dwell.name: elapsed}
        return {**rates, **told, **counted, **places}

    def stop(self, *, success: bool = False) -> None:
        """End a flight, or abort the count under way, which then fails, or is forgiven."""
        super().stop(success=success)
        if self.fly_arm.connected and self.fly_arm.get():
            self.fly_arm.put(0, use_complete=False)

    def _fetched(self, name: str, number: int) -> list[float]:
        if not number:
            return []
        return [float(value) for value in getattr(self, name).get(count=number)[:number]]


def _pass_on(status: StatusBase, following: StatusBase) -> None:
    """End a status as another one ends."""

    def ended(status: StatusBase) -> None:
        error = status.exception(timeout=0)
        if following.done:
            return
        if error is None:
            following.set_finished()
        else:
            following.set_exception(error)

    status.add_callback(ended)
