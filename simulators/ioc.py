"""The simulated microscope as an IOC: two motor records, a counter, the ring, and faults."""

from __future__ import annotations

import asyncio
import bisect
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from caproto import ChannelDouble, SkipWrite
from caproto.server import PVGroup, pvproperty

from .clock import Clock
from .loopback import LoopbackContext, bind_loopback
from .motor_record import MotorRecord
from .motor_settings import MotorSettings
from .multichannel import Multichannel
from .options import IocOptions

IN_MOTION = 0.005  # s of wall time between looks at the stage during an exposure


class MicroscopeIoc(PVGroup):
    """All PVs of the simulated microscope, as the table in docs/architecture.md has them.

    Parameters
    ----------
    options : IocOptions
        What to simulate.

    Raises
    ------
    FileNotFoundError, ValueError
        When the specimen cannot be had or an option makes no sense.
    """

    acquire: Any = pvproperty(value=0, name="counter:Acquire", doc="1 counts, 0 aborts")
    dwell: Any = pvproperty(value=0.01, name="counter:Dwell", units="s", precision=4)
    counts: Any = pvproperty(value=0.0, name="counter:Counts", units="counts", read_only=True)
    i0: Any = pvproperty(value=0.0, name="counter:I0", units="counts", read_only=True)
    elapsed: Any = pvproperty(
        value=0.0, name="counter:Elapsed", units="s", precision=4, read_only=True
    )
    current: Any = pvproperty(
        value=0.0, name="ring:Current", units="mA", precision=3, read_only=True
    )
    shutter: Any = pvproperty(value=1, name="shutter:Open", doc="1 lets the beam through, 0 not")
    stuck_x: Any = pvproperty(value=0, name="fault:StuckX", doc="1 waits for ever, 2 gives up")
    stuck_y: Any = pvproperty(value=0, name="fault:StuckY", doc="1 waits for ever, 2 gives up")
    lost_counts: Any = pvproperty(value=0, name="fault:LostCounts", doc="detector reads 0")
    nan: Any = pvproperty(value=0, name="fault:NaN", doc="detector reads NaN")
    slow_response: Any = pvproperty(value=0.0, name="fault:SlowResponse", units="s", precision=3)
    beam_dump: Any = pvproperty(value=0, name="fault:BeamDump", doc="no beam")

    def __init__(self, options: IocOptions) -> None:
        super().__init__(options.prefix)
        specimen = options.specimen()
        self._options = options
        self.clock = Clock(options.time_scale)
        self.chain = options.counting(specimen)
        self.ring = options.ring()
        limits = options.limits(specimen)
        self.motors = {
            name: MotorRecord(f"{options.prefix}{name}", axis, self.clock, MotorSettings(
                limits[name], options.velocity, options.ramp, options.backlash,
                description=f"simulated stage {name}",
            ))
            for name, axis in options.axes(specimen).items()
        }  # fmt: skip
        self.channels: list[Any] = [self.counts]
        for number in range(2, len(specimen.channels) + 1):
            name = f"{options.prefix}counter:Counts{number}"
            self.channels.append(ChannelDouble(value=0.0, units="counts"))
            self.pvdb[name] = self.channels[-1]
        self.multichannel = Multichannel(
            f"{options.prefix}counter:Fly:",
            self.chain,
            self.motors,
            self.clock,
            self._current_at,
            self._mangled,
        )
        for group in (*self.motors.values(), self.multichannel):
            self.pvdb.update(group.pvdb)
        self._lit = [(0.0, True)]  # since when there has been beam, or none
        self._abort = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.acquire.putter = self._put_acquire
        self.dwell.putter = self._put_dwell
        self.stuck_x.putter = partial(self._put_stuck, "x")
        self.stuck_y.putter = partial(self._put_stuck, "y")
        self.slow_response.putter = self._put_slow_response
        self.beam_dump.putter = self._put_beam_dump
        self.shutter.putter = self._put_shutter

    async def start(self) -> None:
        """Give all PVs their first values; call once, before the server starts."""
        for motor in self.motors.values():
            await motor.start()
        await self.dwell.write(self._options.dwell)
        await self._show_current()

    def _current(self) -> float:
        return 0.0 if self.beam_dump.value else self.ring.at(self.clock.now())

    def _current_at(self, time: float) -> float:
        """MA on the specimen at a time in the past."""
        place = bisect.bisect_right(self._lit, (time, True)) - 1
        return self.ring.at(time) if self._lit[max(place, 0)][1] else 0.0

    async def _show_current(self) -> None:
        await self.current.write(self._current())

    async def watch_ring(self) -> None:
        """Post the current once a simulated second, where it changes at all."""
        while not self.ring.steady:
            await self.clock.sleep(1.0)
            await self._show_current()

    # Counting

    async def _put_acquire(self, instance: Any, value: int) -> None:
        if not value:
            self._abort.set()
        elif self._idle.is_set():
            await self._count()
        else:  # as with a busy record: the one that asks again waits for the count under way
            await self._idle.wait()
        raise SkipWrite

    async def _count(self) -> None:
        self._idle.clear()
        self._abort.clear()
        try:
            await self.acquire.write(1, verify_value=False)
            await self._expose()
            await self.clock.wait(self._abort, self.slow_response.value)
        finally:
            await self.acquire.write(0, verify_value=False)
            self._idle.set()

    async def _expose(self) -> None:
        """Wait for the dwell time, or the abort, and post what has been counted."""
        dwell, began = float(self.dwell.value), self.clock.now()
        current, path = self._current() if self.shutter.value else 0.0, [self._position()]
        while (left := dwell - (self.clock.now() - began)) > 0:
            moving = any(m.value("MOVN") for m in self.motors.values())
            tick = min(left, IN_MOTION * self.clock.scale) if moving else left
            if await self.clock.wait(self._abort, tick):
                dwell = self.clock.now() - began
                break
            path.append(self._position())
        x, y = zip(*path, strict=True)
        exposure = self.chain.expose(x, y, dwell, current)
        for channel, counts in zip(self.channels, exposure.counts, strict=True):
            await channel.write(self._mangled(float(counts)), verify_value=False)
        await self.i0.write(exposure.i0, verify_value=False)
        await self.elapsed.write(dwell, verify_value=False)

    def _position(self) -> tuple[float, float]:
        now = self.clock.now()
        return self.motors["x"].axis.sample(now), self.motors["y"].axis.sample(now)

    def _mangled(self, counts: float) -> float:
        if self.nan.value:
            return float("nan")
        return 0.0 if self.lost_counts.value else counts

    async def _put_dwell(self, instance: Any, value: float) -> float:
        if not 0 <= value < float("inf"):
            raise ValueError(f"a dwell time of {value} s: expected a number >= 0")
        return value

    # Faults

    async def _put_stuck(self, axis: str, instance: Any, value: int) -> None:
        self.motors[axis].drive.faults.stuck = int(value)

    async def _put_slow_response(self, instance: Any, value: float) -> None:
        for motor in self.motors.values():
            motor.drive.faults.delay = max(float(value), 0.0)
        self.multichannel.delay = max(float(value), 0.0)

    async def _put_beam_dump(self, instance: Any, value: int) -> None:
        await instance.write(value, verify_value=False)
        self._note_beam()
        await self._show_current()
        raise SkipWrite

    async def _put_shutter(self, instance: Any, value: int) -> None:
        await instance.write(value, verify_value=False)
        self._note_beam()
        raise SkipWrite

    def _note_beam(self) -> None:
        lit = bool(self.shutter.value) and not self.beam_dump.value
        self._lit = [*self._lit[-1000:], (self.clock.now(), lit)]


def serve(options: IocOptions) -> None:
    """Run the microscope until SIGTERM, SIGINT or, if so asked, the end of standard input.

    One line of JSON on standard output tells when it is ready: ``pid``, ``port`` (UDP and TCP, on
    127.0.0.1), ``prefix`` and ``pvs``.

    Raises
    ------
    FileNotFoundError, ValueError
        When the specimen cannot be had or an option makes no sense.
    OSError
        When the port is taken.
    """
    # caproto opens sockets for beacons, though none is sent: keep them on this machine too
    os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
    os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = "127.0.0.1"
    asyncio.run(_serve(options))


async def _serve(options: IocOptions) -> None:
    ioc = MicroscopeIoc(options)
    await ioc.start()
    logging.getLogger("caproto.circ").addFilter(_in_one_line)
    context = LoopbackContext(ioc.pvdb, bind_loopback(options.port))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.watch_stdin:
        _watch_stdin(loop, stop)
    async with asyncio.TaskGroup() as tasks:  # when one fails, all end
        running = [tasks.create_task(context.run()), tasks.create_task(ioc.watch_ring())]
        await context.listening.wait()
        ready = {"pid": os.getpid(), "port": context.port, "prefix": options.prefix}
        print(json.dumps({**ready, "pvs": list(ioc.pvdb)}), flush=True)
        await stop.wait()
        for task in running:
            task.cancel()


def _in_one_line(record: logging.LogRecord) -> bool:
    """Spare the operator a traceback where a client's value was refused: the error says it all."""
    if record.exc_info and isinstance(record.exc_info[1], ValueError):
        record.msg = f"{record.getMessage()}: {record.exc_info[1]}"
        record.args = record.exc_info = None
    return True


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # A pipe's end is the one sign of a killed parent that cannot be missed. A thread, because not
    # every standard input can be polled.
    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from a command line; return the exit code."""
    try:
        serve(IocOptions.parse(arguments))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
