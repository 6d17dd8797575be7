"""How it is done: Bluesky plans that tie the live documents to an agent."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
