from .simulate import (
    Trajectory,
    assess,
    compare_agents,
    designs,
    load_truth,
    points_at,
    run_agent,
)

__all__ = [
    "Trajectory",
    "assess",
    "compare_agents",
    "designs",
    "load_truth",
    "points_at",
    "run_agent",
]
