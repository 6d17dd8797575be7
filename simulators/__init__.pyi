from .alignment import Alignment, hartmann4
from .generate import generate
from .image_files import image_file, read_image
from .ioc import serve
from .launcher import Ioc
from .options import IocOptions
from .physics import Beam, CountingChain, Exposure, Ring
from .soft import SoftCounter, SoftMicroscope, SoftRing
from .soft_motor import SoftMotor
from .specimen import Specimen, scale_to_rates

__all__ = [
    "Alignment",
    "Beam",
    "CountingChain",
    "Exposure",
    "Ioc",
    "IocOptions",
    "Ring",
    "SoftCounter",
    "SoftMicroscope",
    "SoftMotor",
    "SoftRing",
    "Specimen",
    "generate",
    "hartmann4",
    "image_file",
    "read_image",
    "scale_to_rates",
    "serve",
]
