from .grid import survey_catalogue
from .names import (
    SHOTS,
    SPLITS,
    check_split,
    check_splits,
    event_split_name,
    is_cross_validation,
    list_folds,
)
from .split import (
    Split,
    hash_splits,
    list_parts,
    make_split,
    restrict_split,
    store_split,
)
from .split_file import PARTS
from .train_share import WHOLE, parse_train_share, shrink_train

__all__ = [
    "PARTS",
    "SHOTS",
    "SPLITS",
    "WHOLE",
    "Split",
    "check_split",
    "check_splits",
    "event_split_name",
    "hash_splits",
    "is_cross_validation",
    "list_folds",
    "list_parts",
    "make_split",
    "parse_train_share",
    "restrict_split",
    "shrink_train",
    "store_split",
    "survey_catalogue",
]
