from .decision import Decision
from .documents import EventReader
from .error_sampler import Slads
from .grid import Axis, ScanGrid
from .guard import Guard, KeepOut, Verdict
from .intervention import INTERVENTIONS, Intervention
from .low_discrepancy import (
    LowDiscrepancy,
    RasterSubgrid,
    UniformRandom,
    halton_pixels,
    subgrid_pixels,
)
from .message import Message
from .observations import Observation, Observations
from .orders import Orders, standing_orders
from .registry import check_agent, make_sampler, sampler_names
from .route import path_length, tour
from .sampler import Choice, Request, Sampler
from .scan_agent import AgentServer, ScanAgent
from .slads import SladsNet
from .spread import Spread
from .stage_time import StageTime
from .stopping import (
    Progress,
    StopRule,
    coverage,
    dose,
    expected_error,
    no_improvement,
    parse,
    points,
    time,
)

__all__ = [
    "INTERVENTIONS",
    "AgentServer",
    "Axis",
    "Choice",
    "Decision",
    "EventReader",
    "Guard",
    "Intervention",
    "KeepOut",
    "LowDiscrepancy",
    "Message",
    "Observation",
    "Observations",
    "Orders",
    "Progress",
    "RasterSubgrid",
    "Request",
    "Sampler",
    "ScanAgent",
    "ScanGrid",
    "Slads",
    "SladsNet",
    "Spread",
    "StageTime",
    "StopRule",
    "UniformRandom",
    "Verdict",
    "check_agent",
    "coverage",
    "dose",
    "expected_error",
    "halton_pixels",
    "make_sampler",
    "no_improvement",
    "parse",
    "path_length",
    "points",
    "sampler_names",
    "standing_orders",
    "subgrid_pixels",
    "time",
    "tour",
]
