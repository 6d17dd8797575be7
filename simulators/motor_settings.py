"""A motor's settings, and the fields of its record that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FASTEST = 1e6  # um/s, VMAX


@dataclass(frozen=True)
class MotorSettings:
    """What an operator would have saved for a motor.

    Attributes
    ----------
    limits : (float, float)
        Soft limits in um.
    velocity : float
        VELO in um/s; 1e6 moves in no time. Not 0, which ophyd-async refuses.
    ramp : float
        ACCL, s from rest to full speed.
    backlash : float
        BDST in um: each move ends with an approach over this distance, from its side.
    precision : int
        PREC, decimals.
    description : str
        DESC.
    """

    limits: tuple[float, float] = (-50.0, 50.0)
    velocity: float = 1e6
    ramp: float = 0.0
    backlash: float = 0.0
    precision: int = 4
    description: str = ""

    def fields(self, position: float) -> dict[str, Any]:
        """The record's first values, with the axis at a dial position in um."""
        step = 10.0**-self.precision
        return {
            "DESC": self.description, "VAL": position, "DVAL": position, "DMOV": 1, "LVIO": 0,
            "SPMG": "Go", "DIR": "Pos", "SET": "Use", "EGU": "um", "TWV": 1.0, "RTRY": 0,
            "VELO": self.velocity, "ACCL": self.ramp, "VMAX": max(self.velocity, FASTEST),
            "BDST": self.backlash, "BVEL": self.velocity, "BACC": self.ramp,
            "MRES": step, "ERES": step, "RDBD": step, "UREV": 200 * step,
            "DLLM": self.limits[0], "DHLM": self.limits[1],
        }  # fmt: skip
