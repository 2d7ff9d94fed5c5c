"""A verdict for every tile file of a folder."""

import lazy_loader

# The names of __init__.pyi, each of whose modules is imported at its first use: `--help` needs none.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
