from .assess import assess
from .counting import Counting
from .replay import PastScan, check_decisions, read_past_scan, replay
from .simulate import compare_agents, designs, load_truth, trajectories
from .trajectory import Trajectory, points_at, run_agent
from .tune_plot import save_tune_figure, tune_figure
from .tune_sweep import ranking, tune
from .ways import Way, advised, fastest_ways, specimens_like

__all__ = [
    "Counting",
    "PastScan",
    "Trajectory",
    "Way",
    "advised",
    "assess",
    "check_decisions",
    "compare_agents",
    "designs",
    "fastest_ways",
    "load_truth",
    "points_at",
    "ranking",
    "read_past_scan",
    "replay",
    "run_agent",
    "save_tune_figure",
    "specimens_like",
    "trajectories",
    "tune",
    "tune_figure",
]
