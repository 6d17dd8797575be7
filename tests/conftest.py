"""What the tests of several rooms share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from skysteer.simulators import Ioc, IocOptions


@pytest.fixture
def ioc() -> Iterator[Callable[..., Ioc]]:
    """A factory of simulated microscopes: ``ioc(noise="none")``; all end with the test."""
    with ExitStack() as stack:

        def start(options: IocOptions | None = None, **changes: Any) -> Ioc:
            return stack.enter_context(Ioc(options, **changes))

        yield start


@pytest.fixture(scope="session")
def run_client() -> Callable[..., Any]:
    """Run a script as a client of an IOC, and return what its last line of output says in JSON.

    ``run_client(ioc, script, *arguments, timeout=60, **environment)``.  Clients are processes of
    their own because libca reads its environment once.
    """

    def run(
        ioc: Ioc, script: Path, *arguments: object, timeout: float = 60, **environment: str
    ) -> Any:
        client = subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            env={**os.environ, **ioc.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert client.returncode == 0, client.stderr[-4000:]
        return json.loads(client.stdout.splitlines()[-1])

    return run
