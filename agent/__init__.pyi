from .agent_server import AgentServer
from .batch_size import largest_batch, largest_flown_batch
from .decision import EXPECTATION, Decision
from .documents import CountedTime, EventReader
from .dwell_choice import dwell_chooser
from .error_sampler import Slads
from .flown_start import flying_pays
from .gains import Gains
from .gp import GaussianProcess
from .grid import Axis, ScanGrid
from .guard import UNREACHABLE, Guard, RefusedTargetError, UnansweredCheckError, Verdict
from .history import History, Interruption, Moment, asks_after
from .hybrid import Hybrid
from .intervention import INTERVENTIONS, Intervention
from .keep_out import KeepOut, KeepOutPolygon, Zone, keep_out_zone
from .low_discrepancy import (
    LowDiscrepancy,
    RasterSubgrid,
    UniformRandom,
    halton_pixels,
    subgrid_pixels,
)
from .message import Message, detail_of
from .motor_agent import MotorAgent, MotorAgentServer
from .motor_decision import MotorDecision
from .motor_documents import MotorReader
from .motor_goal import MotorChoice, MotorGoal, MotorRequest, MotorSampler, motor_sampler
from .motor_observations import MotorObservation, MotorObservations
from .motor_space import MotorSpace
from .observations import Observation, Observations
from .orders import Orders, standing_orders
from .past_decision import GIVEN_UP, PastDecision
from .past_motor_decision import PastMotorDecision
from .peer import Peer
from .registry import check_agent, make_sampler, sampler_names
from .route import path_length, tour, tour_of_segments
from .sampler import Choice, Request, Sampler
from .scan_agent import ScanAgent
from .scanned_grid import grid_of_positions, scanned_grid, steering_keys
from .segment import dwells_at, kept_lengths, segments_of
from .slads import SladsNet
from .spread import Spread
from .stage_time import StageTime
from .stop_rule import Progress, StopRule
from .stopping import (
    coverage,
    dose,
    expected_error,
    expected_rms,
    no_improvement,
    parse,
    points,
    time,
)

__all__ = [
    "EXPECTATION",
    "GIVEN_UP",
    "INTERVENTIONS",
    "UNREACHABLE",
    "AgentServer",
    "Axis",
    "Choice",
    "CountedTime",
    "Decision",
    "EventReader",
    "Gains",
    "GaussianProcess",
    "Guard",
    "History",
    "Hybrid",
    "Interruption",
    "Intervention",
    "KeepOut",
    "KeepOutPolygon",
    "LowDiscrepancy",
    "Message",
    "Moment",
    "MotorAgent",
    "MotorAgentServer",
    "MotorChoice",
    "MotorDecision",
    "MotorGoal",
    "MotorObservation",
    "MotorObservations",
    "MotorReader",
    "MotorRequest",
    "MotorSampler",
    "MotorSpace",
    "Observation",
    "Observations",
    "Orders",
    "PastDecision",
    "PastMotorDecision",
    "Peer",
    "Progress",
    "RasterSubgrid",
    "RefusedTargetError",
    "Request",
    "Sampler",
    "ScanAgent",
    "ScanGrid",
    "Slads",
    "SladsNet",
    "Spread",
    "StageTime",
    "StopRule",
    "UnansweredCheckError",
    "UniformRandom",
    "Verdict",
    "Zone",
    "asks_after",
    "check_agent",
    "coverage",
    "detail_of",
    "dose",
    "dwell_chooser",
    "dwells_at",
    "expected_error",
    "expected_rms",
    "flying_pays",
    "grid_of_positions",
    "halton_pixels",
    "keep_out_zone",
    "kept_lengths",
    "largest_batch",
    "largest_flown_batch",
    "make_sampler",
    "motor_sampler",
    "no_improvement",
    "parse",
    "path_length",
    "points",
    "sampler_names",
    "scanned_grid",
    "segments_of",
    "standing_orders",
    "steering_keys",
    "subgrid_pixels",
    "time",
    "tour",
    "tour_of_segments",
]
