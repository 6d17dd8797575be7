"""Readings of several channels: what one that gave nothing counts as, and who hears of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from event_model import compose_run
from hypothesis import given
from hypothesis import strategies as st

from skysteer.agent import (
    AgentServer,
    Axis,
    EventReader,
    GaussianProcess,
    Hybrid,
    Observation,
    Observations,
    Request,
    ScanAgent,
    ScanGrid,
    Slads,
    SladsNet,
    Spread,
    halton_pixels,
)
from skysteer.models import SparseScan

NAN = math.nan
GRID = ScanGrid(Axis("y", 0, 15, 16), Axis("x", 0, 15, 16))
NUMBER = {"dtype": "number", "shape": [], "source": "test"}


def told(*log: tuple[int, int, float, float]) -> Observations:
    entries = enumerate(log, 1)
    return Observations(Observation(n, row, column, a, (b,)) for n, (row, column, a, b) in entries)


def channels(observations: Observations) -> list[list[float]]:
    scan = observations.scan((9, 9))
    return [scan.values.tolist(), *(values.tolist() for values in scan.others)]


def test_a_channel_without_a_reading_takes_its_nearest_earlier_one() -> None:
    known = told((0, 0, 1, 5), (8, 8, 2, 6), (7, 7, 3, NAN), (0, 1, math.inf, 7), (7, 8, 4, 9))
    assert channels(known) == [[1, 2, 3, 1, 4], [5, 6, 6, 7, 9]]


def test_what_stands_for_another_reading_stands_for_no_third() -> None:
    known = told((0, 0, 1, 5), (0, 8, 1, 6), (0, 5, 1, NAN), (0, 4, 1, NAN), (0, 3, 1, NAN))
    assert channels(known)[1] == [5, 6, 6, 5, 5]


def test_before_its_first_reading_a_channel_has_that_one_and_without_any_0() -> None:
    assert channels(told((0, 0, 1, NAN), (0, 1, 2, NAN), (0, 2, 3, 9)))[1] == [9, 9, 9]
    assert channels(told((0, 0, 1, NAN), (0, 1, 2, NAN)))[1] == [0, 0]
    assert channels(told((0, 0, 1, NAN), (0, 1, 2, NAN), (0, 0, 3, 9)))[1] == [9, 9]


def test_a_pixel_measured_again_keeps_what_a_channel_read_there_before() -> None:
    known = told((0, 0, 1, 5), (0, 1, 2, 6), (0, 1, 3, NAN), (0, 0, NAN, 8))
    assert channels(known) == [[1, 3], [8, 6]]
    assert known.best is not None and known.best.id == 3
    later = told((0, 0, 9, 5), (0, 1, 2, 6), (0, 0, NAN, 8)).best
    assert later is not None and (later.id, later.value) == (1, 9)


def test_a_pixel_that_no_channel_read_is_barren() -> None:
    known = told((0, 0, NAN, 5), (0, 1, NAN, NAN), (0, 2, math.inf, -math.inf))
    assert known.barren().tolist() == [[0, 1], [0, 2]]
    assert (known.points, known.unusable_run()) == (1, 2)
    assert known.best is None  # the first channel has no reading of its own


numbers = st.sampled_from([1.0, 2.5, -3.0, NAN, math.inf])
entries = st.lists(
    st.builds(
        Observation,
        st.integers(1, 12),
        st.integers(-1, 3),
        st.integers(-1, 3),
        numbers,
        st.tuples(numbers, numbers),
    ),
    max_size=30,
)


@given(log=entries, cut=st.integers(0, 30))
def test_a_log_heard_in_parts_is_the_log_heard_at_once(log: list[Observation], cut: int) -> None:
    parts, whole = Observations(log[:cut]), Observations(log)
    parts.scan((4, 4))
    for entry in log[cut:]:
        parts.append(entry)
    assert parts.fingerprint() == whole.fingerprint()
    assert channels(parts) == channels(whole)
    assert all(math.isfinite(value) for values in channels(whole) for value in values)


def test_every_channel_counts_in_the_fingerprint() -> None:
    assert told((0, 0, 1, 5)).fingerprint() != told((0, 0, 1, 6)).fingerprint()


def test_a_log_of_other_channels_is_refused() -> None:
    known = told((0, 0, 1, 5))
    with pytest.raises(ValueError, match="event 2 has 3 channels, but those before have 2"):
        known.append(Observation(2, 1, 1, 1.0, (2.0, 3.0)))


def described(reader: EventReader, **keys: Any) -> Any:
    bundle = compose_run().compose_descriptor(
        name="primary", data_keys={"y": NUMBER, "x": NUMBER, **keys}
    )
    reader("descriptor", bundle.descriptor_doc)
    return bundle


def test_all_keys_are_read_the_first_one_first() -> None:
    reader = EventReader(GRID, ["iron", "zinc"])
    primary = described(reader, zinc=NUMBER, iron=NUMBER)
    data = {"y": 2.0, "x": 3.0, "zinc": 8.0, "iron": 5.0}
    reader("event", primary.compose_event(data=data, timestamps=dict.fromkeys(data, 0.0)))
    assert reader.observations.log == [Observation(1, 2, 3, 5.0, (8.0,))]


@pytest.mark.parametrize("zinc", [None, {**NUMBER, "dtype": "array", "shape": [4]}])
def test_every_key_is_checked_at_the_descriptor(zinc: Any) -> None:
    with pytest.raises(ValueError, match="'zinc'"):
        described(
            EventReader(GRID, ["iron", "zinc"]), iron=NUMBER, **({"zinc": zinc} if zinc else {})
        )


def agent_of(sampler: Any, others: int) -> ScanAgent:
    """After 40 readings of a first channel that is the same however many others there are."""
    rng = np.random.default_rng(0)
    agent = ScanAgent(GRID, sampler, key=["iron", "zinc", "lead"][: others + 1])
    pixels = halton_pixels(GRID.shape, 40, seed=0).tolist()  # the start is behind it
    values, more = rng.random(40), 1e6 * np.random.default_rng(1).random((40, 2)) ** 6
    agent.observe(
        [k + 1, *pixel, values[k], *more[k, :others].tolist()] for k, pixel in enumerate(pixels)
    )
    return agent


@pytest.mark.parametrize("sampler", [SladsNet, Slads, Spread, GaussianProcess, Hybrid])
def test_an_agent_of_one_channel_hears_the_first_alone_and_says_so(sampler: type) -> None:
    one, three = agent_of(sampler(), 0), agent_of(sampler(), 2)
    alone = np.array_equal(one.decide(10).pixels, three.decide(10).pixels)
    assert alone == (sampler is SladsNet)
    assert three.steered_by == (("iron",) if alone else ("iron", "zinc", "lead"))


def test_a_server_says_by_which_of_several_channels_it_is_steered() -> None:
    spec = {"agent": "spread", "grid": GRID.describe(), "key": ["iron", "zinc"]}
    assert AgentServer(spec).describe()["steered_by"] == ["iron", "zinc"]
    assert AgentServer({**spec, "agent": "raster"}).describe()["steered_by"] == ["iron"]
    assert "steered_by" not in AgentServer({**spec, "key": "iron"}).describe()


def test_points_of_several_outcomes_are_ingested_and_told_again() -> None:
    agent = agent_of(Spread(), 1)
    (point,) = agent.suggest(1)
    with pytest.raises(ValueError, match="a point needs its value 'zinc'"):
        agent.ingest([{**point, "iron": 1.0}])
    agent.ingest([{**point, "iron": 1e9, "zinc": 4.0}])
    assert agent.get_best_points()[0][2] == {"iron": 1e9, "zinc": 4.0}
    agent.register_failures(agent.suggest(1))
    assert len(agent.observations.barren()) == 1


@pytest.mark.parametrize("sampler", [Slads, Spread, GaussianProcess, Hybrid])
@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (2, 2), (9, 8)])
@pytest.mark.parametrize("second", [[0.0], [NAN], [NAN, 1e300, -5.0], [0.0] * 11 + [1e9]])
def test_whatever_the_channels_say_every_pixel_is_measured_once(
    sampler: type, shape: tuple[int, int], second: list[float]
) -> None:
    rows, columns = (Axis(name, 0, max(n - 1, 1), n) for name, n in zip("yx", shape, strict=True))
    agent = ScanAgent(ScanGrid(rows, columns), sampler(), key=["iron", "zinc"], until="points(999)")
    measured: list[tuple[int, int]] = []
    while len(pixels := agent.decide(7, number=len(measured)).pixels):
        for row, column in pixels.tolist():
            measured.append((row, column))
            value = [float(len(measured) % 3), second[len(measured) % len(second)]]
            agent.observe([(len(measured), row, column, *value)])
    assert len(measured) == len(set(measured)) == shape[0] * shape[1]


def rows_of(image: np.ndarray, pixels: np.ndarray) -> list[Any]:
    """A log of (C, M, N) readings at some pixels."""
    return [[k + 1, *p, *image[:, p[0], p[1]].tolist()] for k, p in enumerate(pixels.tolist())]


def two_halves(rng: np.random.Generator) -> np.ndarray:
    """(3, 16, 16) channels: grain on the left, grain on the right, and nothing."""
    image = np.zeros((3, 16, 16))
    image[0, :, :8] = rng.integers(0, 50, (16, 8))
    image[1, :, 8:] = rng.integers(0, 50, (16, 8))
    image[2] = 4.0
    return image


together = pytest.mark.parametrize("sampler", [Slads, Spread, GaussianProcess, Hybrid])


@together
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_neither_gain_nor_offset_of_a_channel_changes_the_choice(
    sampler: type, channel: int
) -> None:
    image = two_halves(np.random.default_rng(5))
    other = image.copy()
    other[channel] = 2.0**30 * (other[channel] + 640)
    pixels = halton_pixels(GRID.shape, 60, seed=0)
    keys, chosen = ["iron", "zinc", "lead"], []
    for each in (image, other):
        agent = ScanAgent(GRID, sampler(), key=keys)
        agent.observe(rows_of(each, pixels))
        chosen.append(agent.decide(20))
    np.testing.assert_array_equal(chosen[0].pixels, chosen[1].pixels)
    np.testing.assert_allclose(chosen[0].scores, chosen[1].scores, rtol=1e-9)


@together
def test_an_agent_of_several_channels_that_is_rebuilt_decides_as_the_old_one(
    sampler: type,
) -> None:
    rng = np.random.default_rng(7)
    image, keys = two_halves(rng), ["iron", "zinc", "lead"]
    image[1, rng.random((16, 16)) < 0.1] = NAN
    old = ScanAgent(GRID, sampler(), key=keys, until="expected_error(1e-9)")
    log = rows_of(image, halton_pixels(GRID.shape, 20, seed=0))
    told = 0
    while len(log) < 150:
        old.observe(log[told:])
        told = len(log)
        new = ScanAgent(GRID, sampler(), key=keys, until="expected_error(1e-9)")
        new.observe(log)
        one, other = (agent.decide(13, number=told) for agent in (old, new))
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert (one.digest, one.expected_error) == (other.digest, other.expected_error)
        log += [[told + k, *rest] for k, (_, *rest) in enumerate(rows_of(image, one.pixels), 1)]


@pytest.mark.parametrize("sampler", [GaussianProcess, Hybrid])
def test_each_channel_has_its_own_map_and_the_error_expected_is_their_mean(sampler: type) -> None:
    image, pixels = two_halves(np.random.default_rng(5)), halton_pixels(GRID.shape, 90, seed=0)
    agent = ScanAgent(GRID, sampler(), key=["iron", "zinc", "lead"])
    agent.observe(rows_of(image, pixels))
    scan = agent.observations.scan(GRID.shape)
    expected = []
    for truth, channel in zip(image, scan.channels, strict=True):
        process = sampler().surrogate(channel)
        np.testing.assert_array_equal(process.mean[tuple(pixels.T)], truth[tuple(pixels.T)])
        expected.append(process.error_estimate.nrmse)
    assert agent.decide(5).expected_error == pytest.approx(np.mean(expected[:2]))


def test_a_process_with_another_goal_has_the_first_channel_alone() -> None:
    agent = agent_of(GaussianProcess(goal="optimum"), 2)
    assert agent.steered_by == ("iron",)
    alone = agent_of(GaussianProcess(goal="optimum"), 0)
    np.testing.assert_array_equal(agent.decide(9).pixels, alone.decide(9).pixels)


@pytest.mark.parametrize("sampler", [GaussianProcess, Hybrid])
def test_what_a_process_expects_of_lines_counts_every_channel(sampler: type) -> None:
    """Grain of the first channel on the left, of the second on the right."""
    image, pixels = two_halves(np.random.default_rng(5)), halton_pixels(GRID.shape, 60, seed=0)
    values = image[:, pixels[:, 0], pixels[:, 1]]
    expected = []
    for channels in (values[:1], values[:2]):
        scan = SparseScan.of(GRID.shape, pixels, channels.T)
        gains = sampler().gains(Request(scan, np.empty((0, 2), dtype=np.int64), 1))
        score = np.where(scan.mask, np.nan, gains.score)
        expected.append(np.nanmean(score[:, :8]) - np.nanmean(score[:, 8:]))  # octaves
    assert expected[1] < expected[0] - 3.0
