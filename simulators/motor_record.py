"""A motor record with the semantics of synApps' motorRecord.cc (R7), served by caproto.

Left out, and refused when written: homing, jogging, raw steps and loading a dial position.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from caproto import SkipWrite
from caproto.server import PVGroup, pvproperty

from .clock import Clock
from .kinematics import Axis
from .motor_drive import Drive, Leg
from .motor_settings import MotorSettings

# Bits of MSTA, from the motor record's reference
DIRECTION, DONE, PLUS_SWITCH, STALLED, PROBLEM, MOVING, MINUS_SWITCH = 0, 1, 2, 6, 9, 10, 13
REFUSED = ("HOMF", "HOMR", "JOGF", "JOGR", "RVAL", "SYNC")
POSITIONS = ("VAL", "RBV", "DVAL", "DRBV", "HLM", "LLM", "DHLM", "DLLM", "OFF", "TWV", "BDST")


class MotorRecord(PVGroup):
    """One motor record over one axis.

    Parameters
    ----------
    prefix : str
        The record's name.
    axis : Axis
        What it moves.
    clock : Clock
        Simulated time.
    settings : MotorSettings
        The fields' first values.
    """

    motor = pvproperty(value=0.0, name="", record="motor")

    def __init__(self, prefix: str, axis: Axis, clock: Clock, settings: MotorSettings) -> None:
        super().__init__(prefix)
        self.axis = axis
        self.drive = Drive(axis, clock, self._show_position)
        self._clock = clock
        self._settings = settings
        self._motion: asyncio.Task[None] | None = None
        self._fields: dict[str, Any] = {"VAL": self.motor, **cast(Any, self.motor).fields}

    async def start(self) -> None:
        """Give all fields their first values; call once, before the server starts."""
        for name, value in self._settings.fields(self.axis.position).items():
            await self._fields[name].write(value, verify_value=False)
        await self._put_precision(None, self._settings.precision)
        await self._put_unit(None, "um")
        await self._show_limits()
        await self._show_position()
        for name, putter in self._putters().items():
            self._fields[name].putter = putter
        for name in ("VAL", "DVAL"):
            # caproto would check the limits before the putter, and fail the client's put
            self._fields[name].verify_value = partial(self._putters()[name], self._fields[name])

    def _putters(self) -> dict[str, Callable[[Any, Any], Awaitable[Any]]]:
        refused = dict.fromkeys(REFUSED, self._refuse)
        return {
            "VAL": self._put_val, "DVAL": self._put_dval, "RLV": self._put_rlv,
            "TWF": partial(self._put_tweak, 1), "TWR": partial(self._put_tweak, -1),
            "STOP": self._put_stop, "SPMG": self._put_spmg,
            "VELO": self._put_velocity, "BVEL": self._put_velocity,
            "ACCL": self._put_ramp, "BACC": self._put_ramp, "BDST": self._put_distance,
            "HLM": partial(self._put_user_limit, "HLM"),
            "LLM": partial(self._put_user_limit, "LLM"),
            "DHLM": self._put_dial_limit, "DLLM": self._put_dial_limit,
            "OFF": self._put_offset, "DIR": self._put_frame,
            "EGU": self._put_unit, "PREC": self._put_precision,
            **refused,
        }  # fmt: skip

    # What the fields say

    def value(self, name: str) -> Any:
        """A field's value, VAL's too."""
        return self._fields[name].value

    async def _post(self, name: str, value: Any) -> None:
        if self.value(name) != value:
            await self._fields[name].write(value, verify_value=False)

    @property
    def _sign(self) -> int:
        return -1 if self.value("DIR") == "Neg" else 1

    def to_user(self, dial: float) -> float:
        """A dial position in the users' coordinates."""
        return self._sign * dial + self.value("OFF")

    def to_dial(self, user: float) -> float:
        """A users' position in dial coordinates."""
        return self._sign * (user - self.value("OFF"))

    async def _show_target(self, dial: float) -> None:
        await self._post("DVAL", dial)
        await self._fields["VAL"].write(self.to_user(dial), verify_value=False)

    async def _show_position(self, moving: bool = False) -> None:
        dial, _ = self.axis.at(self._clock.now())
        low, high = (False, False) if moving else self.axis.switches
        await self._post("DRBV", dial)
        await self._post("RBV", self.to_user(dial))
        await self._post("DIFF", self.value("DVAL") - dial)
        await self._post("HLS", int(high if self._sign > 0 else low))
        await self._post("LLS", int(low if self._sign > 0 else high))
        await self._post("MSTA", self._status(moving, low, high))
        await self._post("TDIR", int(self.drive.forward))
        await self._post("MOVN", int(moving))

    def _status(self, moving: bool, low: bool, high: bool) -> int:
        bits = {
            DIRECTION: self.drive.forward, DONE: not moving, MOVING: moving, PLUS_SWITCH: high,
            MINUS_SWITCH: low, STALLED: self.drive.stalled, PROBLEM: self.drive.stalled,
        }  # fmt: skip
        return sum(1 << bit for bit, on in bits.items() if on)

    async def _show_limits(self) -> None:
        dial = self.value("DLLM"), self.value("DHLM")
        user = sorted(map(self.to_user, dial))
        await self._post("LLM", user[0])
        await self._post("HLM", user[1])
        for names, (low, high) in ((("VAL", "RBV"), user), (("DVAL", "DRBV"), dial)):
            # caproto does not link these by itself, and clients would see limits (0, 0)
            limits = {"lower_ctrl_limit": low, "upper_ctrl_limit": high}
            limits |= {"lower_disp_limit": low, "upper_disp_limit": high}
            for name in names:
                await self._fields[name].write_metadata(**limits)

    # Motion

    async def move(self, dial: float) -> None:
        """Move to a dial position; return when DMOV is 1 again.

        Beyond a soft limit LVIO is set, the target stays as it was, DMOV blinks, and that is all:
        so does the real record, and no client's put fails.
        """
        await self._post("DMOV", 0)
        legs = self._legs(dial)
        refused = not all(self._allowed(leg.target) for leg in legs)
        await self._post("LVIO", int(refused))
        await self._show_target(self.value("DVAL") if refused else dial)
        moving = self._motion is not None and not self._motion.done()
        if refused:
            await self._post("DMOV", int(not moving))
            return
        self.drive.aim(legs)
        if self._motion is None or not moving:
            self._motion = asyncio.create_task(self._move())
        # else a new target on the way: the same motion goes on to it, and its callers wait on
        await asyncio.shield(self._motion)

    async def _move(self) -> None:
        await self._post("MOVN", 1)
        await self.drive.run()
        await self._show_position()
        if self.drive.stopped:
            await self._show_target(self.value("DRBV"))
        if self.value("SPMG") == "Move":
            await self._post("SPMG", "Pause")
            self.drive.pause(True)
        await self._post("DMOV", 1)

    def _legs(self, dial: float) -> list[Leg]:
        slew = Leg(dial, self.value("VELO"), self.value("ACCL"))
        distance = self.value("BDST")
        preferred = (dial > self.axis.at(self._clock.now())[0]) == (distance > 0)
        if distance == 0 or preferred:
            return [slew]
        approach = Leg(dial, self.value("BVEL"), self.value("BACC"))
        return [slew._replace(target=dial - distance), approach]

    def _allowed(self, dial: float) -> bool:
        low, high = self.value("DLLM"), self.value("DHLM")
        here = self.value("DVAL")
        inwards = high < dial < here or here < dial < low
        return math.isfinite(dial) and (low == high == 0 or low <= dial <= high or inwards)

    # What clients write; SkipWrite where all that there is to post has been posted

    async def _put_val(self, channel: Any, value: float) -> None:
        if self.value("SET") == "Set":
            if self.value("FOFF") == "Frozen":
                await self._refuse(channel, value)
            await self._post("OFF", value - self._sign * self.value("DVAL"))
            await self._show_frame()
        else:
            await self.move(self.to_dial(value))
        raise SkipWrite

    async def _put_dval(self, channel: Any, value: float) -> None:
        if self.value("SET") == "Set":
            await self._refuse(channel, value)
        await self.move(value)
        raise SkipWrite

    async def _put_rlv(self, _: Any, value: float) -> None:
        await self.move(self.to_dial(self.value("VAL") + value))
        raise SkipWrite

    async def _put_tweak(self, way: int, _: Any, value: int) -> None:
        if value:
            await self.move(self.to_dial(self.value("VAL") + way * self.value("TWV")))
        raise SkipWrite

    async def _put_stop(self, _: Any, value: int) -> None:
        if value:
            self.drive.stop()
        raise SkipWrite

    async def _put_spmg(self, channel: Any, value: Any) -> None:
        await channel.write(value, verify_value=False)
        if self.value("SPMG") == "Stop":
            self.drive.stop()
        self.drive.pause(self.value("SPMG") in ("Stop", "Pause"))
        raise SkipWrite

    async def _put_velocity(self, channel: Any, value: float) -> float:
        _check_finite(channel, value)
        return min(max(value, self.value("VBAS")), self.value("VMAX"))

    async def _put_ramp(self, channel: Any, value: float) -> float:
        _check_finite(channel, value)
        return max(value, 0.0)

    async def _put_distance(self, channel: Any, value: float) -> None:
        _check_finite(channel, value)

    async def _put_user_limit(self, name: str, channel: Any, value: float) -> None:
        _check_finite(channel, value)
        upper = (name == "HLM") == (self._sign > 0)
        await self._post("DHLM" if upper else "DLLM", self.to_dial(value))
        await self._show_limits()
        raise SkipWrite

    async def _put_dial_limit(self, channel: Any, value: float) -> None:
        _check_finite(channel, value)
        await channel.write(value, verify_value=False)
        await self._show_limits()
        raise SkipWrite

    async def _put_offset(self, channel: Any, value: float) -> None:
        _check_finite(channel, value)
        await self._put_frame(channel, value)

    async def _put_frame(self, channel: Any, value: Any) -> None:
        await channel.write(value, verify_value=False)
        await self._show_frame()
        raise SkipWrite

    async def _show_frame(self) -> None:
        """Offset or direction are new: the dial stays, the user's numbers change, nothing moves."""
        await self._show_target(self.value("DVAL"))
        await self._post("RBV", self.to_user(self.value("DRBV")))
        await self._show_limits()

    async def _put_unit(self, _: Any, value: Any) -> None:
        for name in POSITIONS:
            await self._fields[name].write_metadata(units=value)

    async def _put_precision(self, _: Any, value: int) -> None:
        for name in POSITIONS:
            await self._fields[name].write_metadata(precision=int(value))

    async def _refuse(self, channel: Any, value: Any) -> None:
        raise ValueError(f"{channel.pvname} is not simulated: this record moves by VAL, DVAL, "
                         "RLV, TWF and TWR")  # fmt: skip


def _check_finite(channel: Any, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{channel.pvname} = {value}: expected a finite number")
