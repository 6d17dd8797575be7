"""Rehearsals that count photons, for chosen dwells: what is read, and the time that it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skysteer.agent import StageTime
from skysteer.rehearsal import Counting, Trajectory, compare_agents, run_agent

STAGE = StageTime(speed=1000, settle=0.02, dwell=0.01, overhead=0.003)
OPTIONS = {"counts_per_unit": 4.0}


def truth(side: int = 40) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] / side
    return 0.2 + (np.hypot(rows - 0.5, columns - 0.4) < 0.3) + 0.3 * rows


def run(fly: bool = False, side: int = 40, share: float = 0.15) -> Trajectory:
    image = truth(side)
    *_, (points, made) = run_agent(
        image, "slads", round(share * image.size), batch=None, seed=3, options=OPTIONS,
        stage=STAGE, fly=fly, counting=Counting(4.0, 3), longest_dwell=0.16,
    )  # fmt: skip
    assert made is not None and points >= round(share * image.size)
    return made


@pytest.mark.parametrize("fly", [False, True])
def test_the_seconds_are_those_of_every_count_and_way(fly: bool) -> None:
    made = run(fly, side=96 if fly else 40)
    path = made.path
    assert path is not None and len(set(path.dwells)) > 1
    ends = np.cumsum(path.lengths)
    begins = ends - path.lengths
    clock, seconds, here = path.visits(STAGE), 0.0, path.pixels[0].astype(float)
    for begin, end, dwell in zip(begins, ends, path.dwells, strict=True):
        first, last = path.pixels[begin].astype(float), path.pixels[end - 1].astype(float)
        way = np.sign(last - first) * 0.5  # the stage flies from edge to edge, at once
        seconds += max(abs(first - way - here)) / 1000 if begin else 0.0
        seconds += 0.02 + 0.003 + (end - begin) * max(0.01 * dwell, 0.001)
        here = last + way
        assert clock[end - 1] == pytest.approx(seconds)
    assert made.seconds(len(made.scan.values), STAGE) == pytest.approx(clock[path.fresh[-1]])


def test_a_scan_is_told_as_it_was_after_so_many_points() -> None:
    made = run()
    num = len(made.scan.values) // 2
    part = made.first(num)
    assert part.pixels.tolist() == made.scan.pixels[:num].tolist()
    assert part.exposures is not None and made.scan.exposures is not None
    assert (part.exposures <= made.scan.exposures[:num]).all()
    path = made.path
    assert path is not None
    total = made.scan.exposures.sum()
    assert total == pytest.approx(np.repeat(path.dwells, path.lengths).sum())


def test_counts_have_the_mean_and_the_variance_of_photons() -> None:
    counting = Counting(5.0, seed=1)
    told = np.array([counting.read([2.0, 0.0, -1.0], 4.0, k) for k in range(4000)])
    assert told[:, 0].mean() == pytest.approx(2.0, rel=0.02)
    assert told[:, 0].var() == pytest.approx(2.0 / 20.0, rel=0.1)
    assert not told[:, 1:].any()
    assert counting.read([2.0], 4.0, 7) == counting.read([2.0], 4.0, 7)


def test_agents_are_compared_by_the_photons_they_count(tmp_path: Path) -> None:
    image = tmp_path / "image.npy"
    np.save(image, truth())

    def rows(**changes):
        settings = {"stage": STAGE, "options": OPTIONS, "longest_dwell": 0.16} | changes
        return list(compare_agents([image], ["slads"], [0.05, 0.1], seed=1, **settings))

    chosen, single = rows(), rows(longest_dwell=0.01)
    assert [row["points"] for row in chosen] == [80, 160]
    assert chosen[1]["seconds"] > single[1]["seconds"]
    assert chosen[1]["nrmse_own"] < single[1]["nrmse_own"]
    with pytest.raises(ValueError, match="counts_per_unit"):
        rows(options={})
    with pytest.raises(ValueError, match="stage"):
        rows(stage=None)
