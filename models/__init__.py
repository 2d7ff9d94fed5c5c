"""Landslide segmentation networks: ``x (B, T, C, H, W)`` in, ``logits (B, 1, H, W)`` out.

Each module without a leading underscore is one architecture, named by its file. It defines ``build`` (the class),
``SPACE`` (the arch values to search), ``KNOWN_GOOD`` (the values a search tries first), ``PUBLISHED`` (those of the
published network) and ``PAPER_NAME``. A new architecture is one new file; nothing else changes.

A network whose ``reads_dates`` is true takes the dates as a second input: ``forward(x, days)``, see `apply_network`.
"""

from models._dates import apply_network, reads_dates
from models._registry import (
    create_model,
    known_good,
    list_models,
    paper_name,
    published,
    search_space,
)

__all__ = [
    "apply_network",
    "create_model",
    "known_good",
    "list_models",
    "paper_name",
    "published",
    "reads_dates",
    "search_space",
]
