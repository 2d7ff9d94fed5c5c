"""Landslide segmentation networks: ``x (B, T, C, H, W)`` in, ``logits (B, 1, H, W)`` out.

Each module without a leading underscore is one architecture, named by its file. It defines ``build`` (the class), and may
define ``SPACE`` (the arch values to search), ``KNOWN_GOOD`` (the values a search tries first), ``PUBLISHED`` (those of the
published network), ``NARROW`` (shorter lists for small machines) and ``PAPER_NAME``. A new architecture is one new file;
nothing else changes. A class that is no file of this package is named by a reference, see `add_network`.

A network whose ``reads_dates`` is true takes the dates as a second input: ``forward(x, days)``, see `apply_network`.
"""

import lazy_loader

# The names of __init__.pyi, each of whose modules is imported at its first use: `--help` needs none.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
