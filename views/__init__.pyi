from .export import export_run, write_points, write_tiff
from .figure import map_figure, save_map
from .live import LiveMap
from .live_figure import live_figure
from .live_scan import LiveScan, LiveView
from .monitor import monitored, watch_folder
from .nexus import write_nexus
from .progress import progress_bar
from .report import write_report
from .run_points import DecisionPoint, MeasuredPoint
from .summary import RunSummary, summarize

__all__ = [
    "DecisionPoint",
    "LiveMap",
    "LiveScan",
    "LiveView",
    "MeasuredPoint",
    "RunSummary",
    "export_run",
    "live_figure",
    "map_figure",
    "monitored",
    "progress_bar",
    "save_map",
    "summarize",
    "watch_folder",
    "write_nexus",
    "write_points",
    "write_report",
    "write_tiff",
]
