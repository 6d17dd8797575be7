"""What to do next: the grid, observations, samplers, guard, routes, stopping, decisions."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
