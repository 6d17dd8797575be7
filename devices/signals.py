"""EPICS signals whose values and descriptions stay 64-bit floats, whatever type the record serves.

A store makes a table's column from the first event: an integer there and a float later (a `longin`
beside an `ai`, a local echo of ``put(5)``) breaks the run, and an array without ``dtype_numpy`` is
guessed. Reading fetches from the IOC: a put-completion may overtake monitors, so the last
monitored value can still be the previous point's.
"""

from typing import Any

from ophyd import EpicsSignal, EpicsSignalRO
from ophyd.utils import DisconnectedError

FLOAT64: dict[str, Any] = {"dtype": "number", "shape": [], "dtype_numpy": "<f8"}


class WritableSignal(EpicsSignal):
    """A PV that can be written again when an IOC that had fallen silent answers again.

    Of a circuit that is silent for half a minute libca takes the access rights back. ophyd hears
    of that, but with pyepics not of their return, and would refuse to write for ever.
    """

    @property
    def write_access(self) -> bool:
        """Whether the PV may be written, as the client library knows it now."""
        pv: Any = self._write_pv
        return bool(super().write_access or pv.write_access)


class _FloatReading:
    """What the two signals share; a PV that is lost is named as the IOC's people know it."""

    def get(self, **kwargs: Any) -> float:
        return float(super().get(**kwargs))  # pyright: ignore[reportAttributeAccessIssue]

    def read(self) -> dict[str, dict[str, Any]]:
        signal: Any = self
        if not signal.connected:
            raise DisconnectedError(
                f"{signal.name}: {signal.pvname} is not connected; is its IOC up?"
            )
        return super().read()  # pyright: ignore[reportAttributeAccessIssue]

    def describe(self) -> dict[str, dict[str, Any]]:
        described = super().describe()  # pyright: ignore[reportAttributeAccessIssue]
        return {key: {**entry, **FLOAT64} for key, entry in described.items()}


class FloatSignalRO(_FloatReading, EpicsSignalRO):
    """A PV that is read as a float, fetched each time.

    Parameters are those of `ophyd.EpicsSignalRO`; ``auto_monitor=True`` gives the last monitored
    value instead, for what no trigger precedes.
    """

    def __init__(self, read_pv: str, *, auto_monitor: bool = False, **kwargs: Any) -> None:
        super().__init__(read_pv, auto_monitor=auto_monitor, **kwargs)


class FloatSignal(_FloatReading, WritableSignal):
    """A PV that is written, and read as a float, fetched each time.

    Parameters are those of `ophyd.EpicsSignal`.
    """

    def __init__(
        self,
        read_pv: str,
        write_pv: str | None = None,
        *,
        auto_monitor: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(read_pv, write_pv, auto_monitor=auto_monitor, **kwargs)
