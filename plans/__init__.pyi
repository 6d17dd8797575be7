from .adaptive import adaptive_scan
from .batches import ScanOutcome
from .resume import resume_scan

__all__ = ["ScanOutcome", "adaptive_scan", "resume_scan"]
