"""Wait for devices to connect, and say which PVs do not answer."""

import os
import time
from collections.abc import Iterable, Iterator

from ophyd import Device

POLL = 0.02
"""s between two looks; connecting itself goes on in ophyd's threads."""


def connect(devices: Iterable[Device], timeout: float = 10.0) -> None:
    """Wait until all devices are connected.

    Parameters
    ----------
    devices
        ophyd devices.
    timeout
        s, for all of them together.

    Raises
    ------
    TimeoutError
        Names each PV that did not answer (a record by its name alone where none of its fields
        answered) and what to check.

    Examples
    --------
    ``connect([stage, counter, ring], timeout=5)``
    """
    waiting = list(devices)
    deadline = time.monotonic() + timeout
    while waiting := [device for device in waiting if not device.connected]:
        if time.monotonic() > deadline:
            raise TimeoutError(_complaint(waiting, timeout))
        time.sleep(POLL)


def _complaint(devices: list[Device], timeout: float) -> str:
    silent = list(_silent_pvs(devices))
    names = ", ".join(device.name for device in devices)
    if not silent:
        return (
            f"{names}: all PVs answered, but their first values did not come within {timeout:g} s: "
            "the IOC is overloaded or frozen; check it, or allow more time"
        )
    addresses = os.environ.get("EPICS_CA_ADDR_LIST", "")
    automatic = os.environ.get("EPICS_CA_AUTO_ADDR_LIST", "YES")
    return (
        f"{names}: no answer within {timeout:g} s from {', '.join(silent)}: check that the IOC "
        f"runs, that the prefix is right, and that EPICS_CA_ADDR_LIST ({addresses!r}, with "
        f"EPICS_CA_AUTO_ADDR_LIST {automatic!r}) leads to it"
    )


def _silent_pvs(devices: list[Device]) -> Iterator[str]:
    """Give the PVs without an answer, a record once where none of its fields answers."""
    fields: dict[str, dict[str, bool]] = {}
    for device in devices:
        for walk in device.walk_signals():
            pv = getattr(walk.item, "pvname", None)
            if pv is not None:
                fields.setdefault(pv.partition(".")[0], {})[pv] = walk.item.connected
    for record, answers in fields.items():
        if any(answers.values()):
            yield from (pv for pv, answered in answers.items() if not answered)
        else:
            yield record
