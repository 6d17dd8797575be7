"""What a scan and a demo are asked for, and what says so in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    pass


AxisRange = tuple[float, float, int]


class ScanInterruptedError(RuntimeError):
    """Somebody pressed Ctrl-C; what was measured is kept."""


@dataclass(frozen=True)
class Scan:
    """An adaptive scan with PVs that already run.

    Attributes
    ----------
    prefix : str
        What the PVs' names begin with.
    slow, fast : (start, stop, num)
        The stage's y and x, in the motors' units.
    agent, options, until, batch, seed
        As in ``adaptive_scan``.
    dwell : float
        Seconds.
    timeout : float
        Seconds to wait for the PVs.
    patience : float
        Seconds to wait in mid-scan for PVs that are lost to come back, before the scan ends.
    out : Path
        Folder for the journal, the catalog and the pictures.
    tiled : str, optional
        A Tiled server to write to in place of the folder's own catalog.
    approval : bool
        Whether each batch waits until ``skysteer tell approve`` lets it be measured.
    then : "best" or (row, column), optional
        Where the stage goes at the end.
    fly : bool
        Whether segments are flown over.
    longest_dwell : float, optional
        Seconds up to which the agent may count a target; all are counted for ``dwell`` without it.
        The agent's option ``counts_per_unit`` is ``dwell`` then, unless it is given.
    channels : int
        How many of the counter's channels are mapped together.
    """

    prefix: str = "SIM:"
    slow: AxisRange = (0.0, 1.0, 2)
    fast: AxisRange = (0.0, 1.0, 2)
    agent: str = "slads"
    options: Mapping[str, Any] = field(default_factory=dict)
    until: str = "coverage(0.15)"
    batch: int | None = None
    seed: int = 1
    dwell: float = 0.01
    timeout: float = 10.0
    patience: float = 300.0
    out: Path = Path("runs")
    tiled: str | None = None
    approval: bool = False
    then: str | tuple[int, int] | None = None
    fly: bool = False
    longest_dwell: float | None = None
    channels: int = 1

    def __post_init__(self) -> None:
        require(0 < self.dwell < np.inf, f"the dwell must be a time above 0 s, not {self.dwell}")
        require(
            self.longest_dwell is None or self.dwell <= self.longest_dwell < np.inf,
            f"the longest dwell must be {self.dwell} s, the dwell, or more, not "
            f"{self.longest_dwell}",
        )
        require(self.channels >= 1, f"a counter has 1 channel or more, not {self.channels}")
        require(self.patience >= 0, f"the patience must be seconds, 0 or more, not {self.patience}")
        require(self.seed >= 0, f"the seed must be a whole number, 0 or more, not {self.seed}")
        require(
            self.batch is None or self.batch >= 1,
            f"a batch must have 1 point or more, but {self.batch} came",
        )
        require(
            self.tiled is None or self.tiled.startswith(("http://", "https://")),
            f"--tiled takes the URL of a server, http://..., but {self.tiled!r} came",
        )

    @property
    def keys(self) -> list[str]:
        """Data keys of the counter's rates that are mapped."""
        return ["counter", *(f"counter{k}" for k in range(2, self.channels + 1))]

    @property
    def all_options(self) -> dict[str, Any]:
        """The agent's options, with what a counter in counts/s makes of its values."""
        known = {} if self.longest_dwell is None else {"counts_per_unit": self.dwell}
        return {**known, **self.options}


@dataclass(frozen=True)
class Demo:
    """An adaptive scan of a simulated microscope.

    Attributes
    ----------
    scan : Scan
        How it is scanned; prefix and axes are those of the microscope.
    image : str, optional
        What lies under the beam; generated flakes without it.
    region : str
        ``ROWSxCOLUMNS`` from the middle of the image (as much as it has), or ``all``.
    noise : str
        ``poisson`` or ``none``.
    peak_rate : float
        Counts/s of the brightest pixel.
    sha256 : str, optional
        Of the image's file: another one is refused.
    """

    scan: Scan
    image: str | None = None
    region: str = "128x128"
    noise: Literal["poisson", "none"] = "poisson"
    peak_rate: float = 1e6
    sha256: str | None = None

    @property
    def moves(self) -> bool:
        """Whether the stage takes time to move, as a scan does that weighs moving."""
        return self.scan.fly or self.scan.longest_dwell is not None


def require(condition: bool, message: str) -> None:
    """Refuse what makes no sense."""
    if not condition:
        raise ValueError(message)
