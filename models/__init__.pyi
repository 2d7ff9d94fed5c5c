from ._architecture import Architecture, is_key
from ._cost import count_gmac
from ._dates import apply_network, reads_dates
from ._registry import (
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
from .outside.locate import is_reference

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
