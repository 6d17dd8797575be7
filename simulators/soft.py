"""The microscope without a network: the same physics in this process, for tests and notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ophyd import Signal
from ophyd.status import Status

from ..devices import normalised_rate
from .clock import Clock
from .kinematics import Axis
from .options import IocOptions
from .passage import count_bins
from .physics import CountingChain, Ring
from .soft_motor import SoftMotor, after, description, reading
from .specimen import Specimen


class SoftMicroscope:
    """Soft devices with the keys of the real ones.

    Parameters
    ----------
    specimen : Specimen, optional
        What is measured; made from the options if not given.
    options : IocOptions, optional
        As for the IOC: noise, seed, velocity, ramp, scatter, play, limits, dwell, ring.
    real_time : bool
        Whether counts take their dwell time and moves their travel time; if not, both take none.
    **changes
        Fields of `options` to replace.

    Attributes
    ----------
    x, y : SoftMotor
        The stage.
    counter : SoftCounter
        Detector and incident-beam monitor.
    ring : SoftRing
        The storage ring's current.
    chain : CountingChain
        The physics; ``chain.beam.truth`` knows what there is to find.

    Examples
    --------
    >>> microscope = SoftMicroscope(kind="gradients", noise="none")
    >>> _ = microscope.x.set(1.0)
    >>> microscope.x.read()["x"]["value"]
    1.0
    """

    def __init__(
        self,
        specimen: Specimen | None = None,
        options: IocOptions | None = None,
        *,
        real_time: bool = False,
        **changes: Any,
    ) -> None:
        options = replace(options or IocOptions(), **changes)
        specimen = specimen or options.specimen()
        self.chain = options.counting(specimen)
        clock = Clock(options.time_scale)
        limits, speed = options.limits(specimen), (options.velocity, options.ramp)
        self.x, self.y = (
            SoftMotor(name, axis, clock, limits[name], *speed, real_time=real_time)
            for name, axis in options.axes(specimen).items()
        )
        self.ring = SoftRing(options.ring(), clock)
        self.counter = SoftCounter(
            self.chain,
            lambda: (self.x.sample_position, self.y.sample_position, self.ring.now()),
            dwell=options.dwell,
            wait_scale=1 / options.time_scale if real_time else 0.0,
            axes={"x": self.x.axis, "y": self.y.axis},
            clock=clock,
        )


class SoftCounter:
    """A counter as a bluesky device, with the keys of `skysteer.devices.Counter`.

    Parameters
    ----------
    chain : CountingChain
        The physics.
    where : callable
        Gives x and y in um and the ring current in mA.
    name : str
        Key of the steering value: counts/s, normalised by the monitor.
    dwell : float
        s at first; the attribute `dwell` is a signal that can be set.
    wait_scale : float
        s that a count takes for each s of dwell; 0 counts in no time.
    axes : dict, optional
        ``x`` and ``y``, as their motors are named: what flies.
    clock : Clock, optional
        Simulated time.
    """

    parent = None

    def __init__(
        self,
        chain: CountingChain,
        where: Callable[[], tuple[float, float, float]],
        *,
        name: str = "counter",
        dwell: float = 0.01,
        wait_scale: float = 0.0,
        axes: dict[str, Axis] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._axes, self._clock = axes or {}, clock or Clock()
        self._flight: dict[str, Any] | None = None
        self._bins: dict[str, list[float]] = {}
        self.dwell: Any = Signal(name=f"{name}_dwell", value=float(dwell))
        self._chain = chain
        self._where = where
        self._wait_scale = wait_scale
        channels = ["", *map(str, range(2, len(chain.beam.specimen.channels) + 1))]
        self._rated = {f"{name}{k}": f"{name}_counts{k}" for k in channels}
        self._keys = [*self._rated.values(), f"{name}_i0"]
        self._values = dict.fromkeys(self._keys, 0.0)

    @property
    def hints(self) -> dict[str, list[str]]:
        """The steering value is what to plot."""
        return {"fields": [self.name]}

    def trigger(self) -> Status:
        """Count for the dwell time, where the stage is now."""
        x, y, current = self._where()
        dwell = float(self.dwell.get())
        exposure = self._chain.expose(x, y, dwell, current)
        counted = [*map(float, exposure.counts), exposure.i0]
        status = Status(obj=self)

        def finish() -> None:
            self._values = dict(zip(self._keys, counted, strict=True))
            status.set_finished()

        after(dwell * self._wait_scale, finish)
        return status

    def prepare(self, axis: str, *, start: float, pitch: float, bins: int, dwell: float) -> Status:
        """Get ready to count bin by bin while an axis flies by; `skysteer.plans.FlyingDetector`."""
        if axis not in self._axes:
            raise ValueError(f"{self.name} counts along {', '.join(self._axes)}, not {axis!r}")
        self._flight = {"axis": axis, "start": start, "pitch": pitch, "bins": bins}
        self._bins = {}
        for each in self._axes.values():
            each.record(self._clock.now())
        return _done(self)

    def complete(self) -> Status:
        """Count what the axis has passed."""
        if self._flight is not None:
            current = self._where()[2]
            passed = count_bins(
                self._chain,
                self._axes,
                **self._flight,
                current=lambda _: current,
                now=self._clock.now(),
            )
            told: dict[str, Any] = {"x": passed.x, "y": passed.y, self.dwell.name: passed.elapsed}
            told |= dict(zip(self._keys, [*passed.counts, passed.i0], strict=True))
            for key, counts in self._rated.items():
                told[key] = [*map(self._rate, told[counts], passed.i0)]
            self._bins = {key: list(map(float, values)) for key, values in told.items()}
            self._flight = None
        return _done(self)

    def bins(self) -> dict[str, list[float]]:
        """What was counted, bin by bin."""
        return self._bins

    def stop(self, *, success: bool = False) -> None:
        """Nothing: a count ends by itself, and a flight with ``complete``."""

    def _rate(self, counts: float, i0: float) -> float:
        return normalised_rate(counts, i0, self._chain.i0_rate)

    def read(self) -> dict[str, Any]:
        """Steering value, dwell, and counts of the last count."""
        i0, dwell = self._values[self._keys[-1]], float(self.dwell.get())
        rates = {key: self._rate(self._values[counts], i0) for key, counts in self._rated.items()}
        return reading({**rates, self.dwell.name: dwell, **self._values})

    def describe(self) -> dict[str, Any]:
        """As `read`."""
        rates, counts = dict.fromkeys(self._rated, "counts/s"), dict.fromkeys(self._keys, "counts")
        return description({**rates, self.dwell.name: "s", **counts})


def _done(device: Any) -> Status:
    status = Status(obj=device)
    status.set_finished()
    return status


class SoftRing:
    """The storage ring's current as a bluesky device.

    Parameters
    ----------
    ring : Ring
        The physics.
    clock : Clock
        Simulated time.
    name : str
        The reading's key is ``<name>_current``.

    Attributes
    ----------
    current : ophyd.Signal
        mA, fit for a suspender. Where the ring is steady it keeps what is put to it.
    """

    parent = None

    def __init__(self, ring: Ring, clock: Clock, *, name: str = "ring") -> None:
        self.name = name
        self.current: Any = Signal(name=f"{name}_current", value=ring.at(0.0))
        self._ring = ring
        self._clock = clock

    def now(self) -> float:
        """MA, at this time."""
        if not self._ring.steady:
            self.current.put(self._ring.at(self._clock.now()))
        return self.current.get()

    def read(self) -> dict[str, Any]:
        """The current."""
        return reading({self.current.name: self.now()})

    def describe(self) -> dict[str, Any]:
        """As `read`."""
        return description({self.current.name: "mA"})
