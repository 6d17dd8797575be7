"""Laws that every sampler obeys, on any grid and whatever the detector says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skysteer.agent import AgentServer, Axis, Decision, ScanAgent, ScanGrid, make_sampler
from skysteer.agent import sampler_names as installed
from skysteer.workers import Worker

OWN = f"{Path(__file__).parents[2] / 'examples' / 'my_agent.py'}:EdgeSeeker"
SAMPLERS = [*installed(), OWN]

# Laws that a sampler declares not to obey; none has reason to, as yet.
DEAF_TO_SCALE: set[str] = set()

every_sampler = pytest.mark.parametrize("name", SAMPLERS, ids=lambda name: name.split(":")[-1])
law = settings(max_examples=10, deadline=None, derandomize=True)


@cache
def unavailable(name: str) -> str:
    try:
        make_sampler(name)
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def _skip_what_is_not_installed(name: str) -> None:
    if unavailable(name):
        pytest.skip(unavailable(name))


@dataclass(frozen=True)
class Scene:
    """A specimen, and how it is scanned."""

    rows: int
    columns: int
    batch: int = 3
    seed: int = 0
    ahead: int = 0
    broken: float = 0.0
    blocked: float = 0.0
    flat: bool = False
    reversed: bool = False

    @property
    def grid(self) -> ScanGrid:
        slow, fast = Axis("y", -1.5, 2.25, self.rows), Axis("x", 10.0, 11.5, self.columns)
        if self.reversed:
            slow, fast = (Axis(a.name, a.stop, a.start, a.num) for a in (slow, fast))
        return ScanGrid(slow, fast)

    @property
    def image(self) -> np.ndarray:
        """(M, N) whole numbers, with NaN where the detector gives nothing."""
        rng = np.random.default_rng(self.seed + 1)
        image = rng.integers(0, 100, self.grid.shape).astype(float) * (not self.flat)
        image[rng.random(self.grid.shape) < self.broken] = np.nan
        return image

    @property
    def walls(self) -> np.ndarray:
        """(B, 2) pixels that may not be chosen."""
        rng = np.random.default_rng(self.seed + 2)
        return np.argwhere(rng.random(self.grid.shape) < self.blocked)

    def agent(self, name: str) -> ScanAgent:
        return ScanAgent(
            self.grid,
            make_sampler(name),
            name=name,
            seed=self.seed,
            until=f"points({max(1, self.grid.size // 2)})",
            blocked=self.walls,
        )


scenes = st.builds(
    Scene,
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    batch=st.integers(1, 12),
    seed=st.integers(0, 99),
    ahead=st.integers(0, 3),
    broken=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    blocked=st.sampled_from([0.0, 0.0, 0.3]),
    flat=st.booleans(),
    reversed=st.booleans(),
)


def awkward(test: Any) -> Any:
    """Grids and readings that a random search may miss."""
    for scene in (
        Scene(1, 1),
        Scene(1, 9),
        Scene(9, 1, reversed=True),
        Scene(4, 7, batch=50),
        Scene(7, 4, broken=1.0),
        Scene(6, 6, flat=True),
        Scene(3, 3, blocked=1.0),
    ):
        test = example(scene=scene)(test)
    return test


@dataclass
class Step:
    """One decision, and all that was known when it was made."""

    log: list[tuple[int, int, int, float]]
    num: int
    pending: list[list[int]]
    number: int
    decision: Decision = field(repr=False)


def scan(scene: Scene, agent: ScanAgent) -> Iterator[Step]:
    """Scan to the last free pixel, as a run does: the last points of a batch are still on their way
    when the next is decided, and a rewind says the latest event once more."""
    log: list[tuple[int, int, int, float]] = []
    pending: list[list[int]] = []
    number = told = 0
    while True:
        agent.observe(log[told:])
        told = len(log)
        decision = agent.decide(scene.batch, pending, number)
        yield Step(list(log), scene.batch, pending, number, decision)
        targets = pending + decision.pixels.tolist()
        if not targets:
            return
        ready = max(1, len(targets) - scene.ahead)
        for row, column in targets[:ready]:
            identity = log[-1][0] + 1 if log else 1
            log.append((identity, row, column, float(scene.image[row, column])))
        log.append((*log[-1][:3], log[-1][3] + 1))
        pending = targets[ready:]
        number += 1


def steps_of(scene: Scene, name: str) -> list[Step]:
    return list(scan(scene, scene.agent(name)))


def assert_same(one: Decision, other: Decision) -> None:
    assert_array_equal(one.pixels, other.pixels)
    assert_array_equal(one.scores, other.scores)
    assert (one.number, one.source, one.seen, one.digest) == (
        other.number,
        other.source,
        other.seen,
        other.digest,
    )
    assert_array_equal(one.expected_error, other.expected_error)


def free_pixels(scene: Scene, step: Step) -> set[tuple[int, int]]:
    every = {(row, column) for row in range(scene.rows) for column in range(scene.columns)}
    tried = {(row, column) for _, row, column, _ in step.log}
    return every - tried - set(map(tuple, step.pending)) - set(map(tuple, scene.walls.tolist()))


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_a_choice_is_new_free_and_not_blocked(name: str, scene: Scene) -> None:
    for step in steps_of(scene, name):
        chosen = list(map(tuple, step.decision.pixels.tolist()))
        assert len(set(chosen)) == len(chosen)
        assert set(chosen) <= free_pixels(scene, step)


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_a_batch_is_as_long_as_asked_while_pixels_are_free(name: str, scene: Scene) -> None:
    steps = steps_of(scene, name)
    for step in steps:
        wanted = min(step.num, len(free_pixels(scene, step)))
        if step.decision.source == "start":  # the batch ends where the start ends
            assert min(1, wanted) <= len(step.decision.pixels) <= wanted
        else:
            assert len(step.decision.pixels) == wanted
    assert not free_pixels(scene, steps[-1])


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_a_rebuilt_agent_decides_as_the_old_one(name: str, scene: Scene) -> None:
    for step in steps_of(scene, name)[::3]:
        rebuilt = scene.agent(name)
        rebuilt.observe(step.log)
        assert_same(rebuilt.decide(step.num, step.pending, step.number), step.decision)


@every_sampler
@law
@given(scene=scenes, exponent=st.integers(-20, 20), offset=st.integers(-1000, 1000))
def test_scale_and_offset_of_the_readings_do_not_matter(
    name: str, scene: Scene, exponent: int, offset: int
) -> None:
    if name in DEAF_TO_SCALE:
        pytest.skip("declared not to obey")
    for step in steps_of(scene, name)[::3]:
        agent = scene.agent(name)
        agent.observe([(*where, (value + offset) * 2.0**exponent) for *where, value in step.log])
        decision = agent.decide(step.num, step.pending, step.number)
        assert_array_equal(decision.pixels, step.decision.pixels)


@every_sampler
@law
@given(scene=scenes, data=st.data())
def test_the_order_in_which_points_arrive_does_not_matter(
    name: str, scene: Scene, data: st.DataObject
) -> None:
    points, ordered, shuffled = some_points(scene), scene.agent(name), scene.agent(name)
    ordered.ingest(points)
    shuffled.ingest(data.draw(st.permutations(points)))
    assert_same(ordered.decide(scene.batch), shuffled.decide(scene.batch))


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_ingesting_again_changes_nothing(name: str, scene: Scene) -> None:
    points, once, twice = some_points(scene), scene.agent(name), scene.agent(name)
    once.ingest(points)
    twice.ingest(points)
    twice.ingest(points)
    assert twice.suggest(scene.batch) == once.suggest(scene.batch)
    assert twice.should_stop() == once.should_stop()
    assert twice.get_best_points() == once.get_best_points()


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_suggesting_changes_nothing(name: str, scene: Scene) -> None:
    points, asked, silent = some_points(scene), scene.agent(name), scene.agent(name)
    for agent in (asked, silent):
        agent.ingest(points[:-1])
    assert asked.suggest(scene.batch) == asked.suggest(scene.batch)
    asked.suggest(scene.batch + 1)
    for agent in (asked, silent):
        agent.ingest(points[-1:])
    assert_same(asked.decide(scene.batch), silent.decide(scene.batch))


@every_sampler
@awkward
@law
@given(scene=scenes)
def test_what_is_suggested_can_be_measured_and_ingested(name: str, scene: Scene) -> None:
    agent, image, seen = scene.agent(name), scene.image, set()
    while suggested := agent.suggest(scene.batch):
        pixels = [scene.grid.pixel(point) for point in suggested]
        assert None not in pixels
        assert not seen & set(pixels)
        seen |= set(pixels)
        agent.ingest(
            [p | {"value": image[pixel]} for p, pixel in zip(suggested, pixels, strict=True)]
        )
    assert len(seen) == scene.grid.size - len(scene.walls)
    assert agent.observations.points == sum(np.isfinite(image[pixel]) for pixel in seen)


@every_sampler
@law
@given(scene=scenes)
def test_a_decision_survives_json(name: str, scene: Scene) -> None:
    for step in steps_of(scene, name):
        again = Decision.from_json(json.loads(json.dumps(step.decision.to_json())))
        assert_same(again, step.decision)
        assert (again.ms, again.cpu_ms) == (step.decision.ms, step.decision.cpu_ms)
        assert again.pixels.dtype == np.int64


@every_sampler
def test_an_agent_in_a_process_of_its_own_decides_the_same(name: str) -> None:
    scene = Scene(12, 10, batch=9, ahead=2, broken=0.1, blocked=0.1)
    spec = {
        "agent": name,
        "grid": scene.grid.describe(),
        "seed": scene.seed,
        "until": "points(60)",
        "blocked": scene.walls.tolist(),
    }
    worker = Worker("skysteer.agent:AgentServer", spec)
    try:
        assert worker.call("describe").result(60) == AgentServer(spec).describe()
        told = 0
        for step in steps_of(scene, name):
            entries = [[*where, None if np.isnan(v) else v] for *where, v in step.log[told:]]
            arguments = (told, entries, step.num, step.pending, step.number)
            reply = worker.call("decide", *arguments).result(60)
            assert_same(Decision.from_json(reply), step.decision)
            told = len(step.log)
    finally:
        worker.close()


def some_points(scene: Scene) -> list[dict[str, Any]]:
    """About half of the scene as a client of the ecosystem's protocol would report it."""
    image, rng = scene.image, np.random.default_rng(scene.seed + 3)
    pixels = rng.permutation(np.argwhere(rng.random(image.shape) < 0.5).reshape(-1, 2))
    pixels = pixels if len(pixels) else np.zeros((1, 2), dtype=int)
    return [
        {"_id": k + 1, **scene.grid.position((row, column)), "value": image[row, column]}
        for k, (row, column) in enumerate(pixels.tolist())
    ]
