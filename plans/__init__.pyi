from .adaptive import adaptive_scan
from .batches import ScanOutcome

__all__ = ["ScanOutcome", "adaptive_scan"]
