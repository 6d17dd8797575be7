"""What is kept: the journal of documents, the catalog behind it, reading a run back."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
