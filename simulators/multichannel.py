"""The counter's multichannel mode: armed, it counts bin after bin while an axis flies by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from caproto import ChannelDouble, SkipWrite
from caproto.server import PVGroup, pvproperty

from .clock import Clock
from .motor_record import MotorRecord
from .passage import Bins, count_bins
from .physics import CountingChain

MOST_BINS = 4096
AXES = ("x", "y")


def _array(name: str, unit: str) -> Any:
    return pvproperty(value=[0.0], max_length=MOST_BINS, name=name, units=unit, read_only=True)


class Multichannel(PVGroup):
    """PVs of the multichannel mode, as the table in docs/architecture.md has them.

    Parameters
    ----------
    prefix : str
    chain : CountingChain
        The physics.
    motors : mapping
        ``x`` and ``y``; the encoders of either may trigger.
    clock : Clock
        Simulated time.
    current : callable
        mA at a time in s; 0 without beam.
    detected : callable
        What the detector makes of its counts: faults.
    """

    arm: Any = pvproperty(value=0, name="Arm", doc="1 waits for the axis, 0 ends and gives arrays")
    axis: Any = pvproperty(value=0, name="Axis", doc="the encoder to follow: 0 x, 1 y")
    begin: Any = pvproperty(value=0.0, name="Start", units="um", precision=4)
    step: Any = pvproperty(value=0.1, name="Step", units="um", precision=4)
    bins: Any = pvproperty(value=1, name="Bins")
    acquired: Any = pvproperty(value=0, name="Acquired", read_only=True)
    counts: Any = _array("Counts", "counts")
    i0: Any = _array("I0", "counts")
    elapsed: Any = _array("Elapsed", "s")
    x: Any = _array("X", "um")
    y: Any = _array("Y", "um")

    def __init__(
        self,
        prefix: str,
        chain: CountingChain,
        motors: Mapping[str, MotorRecord],
        clock: Clock,
        current: Callable[[float], float],
        detected: Callable[[float], float],
    ) -> None:
        super().__init__(prefix)
        self._chain, self._motors, self._clock = chain, motors, clock
        self._current, self._detected = current, detected
        self._channels: list[Any] = [self.counts]
        for number in range(2, len(chain.beam.specimen.channels) + 1):
            self._channels.append(ChannelDouble(value=[0.0], max_length=MOST_BINS, units="counts"))
            self.pvdb[f"{prefix}Counts{number}"] = self._channels[-1]
        self._turn = asyncio.Lock()
        self.delay = 0.0  # s until the arrays are there, a fault
        self.arm.putter = self._put_arm
        self.axis.putter = self._put_axis
        self.begin.putter = self._put_number
        self.step.putter = self._put_step
        self.bins.putter = self._put_bins

    async def _put_arm(self, instance: Any, value: int) -> None:
        async with self._turn:  # who ends what is being ended waits for the arrays, too
            if value:
                for motor in self._motors.values():
                    motor.axis.record(self._clock.now())
                await self._show(None)
            elif instance.value:
                await self._clock.sleep(self.delay)
                await self._show(self._count())
            await instance.write(int(bool(value)), verify_value=False)
        raise SkipWrite

    def _count(self) -> Bins:
        name = AXES[self.axis.value]
        motor = self._motors[name]
        start, beyond = (
            motor.to_dial(place) for place in (self.begin.value, self.begin.value + self.step.value)
        )
        axes = {name: each.axis for name, each in self._motors.items()}
        return count_bins(
            self._chain,
            axes,
            name,
            start,
            beyond - start,
            int(self.bins.value),
            self._current,
            self._clock.now(),
        )

    async def _show(self, bins: Bins | None) -> None:
        """Post what was counted; nothing where None."""
        await self.acquired.write(0 if bins is None else len(bins.i0), verify_value=False)
        if bins is None or not len(bins.i0):
            return
        counted = [np.vectorize(self._detected)(counts) for counts in bins.counts]
        places = {"x": bins.x, "y": bins.y}
        user = [[self._motors[n].to_user(place) for place in at] for n, at in places.items()]
        arrays = (self.i0, bins.i0), (self.elapsed, bins.elapsed), (self.x, user[0])
        pairs = [*zip(self._channels, counted, strict=True), *arrays, (self.y, user[1])]
        for channel, values in pairs:
            await channel.write(list(map(float, values)), verify_value=False)

    async def _put_axis(self, instance: Any, value: int) -> int:
        if value not in range(len(AXES)):
            raise ValueError(f"{instance.pvname} = {value}: expected 0 for x or 1 for y")
        return value

    async def _put_number(self, instance: Any, value: float) -> float:
        if not np.isfinite(value):
            raise ValueError(f"{instance.pvname} = {value}: expected a finite number of um")
        return value

    async def _put_step(self, instance: Any, value: float) -> float:
        if not value:
            raise ValueError(f"{instance.pvname} = {value}: expected a width other than 0")
        return await self._put_number(instance, value)

    async def _put_bins(self, instance: Any, value: int) -> int:
        if not 1 <= value <= MOST_BINS:
            raise ValueError(f"{instance.pvname} = {value}: expected 1 to {MOST_BINS} bins")
        return value
