from .adaptive import adaptive_scan
from .bad_points import BadPoints
from .batches import ScanOutcome
from .beam import RingCheck
from .dry_run import DryRun, dry_run
from .flight import FlyingDetector
from .inbox import Inbox, me
from .optimize import OptimizeOutcome, optimize
from .redecide import decide_again
from .resume import resume_scan
from .shutter import ScanShutter

__all__ = [
    "BadPoints",
    "DryRun",
    "FlyingDetector",
    "Inbox",
    "OptimizeOutcome",
    "RingCheck",
    "ScanOutcome",
    "ScanShutter",
    "adaptive_scan",
    "decide_again",
    "dry_run",
    "me",
    "optimize",
    "resume_scan",
]
