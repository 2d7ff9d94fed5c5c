"""The files of foreign predictions: a folder per seed and per fold where there are several, and one file per tile, or one for all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.io.errors import list_first
from data.io.safe_json import refused_error
from tuning.score.target import Fold, Target

ALL_TILES = "predictions"  # .npz of all tiles
SUFFIXES = (".tif", ".tiff", ".npz")
SHOWN = 3  # names in a message
_SEED = re.compile(r"seed([0-9]{1,9})")


@dataclass(frozen=True)
class Found:
    """The files of one seed on one fold.

    Attributes:
        seed: Number of the seed.
        fold: The fold.
        folder: Folder of the files.
        files: File of each tile by id; empty with *whole*.
        whole: One file of all tiles; None with *files*.
        has_val: Whether val tiles of this fold may be among them: not where one folder serves several folds.
    """

    seed: int
    fold: Fold
    folder: Path
    files: dict[str, Path]
    whole: Path | None
    has_val: bool


def find_files(target: Target, folder: Path) -> list[Found]:
    """Find the files of every seed and fold.

    Raises:
        RefusedError: If there are none, seeds and files are mixed, a fold is missing, or a tile has two files.
    """
    seeds = {
        int(match[1]): path
        for path in sorted(folder.iterdir())
        if path.is_dir() and (match := _SEED.fullmatch(path.name))
    }
    if not seeds:
        return _find_folds(target, 0, folder)
    if loose := _list_predictions(folder):
        rule = "With folders of seeds, all predictions must be in them"
        raise refused_error(rule, loose[0].name, folder, "Move it into the folder of its seed.")
    return [one for seed, path in sorted(seeds.items()) for one in _find_folds(target, seed, path)]


def _find_folds(target: Target, seed: int, folder: Path) -> list[Found]:
    """Find the files of each fold: in folders of their own, or all in one folder, each tile of the fold that tests on it."""
    several = len(target.folds) > 1
    folders = [folder / fold.folder for fold in target.folds if several]
    here = [path.is_dir() for path in folders]
    if any(here):
        if not all(here):
            missing = folders[here.index(False)]
            rule = f"Each of {len(here)} folds must have its folder"
            raise refused_error(rule, f"no {missing.name}", folder, "Add its predictions.")
        pairs = zip(target.folds, folders, strict=True)
        return [_find(seed, fold, path, has_val=True) for fold, path in pairs]
    _check_disjoint(target.folds, folder)
    return [_find(seed, fold, folder, has_val=not several) for fold in target.folds]


def _check_disjoint(folds: Sequence[Fold], folder: Path) -> None:
    tested: set[str] = set()
    for fold in folds:
        if both := sorted(tested.intersection(fold.test)):
            rule = "Tiles that several folds test need a folder per fold"
            remedy = f"Make the folders {', '.join(one.folder for one in folds)}."
            raise refused_error(rule, both[0], folder, remedy)
        tested.update(fold.test)


def _find(seed: int, fold: Fold, folder: Path, *, has_val: bool) -> Found:
    paths = _list_predictions(folder)
    whole = [path for path in paths if path.name == f"{ALL_TILES}.npz"]
    files: dict[str, Path] = {}
    for path in paths:
        if path.stem in files or (whole and path not in whole):
            other = files.get(path.stem, folder / f"{ALL_TILES}.npz")
            rule = "A tile must have one file"
            raise refused_error(rule, f"{path.name} beside {other.name}", folder, "Remove one.")
        files[path.stem] = path
    if not files:
        rule = f"Predictions must be files TILE_ID.tif, TILE_ID.npz or {ALL_TILES}.npz"
        raise refused_error(rule, "none", folder, "Put them there.")
    return Found(seed, fold, folder, {} if whole else files, whole[0] if whole else None, has_val)


def _list_predictions(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.is_dir()
    ]


def choose_tiles(target: Target, found: Found, names: Sequence[str]) -> tuple[str, ...]:
    """Return the val tiles among some predicted tiles: all of the fold's, or none.

    Args:
        target: The campaign.
        found: The files of one seed and fold.
        names: Ids of the predicted tiles.

    Raises:
        RefusedError: If test tiles are missing, tiles are of another part or unknown, or some val tiles are missing.
    """
    given, fold, place = set(names), found.fold, found.folder
    if missing := [tile for tile in fold.test if tile not in given]:
        got = f"{len(missing)} missing: {list_first(missing, SHOWN)}"
        rule = f"All {len(fold.test)} test tiles of {fold.name} must be predicted"
        raise refused_error(rule, got, place, "Predict them too.")
    val = fold.val if found.has_val else ()
    shared = () if found.has_val else [tile for one in target.folds for tile in one.test]
    if others := sorted(given.difference(fold.test, val, shared)):
        parts = "test and val" if val else "test"
        got = f"{len(others)} others: {list_first(others, SHOWN)}"
        rule = f"Predictions must be of {parts} tiles of {fold.name} alone"
        raise refused_error(
            rule, got, place, "Take the others out; tiles.csv lists the right ones."
        )
    absent = [tile for tile in val if tile not in given]
    if len(absent) == len(val):
        return ()
    if absent:
        got = f"{len(absent)} of {len(val)} missing: {list_first(absent, SHOWN)}"
        rule = f"Val tiles of {fold.name} must be predicted all, or none"
        raise refused_error(rule, got, place, "Predict them too, or take the val tiles out.")
    return val
