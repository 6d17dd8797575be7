"""Clients in processes of their own: libca reads its environment once, and ophyd its layer."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from skysteer.simulators import Ioc

LAYERS = ("pyepics", "caproto")

LAB = Path(__file__).with_name("lab.py")


class Client:
    """Runs functions in one process of its own: they import what they need, and are given `lab`."""

    def __init__(self, layer: str, environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EPICS_")}
        self.process = subprocess.Popen(
            [sys.executable, str(LAB)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, **environment, "OPHYD_CONTROL_LAYER": layer},
            text=True,
        )

    def __call__(self, function: Callable[..., Any], **arguments: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        source = textwrap.dedent(inspect.getsource(function))
        task = {"source": source, "name": function.__name__, "arguments": arguments}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def start_client() -> Iterator[Callable[[str, dict[str, str]], Client]]:
    """Start clients: ``start_client("pyepics", ioc.environment)``; all end with the module."""
    with ExitStack() as stack:

        def start(layer: str, environment: dict[str, str]) -> Client:
            client = Client(layer, environment)
            stack.callback(client.close)
            return client

        yield start


@pytest.fixture(scope="module")
def microscope() -> Iterator[Ioc]:
    """One noiseless simulated microscope for a module; its moves take no time unless asked."""
    with Ioc(kind="gradients", noise="none") as ioc:
        yield ioc


@pytest.fixture(scope="module", params=LAYERS)
def client(
    request: pytest.FixtureRequest,
    microscope: Ioc,
    start_client: Callable[[str, dict[str, str]], Client],
) -> Client:
    """Run a function beside the microscope, once with each of ophyd's control layers."""
    return start_client(request.param, microscope.environment)
