"""Processes are killed in the middle of a scan, and the scan ends as if they had not been."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skysteer.simulators import Ioc

from .programs import benchmark

kills = benchmark("reliability_kills")
AGENT = f"{Path(__file__).parents[1] / 'plans' / 'samplers.py'}:Steepest"  # quick to start


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """A factory of scans, each with a microscope of its own."""
    made: list[Any] = []

    def make(name: str) -> Any:
        made.append(kills.KilledScan(tmp_path / name, Ioc(kills.MICROSCOPE), AGENT))
        return made[-1]

    yield make
    for each in made:
        each.ioc.close()


@pytest.mark.timeout(900)
def test_whatever_is_killed_the_scan_ends_as_if_nothing_had_been(
    scan: Callable[[str], Any],
) -> None:
    chance = random.Random(3)
    order = ("worker", "keeper", "RunEngine", "ioc")
    moments = [chance.randrange(10 + 30 * k, 35 + 30 * k) for k in range(len(order))]
    mine = scan("out")
    planned = [kills.Kill(*each, 0.01) for each in zip(order, moments, strict=True)]
    killed = kills.interrupt(mine, planned)
    assert [victim for victim, _ in killed] == list(order)
    points = kills.whole(scan("whole"))
    mine.check_against(points)
    # nor does that pass whatever comes
    others = [points[1], points[0], *points[2:]]
    with pytest.raises(kills.MismatchError, match="in another order"):
        mine.check_against(others)
    lines = (mine.folder / "points.csv").read_text().splitlines()
    (mine.folder / "points.csv").write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(kills.MismatchError, match="holds others"):
        mine.check_against(others)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nor_is_it_otherwise_in_mid_air() -> None:
    agent = AGENT.replace("Steepest", "Segments")
    for outcome in kills.kill_and_compare(3, seed=3, agent=agent, fly=True):
        print(outcome, flush=True)
        assert not outcome["why"], outcome


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_at_fifty_moments_each() -> None:
    """The long form."""
    for outcome in kills.kill_and_compare(50, seed=100):
        print(outcome, flush=True)
        assert not outcome["why"], outcome
