from .adaptive import adaptive_scan
from .bad_points import BadPoints
from .batches import ScanOutcome
from .beam import RingCheck
from .inbox import Inbox, me
from .resume import resume_scan
from .shutter import ScanShutter

__all__ = [
    "BadPoints",
    "Inbox",
    "RingCheck",
    "ScanOutcome",
    "ScanShutter",
    "adaptive_scan",
    "me",
    "resume_scan",
]
