"""Train, val and test tiles: named splits, folds, the leakage audit and its map."""

from data.splits.split import (
    SPLITS,
    Split,
    check_split,
    list_fold_names,
    list_parts,
    make_split,
    restrict_split,
    store_split,
)
from data.splits.split_file import PARTS

__all__ = [
    "PARTS",
    "SPLITS",
    "Split",
    "check_split",
    "list_fold_names",
    "list_parts",
    "make_split",
    "restrict_split",
    "store_split",
]
