"""Processes that follow a scan whose pixels are counted again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skysteer.agent import Observation, Observations, Request, make_sampler
from skysteer.agent.followed import Followed
from skysteer.models import TestedGP
from skysteer.simulators import generate

SIDE, PEAK = 32, 20.0
NOTHING = np.empty((0, 2), dtype=np.int64)
NOBODY = np.empty(0, dtype=bool)


def log(num, seed=3):
    """Readings of a specimen, a third of them of pixels that were counted before."""
    rng = np.random.default_rng(seed)
    image = generate("cells", (SIDE, SIDE), 1_000_007, peak_rate=1.0).rates[0]
    entries: list[Observation] = []
    for number in range(1, num + 1):
        again = entries and rng.random() < 1 / 3
        at = entries[rng.integers(len(entries))] if again else None
        row, column = (at.row, at.column) if at else rng.integers(SIDE, size=2).tolist()
        dwell = float(rng.choice([1.0, 2.0, 8.0]))
        value = rng.poisson(image[row, column] * PEAK * dwell) / (PEAK * dwell)
        entries.append(Observation(number, row, column, value, (), dwell))
    return entries


@pytest.mark.parametrize("agent", ["gp", "hybrid"])
def test_an_agent_that_is_rebuilt_after_pixels_were_counted_again_chooses_the_same(agent):
    entries = log(240)
    observations = Observations(adds=True)
    old = make_sampler(agent, {"counts_per_unit": PEAK})
    for begin in range(0, 200, 40):
        observations.extend(entries[begin : begin + 40])
        old.choose(Request(observations.scan((SIDE, SIDE)), NOTHING, 12))
    observations.extend(entries[200:])
    request = Request(observations.scan((SIDE, SIDE)), NOTHING, 12)
    choice = old.choose(request)
    fresh = make_sampler(agent, {"counts_per_unit": PEAK}).choose(request)
    np.testing.assert_array_equal(choice.pixels, fresh.pixels)
    np.testing.assert_array_equal(choice.scores, fresh.scores)
    assert (choice.expected_error, choice.error_high) == (fresh.expected_error, fresh.error_high)


def test_a_pixel_that_is_counted_again_is_brought_up_to_date_and_nothing_begins_anew():
    observations = Observations(log(120), adds=True)
    followed = Followed(lambda shape: TestedGP(shape, counts_per_unit=PEAK))
    first = followed.at(observations.scan((SIDE, SIDE)), NOBODY).first
    pixel = tuple(observations.scan((SIDE, SIDE)).pixels[5])
    before = first.std[pixel]
    observations.append(Observation(121, *map(int, pixel), 0.5, (), 64.0))
    again = followed.at(observations.scan((SIDE, SIDE)), NOBODY).first
    assert again is first
    assert again.std[pixel] < 0.5 * before


def test_a_reading_that_is_taken_back_lets_it_begin_anew():
    entries = log(120)
    observations = Observations(entries, adds=True)
    followed = Followed(lambda shape: TestedGP(shape, counts_per_unit=PEAK))
    first = followed.at(observations.scan((SIDE, SIDE)), NOBODY).first
    observations.append(entries[60]._replace(value=math.nan))
    scan = observations.scan((SIDE, SIDE))
    anew = followed.at(scan, NOBODY).first
    assert anew is not first
    np.testing.assert_array_equal(anew.std, followed.anew(scan).std)


def test_a_channel_that_still_lacks_a_value_has_no_readings_of_its_own():
    several = [
        Observation(1, 0, 0, 4.0, (math.nan,), 1.0),
        Observation(2, 1, 1, 5.0, (2.0,), 2.0),
    ]
    assert Observations(several, adds=True).scan((4, 4)).log is None
    scan = Observations(several[1:], adds=True).scan((4, 4))
    assert [c.log.values[0].tolist() for c in scan.channels if c.log] == [[5.0], [2.0]]
