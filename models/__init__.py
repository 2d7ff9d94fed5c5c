"""Landslide segmentation networks: ``x (B, T, C, H, W)`` in, ``logits (B, 1, H, W)`` out.

Each module without a leading underscore is one architecture, named by its file. It defines ``build`` (the class),
``SPACE`` (the arch values to search), ``KNOWN_GOOD`` (the values a search tries first), ``PUBLISHED`` (those of the
published network) and ``PAPER_NAME``. A new architecture is one new file; nothing else changes.
"""

from models._registry import (
    create_model,
    known_good,
    list_models,
    paper_name,
    published,
    search_space,
)

__all__ = ["create_model", "known_good", "list_models", "paper_name", "published", "search_space"]
