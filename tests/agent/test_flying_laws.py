"""The laws of decisions hold for agents that fly, with every sampler that tells its gains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skysteer.agent import (
    AgentServer,
    Axis,
    Decision,
    Guard,
    ScanAgent,
    ScanGrid,
    StageTime,
    make_sampler,
)

FLIERS = ("slads", "spread", "gp")
STAGE = StageTime(speed=(8.0, 10.0), acceleration=0.05, settle=0.05, dwell=0.01)

every_flier = pytest.mark.parametrize("name", FLIERS)
law = settings(max_examples=4, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Scene:
    """A specimen, and how it is flown over."""

    rows: int
    columns: int
    batch: int = 40
    seed: int = 0
    ahead: int = 0
    broken: float = 0.0
    blocked: float = 0.0
    flat: bool = False

    @property
    def grid(self) -> ScanGrid:
        return ScanGrid(Axis("y", 2.0, -1.5, self.rows), Axis("x", 10.0, 11.5, self.columns))

    @property
    def image(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed + 1)
        image = rng.integers(0, 100, self.grid.shape).astype(float) * (not self.flat)
        image[rng.random(self.grid.shape) < self.broken] = np.nan
        return image

    @property
    def walls(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed + 2)
        return np.argwhere(rng.random(self.grid.shape) < self.blocked)

    @property
    def spec(self) -> dict[str, object]:
        return {
            "grid": self.grid.describe(),
            "seed": self.seed,
            "blocked": self.walls.tolist(),
            "stage": STAGE.describe(),
            "growing": True,
            "fly": True,
        }

    def agent(self, name: str) -> ScanAgent:
        return ScanAgent(
            self.grid,
            make_sampler(name),
            name=name,
            seed=self.seed,
            blocked=self.walls,
            stage=STAGE,
            growing=True,
            fly=True,
        )


scenes = st.builds(
    Scene,
    rows=st.integers(1, 60),
    columns=st.integers(1, 40),
    batch=st.integers(1, 90),
    seed=st.integers(0, 99),
    ahead=st.integers(0, 30),
    broken=st.sampled_from([0.0, 0.0, 0.2, 1.0]),
    blocked=st.sampled_from([0.0, 0.0, 0.1]),
    flat=st.booleans(),
)


@dataclass
class Step:
    """One decision, and all that was known when it was made."""

    log: list[tuple[int, int, int, float]]
    pending: list[list[int]]
    number: int
    decision: Decision = field(repr=False)


def scan(scene: Scene, agent: ScanAgent, most: int = 7) -> Iterator[Step]:
    """Some batches of a scan; the last pixels of each are on their way when the next is decided."""
    log: list[tuple[int, int, int, float]] = []
    pending: list[list[int]] = []
    told = 0
    for number in range(most):
        agent.observe(log[told:])
        told = len(log)
        decision = agent.decide(scene.batch, pending, number)
        yield Step(list(log), pending, number, decision)
        targets = pending + decision.pixels.tolist()
        if not targets:
            return
        ready = max(1, len(targets) - scene.ahead)
        for row, column in targets[:ready]:
            log.append((len(log) + 1, row, column, float(scene.image[row, column])))
        pending = targets[ready:]


def steps_of(scene: Scene, name: str, most: int = 7) -> list[Step]:
    return list(scan(scene, scene.agent(name), most))


def assert_same(one: Decision, other: Decision) -> None:
    for what in ("pixels", "scores", "lengths", "expected_error"):
        assert_array_equal(getattr(one, what), getattr(other, what))
    assert (one.number, one.source, one.digest) == (other.number, other.source, other.digest)


@every_flier
@example(scene=Scene(1, 1))
@example(scene=Scene(60, 3, broken=1.0))
@example(scene=Scene(50, 30, batch=200, ahead=30, blocked=0.02))
@law
@given(scene=scenes)
def test_the_guard_lets_every_pixel_of_every_segment_through(name: str, scene: Scene) -> None:
    guard = Guard(scene.grid, lambda position: None)
    for step in steps_of(scene, name):
        chosen = step.decision
        taken = np.zeros(scene.grid.shape, dtype=bool)
        for _, row, column, _ in step.log:
            taken[row, column] = True
        for row, column in [*step.pending, *scene.walls.tolist()]:
            taken[row, column] = True
        assert len(chosen.pixels) <= scene.batch
        assert len(chosen.pixels) or taken.all()
        verdict = guard.vet(chosen.pixels, taken, scene.batch, chosen.lengths)
        assert not verdict.refused
        assert not set(map(tuple, chosen.pixels.tolist())) & set(map(tuple, scene.walls.tolist()))


@every_flier
@law
@given(scene=scenes)
def test_a_rebuilt_agent_flies_as_the_old_one(name: str, scene: Scene) -> None:
    for step in steps_of(scene, name)[::3]:
        rebuilt = scene.agent(name)
        rebuilt.observe(step.log)
        assert_same(rebuilt.decide(scene.batch, step.pending, step.number), step.decision)


@every_flier
@law
@given(scene=scenes, exponent=st.integers(-20, 20), offset=st.integers(-1000, 1000))
def test_scale_and_offset_of_the_readings_do_not_matter(
    name: str, scene: Scene, exponent: int, offset: int
) -> None:
    for step in steps_of(scene, name)[::4]:
        agent = scene.agent(name)
        agent.observe([(*where, (value + offset) * 2.0**exponent) for *where, value in step.log])
        decision = agent.decide(scene.batch, step.pending, step.number)
        assert_array_equal(decision.pixels, step.decision.pixels)
        assert_array_equal(decision.lengths, step.decision.lengths)


@pytest.mark.parametrize("name", ["slads", "hybrid"])
def test_an_agent_that_is_asked_in_json_flies_the_same(name: str) -> None:
    scene = Scene(48, 40, batch=90, ahead=20, broken=0.05, blocked=0.02)
    server, told = AgentServer({"agent": name, **scene.spec}), 0
    for step in steps_of(scene, name, most=6):
        entries = [[*where, None if np.isnan(v) else v] for *where, v in step.log[told:]]
        reply = server.decide(told, entries, scene.batch, step.pending, step.number)
        assert_same(Decision.from_json(json.loads(json.dumps(reply))), step.decision)
        told = len(step.log)


def test_a_scan_that_flies_is_done_with_the_last_pixel() -> None:
    scene = Scene(48, 40, batch=300)
    steps = steps_of(scene, "slads", most=60)
    assert {(row, column) for _, row, column, _ in steps[-1].log} == set(np.ndindex(48, 40))
    flown = [step.decision.lengths.max() for step in steps[:-3]]
    assert min(flown[:4]) == 40  # whole rows first
    assert np.median(flown) > 5


def test_flying_without_a_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="give stage="):
        ScanAgent(Scene(5, 5).grid, make_sampler("spread"), fly=True)


def test_what_a_decision_was_made_from_says_that_it_flies() -> None:
    scene = Scene(48, 40)
    still = ScanAgent(scene.grid, make_sampler("spread"), stage=STAGE, growing=True)
    assert scene.agent("spread").decide(9).digest != still.decide(9).digest


def test_a_sampler_without_gains_chooses_points() -> None:
    step = steps_of(Scene(48, 40), "low-discrepancy")[-1]
    assert (step.decision.lengths == 1).all()
