"""Spatial blocks: one side of a straight cut is test, the belt beside it val, the rest train.

Hokkaido's blocks are a fixed list, ``split_blocks.json``. Those of any other region are cut here as the folds are
(:mod:`data.splits.folds`): test is about 27 % of tiles and landslides, as in Hokkaido. Of the 40 best cuts, the
first is taken whose parts all have landslides and their share within a factor of 1.4 of the region's; if there is none,
the one that comes nearest. So tiles in several clusters or in two UTM zones need no care: one line divides them all.

With several regions in the data, the parts of ``blocks`` and of ``blocks:K/F`` are those of every region together.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from data.splits.folds import VAL_BALANCE, Parts, list_cuts, make_fold, name_parts, surround
from data.splits.grid import find_touching, group_by_region, make_grid, survey_catalogue
from data.splits.split_file import BUFFER, PARTS
from data.tiles import TileSurvey
from data.tiles.catalogue import CATALOGUE_REGION

TEST_SHARE = 0.27  # of tiles and landslides
_TRIED_CUTS = 40
_BLOCKS = Path(__file__).with_name("split_blocks.json")

Tiles = Mapping[str, TileSurvey]


def make_blocks(tiles: Tiles) -> dict[str, list[str]]:
    """Return the spatial blocks of all regions together.

    Args:
        tiles: Position and landslide pixels of the available tiles, by id.

    Returns:
        Sorted ids of ``train``, ``val`` and ``test``. Those of Hokkaido are its published tiles, available or not, and
        the other available ones. Train tiles that touch a test tile of another region are in ``buffer``.

    Raises:
        ValueError: If a region has too few tiles or landslides.
    """
    return join_regions(tiles, _cut_region, lambda: json.loads(_BLOCKS.read_text()))


def make_folds(tiles: Tiles, folds: int, fold: int) -> dict[str, list[str]]:
    """Return one fold of all regions together; see :func:`make_blocks`."""
    return join_regions(
        tiles,
        lambda region: make_fold(region, folds, fold),
        lambda: make_fold(survey_catalogue().values(), folds, fold),
    )


def join_regions(
    tiles: Tiles,
    cut: Callable[[tuple[TileSurvey, ...]], Parts],
    read_hokkaido: Callable[[], Mapping[str, Sequence[str]]],
) -> dict[str, list[str]]:
    """Return the parts of all regions together.

    Args:
        tiles: The available tiles.
        cut: Makes the parts of a region from its tiles, sorted by id.
        read_hokkaido: Returns the parts of Hokkaido's published tiles.

    Raises:
        ValueError: If a part of a region other than Hokkaido has no tile or no landslides.
    """
    joint: dict[str, list[str]] = {part: [] for part in PARTS}
    for region, group in group_by_region(tiles).items():
        parts: Mapping[str, Sequence[str]]
        if region == CATALOGUE_REGION:
            parts = _add_unlisted(read_hokkaido(), group)
        else:
            parts = cut(tuple(group.values())) if len(group) > 1 else {}
            _check_parts(region, parts, group)
        for part in PARTS:
            joint[part] += parts[part]
    return separate({part: sorted(ids) for part, ids in joint.items()}, tiles)


def separate(parts: dict[str, list[str]], tiles: Tiles) -> dict[str, list[str]]:
    """Move the train tiles that touch a test tile into ``buffer``: they are of two regions that overlap."""
    test, train = ([tile for tile in parts[part] if tile in tiles] for part in ("test", "train"))
    if not (touching := set(find_touching(train, test, tiles))):
        return parts
    kept = [tile for tile in parts["train"] if tile not in touching]
    return parts | {"train": kept, BUFFER: sorted({*parts.get(BUFFER, ()), *touching})}


@lru_cache(maxsize=32)
def _cut_region(tiles: tuple[TileSurvey, ...]) -> Parts:
    """Cut a region of two tiles or more, sorted by id, in train, val and test."""
    grid = make_grid(tiles)
    cuts = sorted(list_cuts(grid, np.arange(len(grid.ids)), TEST_SHARE), key=lambda cut: cut[0])
    best: Parts = {}
    least = math.inf
    for _, here, _ in cuts[:_TRIED_CUTS]:
        test = np.zeros(len(grid.ids), bool)
        test[here] = True
        val = surround(grid, test)
        imbalance = _measure_imbalance(grid.annotated_px, test, val)
        if not best or imbalance < least:
            best, least = name_parts(grid, test, val), imbalance
        if least <= VAL_BALANCE:
            break
    return best


def _measure_imbalance(px: np.ndarray, test: np.ndarray, val: np.ndarray) -> float:
    """Return the largest factor between a part's landslide share and the region's; infinite without landslides."""
    parts = [px[mask] for mask in (~(test | val), val, test)]
    if not all(part.any() for part in parts):
        return math.inf
    ratios = [float(part.mean() / px.mean()) for part in parts]
    return max(max(ratio, 1 / ratio) for ratio in ratios)


def _add_unlisted(parts: Mapping[str, Sequence[str]], tiles: Tiles) -> dict[str, list[str]]:
    """Add available tiles that a fixed list does not hold: val if they touch test, else train."""
    listed = {tile for ids in parts.values() for tile in ids}
    known = {**survey_catalogue(), **tiles}
    unlisted = [tile for tile in tiles if tile not in listed]
    val = find_touching(unlisted, parts["test"], known)
    train = sorted({*unlisted} - {*val})
    return {
        "train": [*parts["train"], *train],
        "val": [*parts["val"], *val],
        "test": [*parts["test"]],
    }


def _check_parts(region: str, parts: Mapping[str, Sequence[str]], tiles: Tiles) -> None:
    """Raise ValueError if a part has no tile with landslides."""
    slides = {tile for tile, survey in tiles.items() if survey.annotated_px}
    lacking = [part for part in PARTS if slides.isdisjoint(parts.get(part, ()))]
    if lacking:
        raise ValueError(
            f"Blocks need tiles with landslides in train, val and test, but got none in {' and '.join(lacking)} for "
            f"region {region} (tiles: {len(tiles)}, with landslides: {len(slides)}). Add tiles "
            "of this region, leave it out (--region), take fewer folds, or choose another split (--split)."
        )
