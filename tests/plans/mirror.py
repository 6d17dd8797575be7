"""A mirror's two motors, and the flux behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
from ophyd.sim import SynAxis, SynSignal


class Limited(SynAxis):
    """A motor with soft limits, that remembers where it was sent; its encoder counts 1e-9."""

    def __init__(self, name: str, low: float, high: float) -> None:
        # a bare SynAxis stands in the last bit elsewhere, as it came from elsewhere
        super().__init__(name=name, readback_func=lambda position: round(position, 9))
        self.limits, self.sent = (low, high), []

    def check_value(self, value: float) -> None:
        if not self.limits[0] <= value <= self.limits[1]:
            raise ValueError(f"{value} is beyond {self.limits}")

    def set(self, value: float) -> Any:
        self.sent.append(value)
        return super().set(value)


def mirror_devices() -> tuple[Limited, Limited, SynSignal]:
    """Pitch and height of a mirror, and the flux behind it: highest at (1.2, -3)."""
    pitch, height = Limited("pitch", 0.0, 4.0), Limited("height", -10.0, 10.0)

    def flux() -> float:
        off = (pitch.position - 1.2) ** 2 / 0.8 + (height.position + 3) ** 2 / 20
        return float(100 * np.exp(-off))

    detector = SynSignal(name="flux", func=flux)
    detector.kind = "hinted"
    return pitch, height, detector
