from .adaptive import ScanOutcome, adaptive_scan

__all__ = ["ScanOutcome", "adaptive_scan"]
