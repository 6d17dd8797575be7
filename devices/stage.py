"""The scan stage: two motors that carry the specimen through the beam."""

from typing import Any

from ophyd import Device
from ophyd import FormattedComponent as FCpt

from .motor import ScanMotor


class ScanStage(Device):
    """A stage with axes `x` and `y`.

    Parameters
    ----------
    prefix
        What the two records' names begin with, for example ``"SIM:"``.
    name
        Name of the device; the axes read as ``<name>_x`` and ``<name>_y``.
    x, y
        The records' names after the prefix, for example ``"m1"`` and ``"m2"``.
    tolerance, timeout
        For both axes, as in `ScanMotor`.

    Examples
    --------
    ``stage = ScanStage("SIM:", name="stage"); RE(bps.mv(stage.x, 1.5, stage.y, 0))``
    """

    x = FCpt(ScanMotor, "{prefix}{suffixes[x]}")
    y = FCpt(ScanMotor, "{prefix}{suffixes[y]}")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        x: str = "x",
        y: str = "y",
        tolerance: float | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.suffixes = {"x": x, "y": y}
        super().__init__(prefix, name=name, **kwargs)
        for axis in (self.x, self.y):
            axis.tolerance, axis.timeout = tolerance, timeout
