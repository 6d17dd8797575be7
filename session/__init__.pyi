from .again import run_replay, run_resume
from .folder import list_folder, summary_of, tell_scan, truth_of
from .microscope import Session, open_devices, open_session
from .past import Past
from .planning import Advice, plan_demo, plan_scan
from .scanning import run_scan
from .settings import Demo, Scan, ScanInterruptedError
from .shell import run_shell
from .simulated import run_demo
from .tuning import run_tune

__all__ = [
    "Advice",
    "Demo",
    "Past",
    "Scan",
    "ScanInterruptedError",
    "Session",
    "list_folder",
    "open_devices",
    "open_session",
    "plan_demo",
    "plan_scan",
    "run_demo",
    "run_replay",
    "run_resume",
    "run_scan",
    "run_shell",
    "run_tune",
    "summary_of",
    "tell_scan",
    "truth_of",
]
