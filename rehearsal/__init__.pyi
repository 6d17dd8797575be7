from .replay import PastScan, check_decisions, read_past_scan, replay
from .simulate import (
    Trajectory,
    assess,
    compare_agents,
    designs,
    load_truth,
    points_at,
    run_agent,
    trajectories,
)

__all__ = [
    "PastScan",
    "Trajectory",
    "assess",
    "check_decisions",
    "compare_agents",
    "designs",
    "load_truth",
    "points_at",
    "read_past_scan",
    "replay",
    "run_agent",
    "trajectories",
]
