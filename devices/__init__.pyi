from .connection import connect
from .counter import Count, Counter, normalised_rate
from .motor import ScanMotor, ScanMove
from .multichannel import MultichannelCounter
from .ring import BeamSuspender, RingCurrent, beam_suspender
from .shutter import Shutter
from .signals import FloatSignal, FloatSignalRO
from .stage import ScanStage

__all__ = [
    "BeamSuspender",
    "Count",
    "Counter",
    "FloatSignal",
    "FloatSignalRO",
    "MultichannelCounter",
    "RingCurrent",
    "ScanMotor",
    "ScanMove",
    "ScanStage",
    "Shutter",
    "beam_suspender",
    "connect",
    "normalised_rate",
]
