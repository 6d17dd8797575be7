from .export import write_points
from .figure import map_figure, save_map
from .progress import progress_bar
from .report import write_report
from .summary import DecisionPoint, MeasuredPoint, RunSummary, summarize

__all__ = [
    "DecisionPoint",
    "MeasuredPoint",
    "RunSummary",
    "map_figure",
    "progress_bar",
    "save_map",
    "summarize",
    "write_points",
    "write_report",
]
