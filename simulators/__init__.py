"""What stands in for a beamline: specimens, physics, the caproto microscope, its soft twin."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
