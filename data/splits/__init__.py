"""Train, val and test tiles: named splits, folds, the leakage audit and its map."""

import lazy_loader

# The names of __init__.pyi, each of whose modules is imported at its first use: `--help` needs none.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
