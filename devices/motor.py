"""A motor record as a scan needs it: each move ends, in time, and "arrived" means at the target."""

import math
from functools import partial
from typing import Any

from ophyd import Component as Cpt
from ophyd import EpicsMotor, EpicsSignalRO
from ophyd.device import required_for_connection
from ophyd.status import MoveStatus
from ophyd.status import wait as status_wait
from ophyd.utils import DisconnectedError, LimitError, StatusTimeoutError
from ophyd.utils.epics_pvs import AlarmSeverity

from .outcome import outcome
from .signals import FloatSignal, FloatSignalRO, WritableSignal
from .turns import Turns

MARGIN = 10.0
"""s, on top of twice the time that the record's speed and acceleration give."""
UNKNOWN_SPEED = 300.0
"""s, allowed for a move where the record states no speed (VELO is 0)."""
AT_ONCE: dict[str, Any] = {
    "auto_monitor": True,
    "put_complete": True,  # else ophyd waits 10 ms at a time in a thread: a flight sets them twice
    "write_timeout": MARGIN,
}
FALLBACK_TOLERANCE = 1e-3
"""motor units, where the record states neither RDBD nor PREC."""


class ScanMove(MoveStatus):
    """One move of a `ScanMotor`; its text gives the reason when it failed."""

    def __str__(self) -> str:
        motor = self.pos
        action = f"move of {motor.name} ({motor.prefix}) to {self.target:g} {self._unit}"
        last = motor.position if self.finish_pos is None else self.finish_pos
        advice = (
            f"last readback {last:g}; check that the IOC answers, and that the motor is "
            "neither stuck nor paused (SPMG)"
        )
        return outcome(self, action, advice)

    __repr__ = __str__

    def _handle_failure(self) -> None:
        # Only a move that ran out of time may still be moving. To stop after any other failure, as
        # ophyd does, would stop the move that replaced this one.
        if isinstance(self.exception(timeout=0), StatusTimeoutError) and self.pos.connected:
            self.pos.stop()


class ScanMotor(EpicsMotor):
    """An EPICS motor record for scans, with what stock ophyd 1.11 gets wrong mended.

    A move is done when the record's put-completion says so, which belongs to this move alone (ophyd
    waits for the next rise of DMOV, and can lose it), and has succeeded when the readback that is
    fetched then lies within the tolerance of the target (ophyd takes any end of motion for arrival,
    ophyd issue 734). It fails, with the reason, when the record refuses the target (LVIO), a limit
    switch closes, the record is in alarm, somebody else stops the motor or sends it elsewhere, and
    when the time runs out. The RunEngine's own stops, with ``success=True`` on a pause, are no
    failure: it replays the move when it resumes.

    A reading has ``<name>``, the readback, and ``<name>_user_setpoint``; both are fetched.

    Parameters
    ----------
    prefix
        The record's name, for example ``"SIM:x"``.
    name
        Name of the device and of its readback in the documents.
    tolerance
        Largest distance in motor units from target to readback that counts as arrival; default:
        the larger of the record's retry deadband (RDBD) and one digit of its precision (PREC).
    timeout
        s, for each move; default: twice what VELO and ACCL give for the distance, plus 10 s.
    """

    user_readback = Cpt(FloatSignalRO, ".RBV", kind="hinted")
    user_setpoint = Cpt(FloatSignal, ".VAL", kind="normal")
    velocity = Cpt(FloatSignal, ".VELO", kind="config", **AT_ONCE)
    acceleration = Cpt(FloatSignal, ".ACCL", kind="config", **AT_ONCE)
    low_limit_travel = Cpt(FloatSignal, ".LLM", kind="omitted", auto_monitor=True)
    high_limit_travel = Cpt(FloatSignal, ".HLM", kind="omitted", auto_monitor=True)
    retry_deadband = Cpt(FloatSignalRO, ".RDBD", kind="omitted", auto_monitor=True)
    limit_violation = Cpt(EpicsSignalRO, ".LVIO", kind="omitted")
    motor_stop = Cpt(WritableSignal, ".STOP", kind="omitted")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        tolerance: float | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        self._tolerance = tolerance
        super().__init__(prefix, name=name, timeout=timeout, **kwargs)
        self._turns = Turns(self.user_setpoint, self._completed)

    @property
    def tolerance(self) -> float:
        """Largest distance from the target, in motor units, that counts as arrival."""
        if self._tolerance is not None:
            return self._tolerance
        digits = self.user_readback.precision or 0
        return (
            max(self.retry_deadband.get(), 10.0**-digits if digits > 0 else 0) or FALLBACK_TOLERANCE
        )

    @tolerance.setter
    def tolerance(self, tolerance: float | None) -> None:
        self._tolerance = tolerance

    @property
    def position(self) -> float:
        """The last readback known, in motor units, also when the IOC is gone; NaN before any."""
        return math.nan if self._position is None else self._position

    def read(self) -> Any:
        self._require_connection()
        return super().read()

    @property
    def moving(self) -> bool:
        """Whether it moves, or its IOC has yet to say that the last move is over."""
        return self._turns.busy or super().moving

    @property
    def limits(self) -> tuple[float, float]:
        """The record's soft limits (LLM, HLM) in motor units; equal where there are none."""
        return self.low_limit_travel.get(), self.high_limit_travel.get()

    def check_value(self, pos: float) -> None:
        """Refuse a target that is not a number or lies outside the record's soft limits.

        Raises
        ------
        ValueError
            The target is NaN or infinite.
        LimitError
            The target lies outside the soft limits.
        """
        if not math.isfinite(pos):
            raise ValueError(
                f"{self.name}: a target must be a finite number of {self.egu}, got {pos}"
            )
        low, high = self.limits
        if low != high and not low <= pos <= high:
            raise LimitError(
                f"{self.name}: {pos:g} {self.egu} lies outside the soft limits {low:g}..{high:g} "
                f"of {self.prefix}: choose another target or move the limits (LLM, HLM)"
            )

    def move(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        position: float,
        wait: bool = True,
        *,
        moved_cb: Any = None,
        timeout: float | None = None,
    ) -> ScanMove:
        """Move to a position in motor units, and with `wait` return when there.

        A move under way fails, and the motor stops before it goes to the new target.

        Parameters
        ----------
        position
            Target, within the soft limits.
        wait
            Block until the motor is there.
        moved_cb
            Called with the status when the move has ended.
        timeout
            s; default: the motor's own.

        Raises
        ------
        ValueError
            The target is not finite or lies outside the limits.
        DisconnectedError
            The IOC is gone.
        Exception
            With `wait`: what made the move fail.
        """
        self._require_connection()
        target = float(position)
        self.check_value(target)
        move = ScanMove(
            self,
            target,
            timeout=timeout or self.timeout or self._time_for(target),
            settle_time=self.settle_time,
            call_stop_on_failure=False,
        )
        if moved_cb is not None:
            move.add_callback(partial(moved_cb, obj=self))
        if self._turns.current is not None:
            self.motor_stop.put(1, wait=False)
        self._turns.begin(move, target)
        if wait:
            self._wait(move)
        return move

    def stop(self, *, success: bool = False) -> None:
        """Stop; the move under way fails, or with `success` (a RunEngine's pause) is forgiven.

        Raises
        ------
        DisconnectedError
            The IOC is gone, and the motor may still move.
        """
        move = self._turns.current
        try:
            self._require_connection()
            self.motor_stop.put(1, wait=False)
        finally:
            self._turns.end(move, None if success else RuntimeError("stopped by stop()"))

    def _require_connection(self) -> None:
        if not self.connected:
            raise DisconnectedError(f"{self.name}: {self.prefix} is not connected; is its IOC up?")

    def _wait(self, move: ScanMove) -> None:
        try:
            status_wait(move)
        except KeyboardInterrupt:
            self.stop()
            raise

    def _time_for(self, target: float) -> float:
        speed, ramp = self.velocity.get(), self.acceleration.get()
        travel = abs(target - self.position) / speed if speed > 0 else math.inf
        seconds = 2 * (travel + 2 * ramp) + MARGIN
        return seconds if math.isfinite(seconds) else UNKNOWN_SPEED

    def _completed(self, move: ScanMove) -> None:
        try:
            error = self._judge(move.target)
        except Exception as cause:
            # Judging only reads PVs, and what a read says when it fails is "status code: 192".
            error = RuntimeError(
                "could not verify the arrival: the IOC does not answer: check that it runs"
            )
            error.__cause__ = cause
        self._turns.end(move, error)

    def _judge(self, target: float) -> Exception | None:
        # This form brings the alarm severity with the value: monitors may still be on the way.
        readback = self.user_readback.get(form="ctrl")
        alarm = self.user_readback.alarm_severity
        self._set_position(readback)
        # Written so that a NaN readback has not arrived either.
        arrived = abs(readback - target) <= self.tolerance
        if not arrived:
            return self._reason_for(readback)
        if alarm > self.tolerated_alarm:
            severity = AlarmSeverity(alarm).name
            return RuntimeError(f"the record is in alarm ({severity}); see its MSTA")
        return None

    def _reason_for(self, readback: float) -> Exception:
        if self.limit_violation.get():
            low, high = self.limits
            return LimitError(f"the record refused it (LVIO): soft limits {low:g}..{high:g}")
        for switch in (self.low_limit_switch, self.high_limit_switch):
            if switch.get(use_monitor=False):
                return RuntimeError(f"limit switch {switch.pvname} closed at {readback:g}")
        setpoint = self.user_setpoint.get()
        return RuntimeError(
            f"ended at {readback:g} (VAL {setpoint:g}), further than the tolerance of "
            f"{self.tolerance:g} from the target: stopped or sent elsewhere by another client, "
            "stalled, or the tolerance (RDBD, tolerance=) is too tight"
        )

    @required_for_connection
    @user_readback.sub_value
    def _pos_changed(self, timestamp: Any = None, value: Any = None, **kwargs: Any) -> None:
        self._set_position(value)

    @required_for_connection
    def _move_changed(
        self, timestamp: Any = None, value: Any = None, sub_type: Any = None, **kwargs: Any
    ) -> None:
        # Stock ophyd ends the move here. Left: `moving`, its subscribers, and home().
        was_moving, self._moving = self._moving, value != 1
        if self._moving and not was_moving:
            self._run_subs(sub_type=self.SUB_START, timestamp=timestamp, value=value)
        if was_moving and not self._moving:
            self._done_moving(timestamp=timestamp, value=value)
