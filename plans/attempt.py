"""One try at something that devices do: its messages, guarded and counted, and what went wrong."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.run_engine import WaitForTimeoutError
from bluesky.utils import (
    FailedPause,
    FailedStatus,
    IllegalMessageSequence,
    InvalidCommand,
    Msg,
    RunEngineControlException,
)

from ..agent import RefusedTargetError, UnansweredCheckError
from .bad_points import Trouble
from .gate import Exposures, Gate
from .logbook import Plan
from .shutter import ScanShutter

NOT_OF_DEVICES = (RunEngineControlException, FailedPause, IllegalMessageSequence, InvalidCommand)
BEGINNING = ("set", "trigger", "prepare", "kickoff", "complete")  # what answers with a status
BY_DEVICES = (*BEGINNING, "read", "locate", "stop", "collect")
IN_ANY_MESSAGE = (FailedStatus, WaitForTimeoutError, RefusedTargetError)
TO_REST = 10.0  # s, for statuses to end whose devices have been stopped
BREATH = (
    0.05  # s, for the failures of a replayed group to arrive: those statuses are not known here
)
MOST_FAILURES = 20  # of devices that are being stopped


class Attempt:
    """Passes a plan's messages on; asks the guard before moves, and counts exposures.

    Parameters
    ----------
    gate : Gate
    exposures : Exposures
    motors : dict
        The motors by the axis that they move.
    detectors : list of readables
    shutter : ScanShutter, optional
        Opened before each exposure.
    """

    def __init__(
        self,
        gate: Gate,
        exposures: Exposures,
        motors: Mapping[str, Any],
        detectors: Iterable[Any],
        shutter: ScanShutter | None = None,
    ) -> None:
        self._gate, self._exposures, self._shutter = gate, exposures, shutter
        self._axes = {motor: axis for axis, motor in motors.items()}
        self._devices = [*motors.values(), *detectors]
        self._groups: set[Any] = set()
        self._moves: set[Any] = set()  # groups of moves under way
        self._let_through: Mapping[str, float] = {}
        self._statuses: list[Any] = []
        self._error: Exception | None = None
        self._command = ""

    def run(self, plan: Plan) -> Plan:
        """Run a plan; the exceptions that the RunEngine throws in are noted."""
        step: Callable[[], Msg] = partial(next, plan)
        while True:
            try:
                message = step()
            except StopIteration as end:
                return end.value
            try:
                yield from self._before(message)
                answer = yield message
            except GeneratorExit:  # a halt, too
                plan.close()
                raise
            except Exception as error:
                self._note(error, message.command)
                step = partial(plan.throw, error)
            else:
                self._remember(message, answer)
                step = partial(plan.send, answer)

    def _before(self, message: Msg) -> Generator[Msg, Any, None]:
        if message.command == "set" and message.obj in self._axes:
            axis, value = self._axes[message.obj], float(message.args[0])
            if self._let_through.get(axis) != value:
                yield Msg("set", self._gate, {axis: value})
        reads_untriggered = message.command == "create" and not self._groups
        group = message.kwargs.get("group", id(message))
        if (message.command == "trigger" and group not in self._groups) or reads_untriggered:
            self._groups.add(group)
            if self._shutter is not None:
                yield from self._shutter.opened()
            yield Msg("trigger", self._exposures, group=group)

    def _remember(self, message: Msg, answer: Any) -> None:
        if message.obj is self._gate:
            self._let_through = message.args[0]
        elif message.command == "set" and message.obj in self._axes:
            self._moves.add(message.kwargs.get("group"))
        elif _is_to_the_end(message) and message.kwargs.get("group") in self._moves:
            self._gate.arrived()
            self._moves.clear()
        elif message.command == "checkpoint":  # what stood before is not repeated after a pause
            self._let_through = {}
        if message.command in BEGINNING and hasattr(answer, "add_callback"):
            self._statuses.append(answer)

    def _note(self, error: Exception, command: str) -> None:
        if self._error is None and not isinstance(error, NOT_OF_DEVICES):
            self._error, self._command = error, command

    def trouble(self) -> Trouble | None:
        """What went wrong with the devices; None where it was something else."""
        error = self._error
        if error is None:
            return None
        theirs = _is_of_ophyd(error, "LimitError") or _is_of_ophyd(error, "DisconnectedError")
        if not (theirs or isinstance(error, IN_ANY_MESSAGE) or self._command in BY_DEVICES):
            return None
        return Trouble(self._kind(error), _reason(error))

    def _kind(self, error: Exception) -> str:
        if isinstance(error, UnansweredCheckError):
            return "lost"
        if isinstance(error, RefusedTargetError) or _is_of_ophyd(error, "LimitError"):
            return "refused"
        connected = all(getattr(device, "connected", True) for device in self._devices)
        away = _is_of_ophyd(error, "DisconnectedError") or isinstance(error, ConnectionError)
        if away or not connected:
            return "lost"
        if isinstance(error, FailedStatus):
            return "stalled" if self._of_motor(error.args[0]) else "hung"
        if isinstance(error, WaitForTimeoutError):
            return "hung" if self._groups else "stalled"
        if isinstance(error, TimeoutError):  # of a network, that is
            return "lost"
        if self._command == "set":
            return "refused" if isinstance(error, ValueError | TypeError) else "stalled"
        return "hung"

    def _of_motor(self, status: Any) -> bool:
        """Whether a status is of a move; where it does not say, whether nothing was counted."""
        device = _device_of(status)
        return not self._groups if device is None else device in self._axes

    def come_to_rest(self) -> Plan:
        """Let nothing move or count any more, and hear what else went wrong meanwhile.

        The failures of other statuses arrive in whatever message is under way: here, they change
        nothing any more.
        """
        for left in reversed(range(MOST_FAILURES)):
            try:
                yield from _drop()
                if self._shutter is not None:
                    self._shutter.shut()
                # What has failed is not to be replayed after a pause.
                yield from bps.checkpoint()
                yield from bps.wait_for([partial(_stop, self._devices), self._ended])
                yield from bps.sleep(BREATH)
                return
            except NOT_OF_DEVICES:
                raise
            except Exception:
                if not left:
                    raise

    async def _ended(self) -> None:
        """Wait until the RunEngine has heard the end of each status."""
        loop = asyncio.get_running_loop()
        ends = [loop.create_future() for _ in self._statuses]
        for status, end in zip(self._statuses, ends, strict=True):
            # The RunEngine's own callback was added before this one, and runs before it.
            status.add_callback(partial(_tell, loop, end))
        if ends:
            await asyncio.wait(ends, timeout=TO_REST)
        await _at_rest(self._axes)  # an IOC that hangs may obey an order of long ago


async def halt(motor: Any) -> None:
    """Stop a motor, which fails no status, and wait until it rests."""
    await _stop([motor])
    await _at_rest([motor])


async def _stop(devices: Iterable[Any]) -> None:
    for device in (d for d in devices if hasattr(d, "stop")):
        try:
            stopping = device.stop(success=True)  # forgiven: it fails no status
            if inspect.isawaitable(stopping):
                await stopping
        except Exception:
            continue


async def _at_rest(motors: Iterable[Any]) -> None:
    """Wait for motors that still move."""
    deadline = time.monotonic() + TO_REST
    while any(map(_moves, motors)) and time.monotonic() < deadline:
        await asyncio.sleep(BREATH)


def _is_to_the_end(message: Msg) -> bool:
    """Whether it waits until all is done, and not for a while."""
    return message.command == "wait" and message.kwargs.get("error_on_timeout", True)


def _moves(motor: Any) -> bool:
    """Whether a motor moves; one that is away, or that cannot tell, is waited for elsewhere."""
    try:
        return getattr(motor, "moving", False) is True
    except Exception:
        return False


def _is_of_ophyd(error: Exception, kind: str) -> bool:
    """Whether it is one of ophyd's errors, without importing what may not be in use."""
    return isinstance(error, getattr(sys.modules.get("ophyd.utils"), kind, ()))


def _tell(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None], _: Any = None) -> None:
    loop.call_soon_threadsafe(lambda: end.done() or end.set_result(None))


def _drop() -> Plan:
    """Close a bundle that an exception left open."""
    try:
        yield from bps.drop()
    except IllegalMessageSequence:  # there is none
        pass


def _reason(error: Exception) -> str:
    """What the device said, in one line."""
    said, cause = str(error) or type(error).__name__, error.__cause__
    if isinstance(error, FailedStatus) and cause is not None:
        status = error.args[0]
        if said.startswith(f"{type(status).__name__}("):  # it has no words of its own
            device = getattr(_device_of(status), "name", "a device")
            said = f"{device}: {str(cause) or repr(cause)}"
    return " ".join(said.split())[:400]


def _device_of(status: Any) -> Any:
    """Find what a status is about, where it says so."""
    of = (getattr(status, name, None) for name in ("pos", "device", "obj"))
    return next((device for device in of if device is not None), None)
