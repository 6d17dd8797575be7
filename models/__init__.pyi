from .acquisition import (
    BoundaryGain,
    OffHill,
    Search,
    UpperConfidence,
    VarianceReduction,
    doubt,
    improvement,
)
from .acquisition_botorch import choose_with_botorch, require_botorch
from .acquisition_region import SearchRegion, Travel
from .blended_gp import BlendedGP
from .error_estimate import ErrorEstimate, points_for
from .error_map import ErrorMap
from .error_network import load_error_network, save_error_network
from .expected_error import expected_nrmse
from .gp_channels import GPChannels
from .kriging import KrigedMap, kriged
from .metrics import nrmse, psnr, ssim
from .motor_gp import MotorGP
from .motor_gp_fit import MotorHyperparameters
from .motor_gp_posterior import MotorPosterior
from .noise_aware import NoiseAwareMap, foretold_counts, noise_aware
from .raster_gp import RasterGP
from .raster_gp_kernel import GPHyperparameters
from .raster_gp_level import choose_for_level
from .raster_gp_outlook import STEERING_POWER
from .reconstruct import (
    Neighbours,
    Reconstruction,
    inverse_distance,
    nearest_measured,
    reconstruct,
)
from .scan import ReadingLog, SparseScan
from .slads_features import reduction_in_distortion, rescaled, slads_features
from .slads_net import SladsNetwork, load_slads_net, save_slads_net
from .tested_gp import TestedGP
from .tested_map import TestedMap
from .voices import Voices

__all__ = [
    "STEERING_POWER",
    "BlendedGP",
    "BoundaryGain",
    "ErrorEstimate",
    "ErrorMap",
    "GPChannels",
    "GPHyperparameters",
    "KrigedMap",
    "MotorGP",
    "MotorHyperparameters",
    "MotorPosterior",
    "Neighbours",
    "NoiseAwareMap",
    "OffHill",
    "RasterGP",
    "ReadingLog",
    "Reconstruction",
    "Search",
    "SearchRegion",
    "SladsNetwork",
    "SparseScan",
    "TestedGP",
    "TestedMap",
    "Travel",
    "UpperConfidence",
    "VarianceReduction",
    "Voices",
    "choose_for_level",
    "choose_with_botorch",
    "doubt",
    "expected_nrmse",
    "foretold_counts",
    "improvement",
    "inverse_distance",
    "kriged",
    "load_error_network",
    "load_slads_net",
    "nearest_measured",
    "noise_aware",
    "nrmse",
    "points_for",
    "psnr",
    "reconstruct",
    "reduction_in_distortion",
    "require_botorch",
    "rescaled",
    "save_error_network",
    "save_slads_net",
    "slads_features",
    "ssim",
]
