"""How long `skysteer shell --sim` takes from the command to its prompt, and what of it is imports.

Each start is a process on a terminal of its own.  Its imports are summed from ``-X importtime``,
each module without those that it imports itself; the shell opens its catalog in a thread, whose
imports overlap with the start, and so the time after the imports is told as at most the whole.

    python benchmarks/shell_start.py --starts 5 [--prefix BL:]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pexpect

PROMPT = re.compile(r"In \[1\]:")
LINE = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)\r?$", re.MULTILINE)
HEAVY = ("torch", "gpytorch", "botorch", "sklearn", "matplotlib.pyplot")


def start(folder: Path, where: list[str]) -> tuple[float, dict[str, float]]:
    """Open the shell and leave it; returns the seconds to its prompt, and of each import."""
    began = time.perf_counter()
    child = pexpect.spawn(
        sys.executable,
        ["-X", "importtime", "-m", "skysteer", "shell", *where, "--out", str(folder)],
        env={**os.environ, "TERM": "dumb", "IPYTHONDIR": str(folder / "ipython")},
        encoding="utf-8",
        timeout=120,
    )
    child.expect(PROMPT)
    seconds = time.perf_counter() - began
    told = str(child.before)
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    return seconds, {name: 1e-6 * int(us) for us, name in LINE.findall(told)}


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--prefix", help="of a microscope that runs; else one is simulated")
    asked = parser.parse_args()
    where = ["--prefix", asked.prefix] if asked.prefix else ["--sim"]
    prompts: list[float] = []
    imports: list[float] = []
    loaded: set[str] = set()
    for _ in range(asked.starts):
        with tempfile.TemporaryDirectory() as folder:
            seconds, modules = start(Path(folder), where)
        prompts.append(seconds)
        imports.append(sum(modules.values()))
        loaded |= modules.keys()
    rest = [whole - part for whole, part in zip(prompts, imports, strict=True)]
    print(
        json.dumps(
            {
                "starts": asked.starts,
                **_told("seconds_to_prompt", prompts),
                **_told("seconds_of_imports", imports),
                **_told("seconds_after_imports", rest),
                "heavy_imports": sorted(loaded.intersection(HEAVY)),
            }
        )
    )


def _told(name: str, seconds: list[float]) -> dict[str, float | list[float]]:
    """Give the median, and the least and the most."""
    spread = [round(min(seconds), 2), round(max(seconds), 2)]
    return {name: round(statistics.median(seconds), 2), f"{name}_spread": spread}


if __name__ == "__main__":
    main()
