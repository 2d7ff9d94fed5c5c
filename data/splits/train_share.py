"""A share of the train tiles, as if fewer had been labelled: nested (those of a tenth are among those of a quarter) and fixed.

``scattered`` tiles lie all over the train area: of each region, the tiles without landslides and each quarter of the others by
landslide pixels give their share. ``compact`` tiles are of each region those that are nearest to one tile. That centre is
chosen so that landslides are as frequent around it as in all train tiles of the region, whatever the share. Val and
test are not touched.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.io.errors import unknown_name
from data.splits.grid import group_by_region, make_grid
from data.splits.split import Split
from data.tiles import TileSurvey

SCATTERED, COMPACT = "scattered", "compact"
SHAPES = (SCATTERED, COMPACT)
WHOLE = "1"  # all train tiles
_CLASSES = 4  # of the tiles with landslides, by their pixels
_MEASURED = (0.1, 0.25, 0.5)  # shares at which a centre must have landslides as elsewhere
_MOST_CENTRES = 200  # tried per region


@dataclass(frozen=True)
class TrainShare:
    """A share of the train tiles.

    Attributes:
        shape: One of ``SHAPES``.
        share: Above 0, at most 1.
    """

    shape: str
    share: float

    def __str__(self) -> str:
        return WHOLE if self.share == 1 else f"{self.shape}:{self.share}"


def parse_train_share(text: str) -> TrainShare:
    """Parse ``0.25``, which is ``scattered:0.25``, or ``compact:0.25``.

    Raises:
        ValueError: If the shape is unknown, or the share is no number above 0 and at most 1.
    """
    shape, colon, number = text.rpartition(":")
    if colon and shape not in SHAPES:
        raise ValueError(unknown_name("shape of the train share", shape, SHAPES))
    try:
        share = float(number)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ValueError(
            f"--train-share must be above 0 and at most 1, such as 0.25 or compact:0.25, but got {text!r}."
        )
    return TrainShare(shape or SCATTERED, share)


def shrink_train(
    split: Split, tiles: Mapping[str, TileSurvey], text: str, batch_size: int
) -> Split:
    """Return a split with a share of its train tiles; the others are then among the unused.

    Args:
        split: The split.
        tiles: Position and landslide pixels of its train tiles, by id.
        text: The share, as :func:`parse_train_share` reads it.
        batch_size: Tiles of one training step.

    Raises:
        ValueError: If the share is invalid, or leaves fewer tiles than a batch or none with a landslide.
    """
    wanted = parse_train_share(text)
    if wanted.share == 1:
        return split
    ordered = order_train([tiles[tile] for tile in split.train], wanted.shape)
    kept = sorted(ordered[: round(wanted.share * len(ordered))])
    with_slides = sum(tiles[tile].annotated_px > 0 for tile in kept)
    if len(kept) < batch_size or not with_slides:
        raise ValueError(
            f"--train-share must leave a batch of {batch_size} train tiles or more, one of them with a landslide, but {wanted} "
            f"leaves {len(kept)} of the {len(ordered)} train tiles of split {split.name!r}, {with_slides} with a landslide. "
            "Raise it."
        )
    unused = sorted({*split.unused, *split.train} - {*kept})
    return replace(split, train=tuple(kept), unused=tuple(unused))


def order_train(tiles: Iterable[TileSurvey], shape: str) -> list[str]:
    """Return the ids of train tiles in the order in which a rising share takes them.

    Args:
        tiles: Position and landslide pixels of the train tiles.
        shape: One of ``SHAPES``.
    """
    order = _order_by_class if shape == SCATTERED else _order_by_distance
    regions = group_by_region({tile.tile_id: tile for tile in tiles}).values()
    places = [place for region in regions for group in order(region) for place in _place(group)]
    return [tile for _, _, tile in sorted(places)]


def _place(group: Sequence[str]) -> list[tuple[float, str, str]]:
    """Return each tile with its place in (0, 1) within its group: sorted by it, all groups give the same share."""
    return [((i + 0.5) / len(group), _shuffle(tile), tile) for i, tile in enumerate(group)]


def _shuffle(tile_id: str) -> str:
    """Return what to sort by for an order that is fixed, but has nothing to do with ids."""
    return hashlib.sha256(tile_id.encode()).hexdigest()


def _order_by_class(region: Mapping[str, TileSurvey]) -> list[list[str]]:
    """Return one region's tiles without landslides, and the others in classes by landslide pixels, each shuffled."""
    ranked = sorted(region.values(), key=lambda tile: (tile.annotated_px, tile.tile_id))
    bare = [tile.tile_id for tile in ranked if not tile.annotated_px]
    slides = [tile.tile_id for tile in ranked if tile.annotated_px]
    classes = [part.tolist() for part in np.array_split(np.array(slides, object), _CLASSES)]
    return [sorted(group, key=_shuffle) for group in (bare, *classes)]


def _order_by_distance(region: Mapping[str, TileSurvey]) -> list[list[str]]:
    """Return one region's tiles by distance from the centre around which landslides are as frequent as elsewhere."""
    grid = make_grid(region.values())
    count = len(grid.ids)
    centres = np.unique(np.linspace(0, count - 1, min(count, _MOST_CENTRES)).astype(int))
    orders = [_sort_around(grid.corners, centre) for centre in centres]
    best = min(orders, key=lambda order: _measure_imbalance(grid.annotated_px[order]))
    return [[grid.ids[i] for i in best]]


def _sort_around(corners: np.ndarray, centre: int) -> np.ndarray:
    squares = ((corners - corners[centre]) ** 2).sum(axis=1)
    return np.argsort(squares, kind="stable")


def _measure_imbalance(px: np.ndarray) -> float:
    """Return the largest factor, as a logarithm, between the landslide share of the first tiles and of all."""
    if not px.any():
        return 0.0
    firsts = [px[: max(1, round(share * len(px)))] for share in _MEASURED]
    ratios = [float(first.mean() / px.mean()) for first in firsts]
    return max(abs(math.log(ratio)) if ratio else math.inf for ratio in ratios)
