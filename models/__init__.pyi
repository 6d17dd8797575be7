from .error_map import ErrorMap
from .error_network import load_error_network, save_error_network
from .expected_error import expected_nrmse
from .metrics import nrmse, psnr, ssim
from .noise_aware import NoiseAwareMap, noise_aware
from .raster_gp import RasterGP
from .raster_gp_kernel import GPHyperparameters
from .reconstruct import (
    Neighbours,
    Reconstruction,
    inverse_distance,
    nearest_measured,
    reconstruct,
)
from .scan import SparseScan
from .slads_features import reduction_in_distortion, rescaled, slads_features
from .slads_net import SladsNetwork, load_slads_net, save_slads_net

__all__ = [
    "ErrorMap",
    "GPHyperparameters",
    "Neighbours",
    "NoiseAwareMap",
    "RasterGP",
    "Reconstruction",
    "SladsNetwork",
    "SparseScan",
    "expected_nrmse",
    "inverse_distance",
    "load_error_network",
    "load_slads_net",
    "nearest_measured",
    "noise_aware",
    "nrmse",
    "psnr",
    "reconstruct",
    "reduction_in_distortion",
    "rescaled",
    "save_error_network",
    "save_slads_net",
    "slads_features",
    "ssim",
]
