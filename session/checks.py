"""What is refused before anything is started, and what is said on the way."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

from .settings import Scan

if TYPE_CHECKING:
    pass


def check_sampler(scan: Scan) -> None:
    """Refuse an agent that is not there, or options that it does not take."""
    from ..agent import check_agent, make_sampler, parse

    parse(scan.until)
    check_agent(scan.agent)
    if scan.all_options:
        make_sampler(scan.agent, scan.all_options)


def check_scan(scan: Scan) -> None:
    """Refuse what makes no sense before anything is started."""
    check_sampler(scan)
    try:
        scan.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=scan.out):
            pass
    except OSError as error:
        raise ValueError(
            f"--out must be a folder one can write to, but {scan.out} is not: {error.strerror}"
        ) from error


def say(message: str) -> None:
    """Tell the person at the terminal, beside what other programs read."""
    print(f"skysteer: {message}", file=sys.stderr, flush=True)
