"""Landslide segmentation networks: ``x (B, T, C, H, W)`` in, ``logits (B, 1, H, W)`` out.

Each module without a leading underscore is one architecture, named by its file. It defines ``build`` (the class), and may
define ``SPACE`` (the arch values to search), ``KNOWN_GOOD`` (the values a search tries first), ``PUBLISHED`` (those of the
published network), ``NARROW`` (shorter lists for small machines) and ``PAPER_NAME``. A new architecture is one new file;
nothing else changes. A class that is no file of this package is named by a reference, see `add_network`.

A network whose ``reads_dates`` is true takes the dates as a second input: ``forward(x, days)``, see `apply_network`.
"""

from models._architecture import Architecture, is_key
from models._cost import count_gmac
from models._dates import apply_network, reads_dates
from models._registry import (
    add_network,
    announce_network,
    create_model,
    find_place,
    get_architecture,
    is_network,
    known_good,
    list_models,
    move_into,
    narrow,
    narrow_arch,
    paper_name,
    published,
    recall_network,
    register_model,
    search_space,
    use_channels_last,
)
from models.outside.locate import is_reference

__all__ = [
    "Architecture",
    "add_network",
    "announce_network",
    "apply_network",
    "count_gmac",
    "create_model",
    "find_place",
    "get_architecture",
    "is_key",
    "is_network",
    "is_reference",
    "known_good",
    "list_models",
    "move_into",
    "narrow",
    "narrow_arch",
    "paper_name",
    "published",
    "reads_dates",
    "recall_network",
    "register_model",
    "search_space",
    "use_channels_last",
]
