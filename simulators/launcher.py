"""Start the simulated microscope in its own process, and stop it again."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from types import TracebackType
from typing import Any

from .options import IocOptions

GRACE = 5.0  # s between SIGTERM and SIGKILL


class Ioc:
    """A running simulated microscope; use it as a context manager.

    The process ends with this object's `close`, and with this process, however that ends.

    Parameters
    ----------
    options : IocOptions, optional
        What to simulate.
    timeout : float
        s to become ready.
    **changes
        Fields of `options` to replace.

    Attributes
    ----------
    options : IocOptions
        As it runs.
    port : int
        Where it answers on 127.0.0.1.
    pvs : tuple of str
        The PVs it serves.

    Raises
    ------
    RuntimeError
        When it does not become ready; the message has what it wrote to standard error.

    Examples
    --------
    >>> with Ioc(kind="particles", noise="none") as ioc:
    ...     ioc.environment["EPICS_CA_AUTO_ADDR_LIST"]
    'NO'
    """

    def __init__(
        self, options: IocOptions | None = None, *, timeout: float = 60.0, **changes: Any
    ) -> None:
        self.options = replace(options or IocOptions(), watch_stdin=True, **changes)
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skysteer.simulators.ioc", *self.options.arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_server_environment(),
            start_new_session=True,  # Ctrl-C at the terminal is for the scan alone
        )
        try:
            ready = json.loads(self._first_line(time.monotonic() + timeout))
        except BaseException:
            self.close()
            raise
        self.port: int = ready["port"]
        self.pvs: tuple[str, ...] = tuple(ready["pvs"])

    def _first_line(self, deadline: float) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - a pipe was asked for
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n") and selector.select(deadline - time.monotonic()):
                chunk = os.read(stdout.fileno(), 1 << 16)
                if not chunk:
                    break
                line += chunk
        if not line.endswith(b"\n"):
            raise RuntimeError(f"the simulated microscope did not start: {self._last_words()}")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()
        return words[-2000:] or "it said nothing in the time given"

    @property
    def prefix(self) -> str:
        """What its PV names begin with."""
        return self.options.prefix

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must hold before its first PV, to find this one alone."""
        return {
            "EPICS_CA_ADDR_LIST": f"127.0.0.1:{self.port}",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
        }

    def close(self, *, grace: float = GRACE) -> None:
        """End the process and wait for it; kill it when it is still there after `grace` s."""
        if self._errors.closed:
            return
        self._process.terminate()
        try:
            self._process.communicate(timeout=grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Ioc:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _server_environment() -> dict[str, str]:
    """Our environment less its Channel Access, and with one numerical thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPICS_")}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
