"""How long targets are counted: against brute force, and what must hold of every choice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skysteer.agent import Axis, Choice, Request, ScanAgent, ScanGrid, Slads, StageTime
from skysteer.agent.dwell_choice import DwellChoice, dwell_chooser
from skysteer.models import SparseScan, foretold_counts

STAGE = StageTime(speed=1000, settle=0.05, dwell=0.01)


def scene(peak: float, seed: int = 0, side: int = 48) -> tuple[SparseScan, np.random.Generator]:
    """A step in a bright and a dark half, a tenth of it counted."""
    rng = np.random.default_rng(seed)
    rate = np.where(np.arange(side)[:, None] < side // 2, 0.1, 1.0) * np.ones((side, side))
    flat = rng.permutation(side * side)[: side * side // 10]
    pixels = np.column_stack(np.divmod(flat, side))
    values = rng.poisson(rate[tuple(pixels.T)] * peak) / peak
    return SparseScan((side, side), pixels, values, (), np.ones(len(pixels))), rng


def request(scan: SparseScan, num: int = 40) -> Request:
    return Request(scan, np.empty((0, 2), dtype=np.int64), num)


def prices(scan: SparseScan, peak: float, num: int) -> tuple[float, float]:
    """Dwells that the way takes, and the map's squared error, both reckoned apart."""
    apart = 0.6 * math.sqrt(scan.shape[0] * scan.shape[1] / num)
    left = scan.unmeasured
    _, squares = foretold_counts(scan, left[:: len(left) // 500], counts_per_unit=peak)
    return (STAGE.settle + apart / 1000) / STAGE.dwell, float(squares.mean())


def noise(scan: SparseScan, pixels: np.ndarray, peak: float) -> np.ndarray:
    rates, _ = foretold_counts(scan, pixels, counts_per_unit=peak)
    return np.maximum(rates, 1 / peak) / peak


@pytest.mark.parametrize("peak", [2.0, 20.0, 200.0])
def test_the_dwell_is_that_by_which_new_pixels_gain_most_against_time(peak: float) -> None:
    scan, rng = scene(peak)
    pixels = scan.unmeasured[rng.permutation(len(scan.unmeasured))[:40]]
    made = DwellChoice(STAGE, 0.64, peak).of(Choice(pixels), request(scan, 80))
    hop, square = prices(scan, peak, 40)
    octaves = 2.0 ** np.arange(7)
    tau = noise(scan, pixels, peak)[:, None] / (square / 2)
    best = octaves[np.argmax(octaves / (octaves + tau) / (hop + octaves), axis=1)]
    new = made.pixels[: len(pixels)]
    assert_array_equal(new, pixels)
    assert_array_equal(made.dwells[: len(pixels)], best)


@pytest.mark.parametrize("peak", [1.0, 2.0])
def test_counted_again_is_what_gains_more_than_new_pixels_and_is_two_octaves_short(
    peak: float,
) -> None:
    scan, rng = scene(peak)
    counted = rng.choice([1.0, 4.0, 64.0], len(scan.values))
    scan = SparseScan(scan.shape, scan.pixels, scan.values, (), counted)
    num = 2 * len(scan.values) + 2
    made = DwellChoice(STAGE, 0.64, peak).of(Choice(scan.unmeasured[:1]), request(scan, num))
    hop, square = prices(scan, peak, num)
    dwells = np.geomspace(1e-3, 1e4, 4001)
    n = noise(scan, scan.pixels, peak)[:, None]
    again = (n / counted[:, None] - n / (counted[:, None] + dwells)) / (hop + dwells)
    new = square * dwells / (dwells + n / square) / (hop + dwells)
    worthwhile = again.max(axis=1) > new.max(axis=1)
    better = worthwhile & (np.sqrt(2 * hop * n[:, 0] / square) >= 4 * counted)
    assert 0 < better.sum() < len(better)
    assert {tuple(p) for p in made.pixels[1:].tolist()} == {
        tuple(p) for p in scan.pixels[better].tolist()
    }


def test_dwells_are_octaves_within_the_bounds() -> None:
    scan, rng = scene(5.0)
    choice = Choice(scan.unmeasured[rng.permutation(len(scan.unmeasured))[:40]])
    made = DwellChoice(STAGE, 0.3, 5.0).of(choice, request(scan))
    assert set(made.dwells) <= {1.0, 2.0, 4.0, 8.0, 16.0}
    assert len(set(made.dwells)) > 1


def test_the_fewer_the_photons_the_longer_they_are_counted() -> None:
    means = []
    for peak in (2.0, 20.0, 200.0):
        scan, _ = scene(peak)
        made = DwellChoice(STAGE, 0.64, peak).of(Choice(scan.unmeasured[::40]), request(scan, 99))
        means.append(made.dwells[: len(made.dwells) // 2].mean())
    assert means[0] > means[1] > means[2]


def test_a_longer_way_is_worth_a_longer_count() -> None:
    scan, _ = scene(5.0)
    choice = Choice(scan.unmeasured[::50])
    near, far = (
        DwellChoice(StageTime(speed=1000, settle=settle, dwell=0.01), 0.64, 5.0)
        .of(choice, request(scan, len(choice.pixels)))
        .dwells.mean()
        for settle in (0.0, 1.0)
    )
    assert far > near


def test_pixels_are_counted_again_but_never_alone_and_never_on_their_way() -> None:
    scan, _ = scene(2.0)
    blocked = scan.pixels[:100]
    asked = Request(scan, blocked, 40)
    made = DwellChoice(STAGE, 0.64, 2.0).of(Choice(scan.unmeasured[:40]), asked)
    known = {tuple(p) for p in scan.pixels.tolist()}
    again = [tuple(p) for p in made.pixels.tolist() if tuple(p) in known]
    assert 0 < len(again) <= 20
    assert not {tuple(p) for p in blocked.tolist()} & set(again)
    assert len(made.pixels) == 40
    alone = DwellChoice(STAGE, 0.64, 2.0).of(Choice(scan.unmeasured[:1]), request(scan, 1))
    assert tuple(alone.pixels[0]) not in known


def test_a_segment_has_one_dwell() -> None:
    scan, _ = scene(3.0)
    row = np.column_stack([np.full(30, 7), np.arange(30)])
    choice = Choice(np.concatenate([row, [[40, 40]]]), lengths=np.array([30, 1]))
    made = DwellChoice(STAGE, 0.64, 3.0).of(choice, request(scan, 31))
    assert made.lengths[0] == 30
    assert len(made.dwells) == len(made.lengths)


def test_a_constant_map_and_a_single_point_are_counted_too() -> None:
    for values in ([0.0], [0.0] * 30, [3.0] * 30):
        pixels = np.argwhere(np.ones((6, 6)))[: len(values)]
        scan = SparseScan((6, 6), pixels, np.array(values), (), np.ones(len(values)))
        made = DwellChoice(STAGE, 0.64, 1.0).of(Choice(scan.unmeasured[:3]), request(scan, 3))
        assert np.isin(made.dwells, 2.0 ** np.arange(7)).all()
        assert len(made.pixels) == 3


def test_a_rebuilt_agent_chooses_the_same_dwells() -> None:
    scan, rng = scene(5.0)
    grid = ScanGrid(Axis("y", 0, 47, 48), Axis("x", 0, 47, 48))
    exposures = rng.choice([1.0, 2.0, 4.0], len(scan.values))
    entries = [
        (k + 1, *map(int, pixel), value)
        for k, (pixel, value) in enumerate(zip(scan.pixels, scan.values, strict=True))
    ]

    def agent() -> ScanAgent:
        slads = Slads(counts_per_unit=5.0)
        return ScanAgent(grid, slads, stage=STAGE, longest_dwell=0.16)

    whole, parts = agent(), agent()
    whole.observe(entries, exposures)
    for first in range(0, len(entries), 50):
        parts.observe(entries[first : first + 50], exposures[first : first + 50])
        parts.decide(5, number=first)
    one, other = whole.decide(30, number=9), parts.decide(30, number=9)
    assert one.digest == other.digest
    assert_array_equal(one.pixels, other.pixels)
    assert_array_equal(one.dwells, other.dwells)


@pytest.mark.parametrize(
    ("sampler", "stage", "longest", "why"),
    [
        (Slads(), STAGE, 0.1, "counts_per_unit"),
        (Slads(counts_per_unit=1.0), None, 0.1, "stage"),
        (Slads(counts_per_unit=1.0), StageTime(), 0.1, "dwell"),
        (Slads(counts_per_unit=1.0), STAGE, 0.001, "nominal"),
        (Slads(counts_per_unit=1.0), STAGE, float("nan"), "nominal"),
    ],
)
def test_what_cannot_be_weighed_is_refused(sampler, stage, longest, why) -> None:
    with pytest.raises(ValueError, match=why):
        dwell_chooser(sampler, stage, longest)
