"""Make the picture of docs/surrogate.md on motors: ``python docs/motors_picture.py``.

Three goals on the same two motors, 36 points each; and four motors, the simulated alignment with
noise of 3 % of its peak.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from skysteer.agent import MotorAgent, MotorGoal, MotorSpace
from skysteer.models import MotorGP
from skysteer.simulators import Alignment

Array = NDArray[np.float64]
LEVEL, NOISE, POINTS = 0.5, 0.03, 36
CLIMB, SEEDS = 40, 10


def hills(at: Array) -> Array:
    """Two hills, the farther one the higher, over pitch and height."""
    pitch, height = np.asarray(at, float).reshape(-1, 2).T
    high = np.exp(-((pitch - 3.3) ** 2) / 0.08 - (height - 0.35) ** 2 / 0.1)
    low = 0.75 * np.exp(-((pitch - 2.5) ** 2) / 0.12 - (height + 0.45) ** 2 / 0.06)
    return high + low


def measured(
    space: MotorSpace, goal: MotorGoal, value: Callable[[Array], Array], num: int, noise: float,
    seed: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Positions and readings of an agent."""
    agent, rng = MotorAgent(space, goal, seed=seed), np.random.default_rng(seed)
    for number in range(num):
        (where,) = agent.decide(1, number=number).positions
        reading = value(where[None])[0] + noise * rng.standard_normal()
        agent.observe([(number + 1, where.tolist(), reading)])
    return agent.observations.learned()


def draw_goal(panel: plt.Axes, title: str, goal: MotorGoal) -> None:
    """What is there, where it was measured, and what is made of it."""
    space = MotorSpace(("pitch", "height"), (2.0, -1.0), (4.0, 1.0))
    positions, values = measured(space, goal, hills, POINTS, 0.01, 1)
    gp = MotorGP(space.low, space.high)
    gp.update(positions, values)
    axes = np.meshgrid(np.linspace(2, 4, 121), np.linspace(-1, 1, 121))
    grid = np.column_stack([axis.ravel() for axis in axes])
    truth, mean = (image.reshape(121, 121) for image in (hills(grid), gp.predict(grid)[0]))
    panel.pcolormesh(*axes, truth, cmap="Greys", vmax=1.6, rasterized=True)
    if goal.goal == "boundary":
        panel.contour(*axes, truth, [LEVEL], colors="k", linewidths=2.5)
        panel.contour(*axes, mean, [LEVEL], colors="#e69f00", linewidths=1.2)
    else:
        panel.contour(*axes, mean, np.arange(0.1, 1, 0.2), colors="#e69f00", linewidths=0.8)
    panel.scatter(*positions.T, c=np.arange(len(positions)), cmap="viridis", s=16, zorder=3)
    panel.set(title=title, xlabel="pitch (mrad)", ylabel="height (mm)", xlim=(2, 4), ylim=(-1, 1))


def draw_climb(panel: plt.Axes) -> None:
    """Flux of the best position so far, with four motors."""
    best: dict[str, list[Array]] = {"optimum": [], "low-discrepancy": []}
    for seed in range(SEEDS):
        alignment = Alignment.random(seed)
        space, noise = MotorSpace.of(alignment.motors), NOISE * alignment.peak
        for label, start in (("optimum", None), ("low-discrepancy", CLIMB)):
            goal = MotorGoal("optimum", start=start)
            positions, _ = measured(space, goal, alignment.flux, CLIMB, noise, seed)
            share = alignment.flux(positions) / alignment.peak
            best[label].append(np.maximum.accumulate(share))
    points = np.arange(1, CLIMB + 1)
    for (label, climbs), colour in zip(best.items(), ("#0072b2", "#999999"), strict=True):
        low, middle, high = np.quantile(climbs, (0.25, 0.5, 0.75), axis=0)
        panel.plot(points, middle, color=colour, label=label)
        panel.fill_between(points, low, high, color=colour, alpha=0.2, linewidth=0)
    panel.axhline(0.95, color="k", linewidth=0.8, linestyle=":")
    panel.set(title=f"Alignment, 4 motors, {SEEDS} seeds", xlabel="points",
              ylabel="flux at the best position / peak", ylim=(0, 1.02))  # fmt: skip
    panel.legend(frameon=False, loc="lower right")


def main() -> None:
    """Measure, and draw."""
    figure, panels = plt.subplots(1, 4, figsize=(15, 3.7), layout="constrained")
    draw_goal(panels[0], "optimum", MotorGoal("optimum"))
    draw_goal(panels[1], f"boundary at {LEVEL}", MotorGoal("boundary", threshold=LEVEL))
    draw_goal(panels[2], "map", MotorGoal("map"))
    draw_climb(panels[3])
    figure.savefig(Path(__file__).with_name("motors.png"), dpi=110)


if __name__ == "__main__":
    main()
