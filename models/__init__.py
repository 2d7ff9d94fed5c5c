"""The segmentation networks, one file each.

They map ``x (B, T, C, H, W)`` to ``logits (B, 1, H, W)``.

Each module whose name has no leading underscore is one architecture, and its file name is the key.
It holds ``build`` (the class), ``SPACE`` (the arch values to search), ``KNOWN_GOOD`` (where a search
starts), ``PUBLISHED`` (the published network) and ``PAPER_NAME``. A further architecture is one
further file; nothing else has to change.
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
