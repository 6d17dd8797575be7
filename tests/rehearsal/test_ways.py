"""Which way of scanning is the fastest depends on the stage; every way is timed by one model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skysteer.agent import StageTime
from skysteer.rehearsal import advised, fastest_ways, specimens_like

SHAPE = (64, 64)
FLAKES = specimens_like(["flakes"], SHAPE)
QUICK = StageTime(speed=1000.0, settle=0.05, dwell=0.01)
LONG = StageTime(speed=1000.0, settle=0.05, dwell=1.0)


def test_short_exposures_are_soonest_flown_in_segments_and_long_ones_made_at_points() -> None:
    assert fastest_ways(FLAKES, QUICK, 0.2)[0].name == "adaptive segments"
    assert fastest_ways(FLAKES, LONG, 0.2)[0].name == "adaptive points"


def test_where_everything_is_wanted_the_raster_is_flown() -> None:
    noise = [np.random.default_rng(0).random(SHAPE)]
    ways = {way.name: way for way in fastest_ways(noise, QUICK, 0.01)}
    raster = ways["full raster flown"]
    assert raster.seconds == pytest.approx(QUICK.rows_flown(range(64), 64))
    assert raster.coverage == 1.0
    assert min(way.seconds for way in ways.values()) == pytest.approx(raster.seconds, rel=0.1)


def test_specimens_are_kinds_or_images(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.arange(200.0 * 30).reshape(200, 30))
    (mine,) = specimens_like([str(tmp_path / "mine.npy")], (100, 100))
    assert mine.shape == (100, 30)
    with pytest.raises(FileNotFoundError, match="neither an image's file nor one of"):
        specimens_like(["gold"], SHAPE)
    with pytest.raises(ValueError, match="between 0 and 1"):
        fastest_ways(FLAKES, QUICK, 2.0)


def test_advice_names_the_fastest_way_and_what_it_rests_on() -> None:
    told = advised(LONG, (32, 40), 0.3, ["flakes"])
    assert told["fastest"] == "adaptive points"
    assert told["rehearsed_on"] == "flakes, 32 x 40, to an NRMSE of 0.3"
    assert len(told["ways"]) == 3
