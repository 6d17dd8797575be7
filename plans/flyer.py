"""All of a point's devices as one: read where the stage stands, or collected from a flight."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from .flight import Flight, FlyingDetector
from .speeds import Speeds
from .status import FutureStatus, finished

SETPOINT = "_user_setpoint"  # how a motor's key ends that says where it was sent


class Flyer:
    """Detectors and motors as one device, which bluesky may read, or fly.

    A stream belongs to one set of devices. So that flown bins and points may share ``primary``,
    this one is read for points, too: its keys are those of the devices.

    Parameters
    ----------
    detector : FlyingDetector
        Counts the bins.
    detectors : list of readables
    motors : dict
        The motors by the data key of their readbacks.
    steering : sequence of str
        Data keys that the scan is steered by: the detector must tell them bin by bin.
    speeds : Speeds
        Put back on a pause, and however the run ends.
    """

    parent = None

    def __init__(
        self,
        detector: FlyingDetector,
        detectors: Sequence[Any],
        motors: Mapping[str, Any],
        steering: Sequence[str],
        speeds: Speeds,
    ) -> None:
        self.name: str = detectors[0].name  # under which readers look for the first detector's keys
        self.detector = detector
        self.speeds = speeds
        self._motors = motors
        self._steering = tuple(steering)
        self._devices = [*detectors, *motors.values()]
        self._keys: dict[Any, list[str]] = {}
        self._flight: Flight | None = None
        self._page: dict[str, Any] | None = None

    @property
    def hints(self) -> dict[str, list[str]]:
        """Those of the devices."""
        of_each = ((getattr(d, "hints", None) or {}).get("fields", []) for d in self._devices)
        return {"fields": [field for fields in of_each for field in fields]}

    async def read(self) -> dict[str, Any]:
        """What the devices read."""
        return await self._merged("read", self._devices)

    async def describe(self) -> dict[str, Any]:
        """Describe the keys of ``read``, which are those of a flight's bins."""
        for device in self._devices:
            self._keys[device] = list(await self._merged("describe", [device]))
        return await self._merged("describe", self._devices)

    describe_collect = describe

    async def read_configuration(self) -> dict[str, Any]:
        """What the devices' configurations read."""
        return await self._merged("read_configuration", self._devices)

    async def describe_configuration(self) -> dict[str, Any]:
        """Describe the keys of ``read_configuration``."""
        return await self._merged("describe_configuration", self._devices)

    async def _merged(self, method: str, devices: Sequence[Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for device in devices:
            answer = getattr(device, method, dict)()
            merged |= await answer if inspect.isawaitable(answer) else answer
        return merged

    # Flying.

    def prepare(self, flight: Flight) -> FutureStatus:
        """Take up a flight; one that is replayed although it was collected is not flown again."""
        if flight is not self._flight:
            self._flight, self._page = flight, None
        return finished()

    def has_begun(self, flight: Flight) -> bool:
        """Whether it is this flight that the detector counts, or has counted."""
        return flight is self._flight

    def kickoff(self) -> Any:
        """Let the detector wait for the axis."""
        flight = self._flight
        if flight is None:
            raise RuntimeError("a flight is started that was not prepared")
        if self._page is not None:
            return finished()
        return self.detector.prepare(
            flight.axis,
            start=flight.start,
            pitch=flight.pitch,
            bins=flight.bins,
            dwell=flight.dwell,
        )

    def complete(self) -> Any:
        """Let the detector end: the axis rests."""
        return finished() if self._page is not None else self.detector.complete()

    async def collect_pages(self) -> AsyncIterator[dict[str, Any]]:
        """The bins that were counted, as a page of events; none where there are none."""
        if self._flight is not None and self._page is None:
            told = self.detector.bins()
            told = await told if inspect.isawaitable(told) else told
            told = self._bins(self._flight, told)
            others = [d for d in self._devices if not set(self._keys[d]) <= set(told)]
            self._page = _page(told, await self._merged("read", others), self._all_keys)
        if self._page and len(next(iter(self._page["data"].values()))):
            yield self._page

    def _bins(self, flight: Flight, bins: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        """What is known bin by bin, the setpoints included."""
        told = {key: [float(v) for v in values] for key, values in bins.items()}
        if not told:  # a run that is ended in mid-air is asked for what there is
            return {key: [] for key in self._all_keys}
        name, missing = self.detector.name, {flight.axis, *self._steering} - set(told)
        if missing:
            raise ValueError(
                f"{name}.bins() must tell {', '.join(sorted(missing))} bin by bin, but it told "
                f"{', '.join(told) or 'nothing'}"
            )
        lengths = {len(values) for values in told.values()}
        if len(lengths) > 1 or max(lengths) > flight.bins:
            raise ValueError(
                f"{name}.bins() must tell as many values of each key, at most {flight.bins}, but "
                f"it told {sorted(lengths)}"
            )
        number = lengths.pop()
        setpoints = {
            f"{getattr(motor, 'name', axis)}{SETPOINT}": [float(flight.begin[axis])] * number
            for axis, motor in self._motors.items()
        }
        flying = f"{getattr(self._motors[flight.axis], 'name', flight.axis)}{SETPOINT}"
        return {**setpoints, flying: flight.centres[:number].tolist(), **told}

    @property
    def _all_keys(self) -> list[str]:
        return [key for keys in self._keys.values() for key in keys]

    # What bluesky calls however a run ends.

    def stage(self) -> list[Any]:
        """Nothing."""
        return [self]

    def unstage(self) -> list[Any]:
        """Put the motors' speeds back, however the run ended."""
        self.speeds.put_back()
        return [self]

    def pause(self) -> None:
        """Put the motors' speeds back; a flight that is replayed sets its own."""
        self.speeds.put_back()

    def resume(self) -> None:
        """Nothing: see ``pause``."""


def _page(
    told: Mapping[str, list[float]], reading: Mapping[str, Any], wanted: Iterable[str]
) -> dict[str, Any]:
    """Data and timestamps of a page; what was not told bin by bin stays as it was read."""
    now, number = time.time(), len(next(iter(told.values())))
    data = {k: told[k] if k in told else [reading[k]["value"]] * number for k in wanted}
    return {"data": data, "timestamps": {key: [now] * number for key in data}}
