"""Splits across events: train on all regions but one, test on that one, with a few of its labels or none.

Test: the held-out region without its labelled area and the belt of tiles around that area.
Labelled area: up to 20 tiles around one tile, a quarter of the region's tiles at most. Its first SHOTS tiles, nearest
to that tile first, are train; the others and the belt are in the buffer. So 1 is within 5 within 20, and
the test tiles are the same for every number of shots. The area's first tile has at least the median of landslide pixels
of those that have some; among such areas, the one is taken whose landslide share is nearest to the region's and
whose belt is small.
Val: one block of each training region, about 15 % of its tiles and landslides, cut off by a straight line
(:mod:`data.splits.folds`); a region with fewer than seven tiles, or two with landslides, is train alone.
Train: the rest of the training regions. Val touches train; no train or val tile touches a test tile.
"""

import math
from collections.abc import Mapping

import numpy as np

from data.io.errors import unknown_name
from data.splits.folds import list_cuts
from data.splits.grid import TileGrid, find_touching, group_by_region, make_grid
from data.splits.names import check_regions, event_split_name
from data.splits.split_file import BUFFER
from data.tiles import TileSurvey

AREA_TILES = 20
AREA_SHARE = 4  # the area is at most one tile of so many
VAL_SHARE = 0.15  # of tiles and landslides
MIN_TILES = 7  # of a region with val tiles

Tiles = Mapping[str, TileSurvey]


def make_event_split(tiles: Tiles, region: str, shots: int) -> dict[str, list[str]]:
    """Return the split that tests on a region.

    Args:
        tiles: Position and landslide pixels of the available tiles, by id.
        region: The held-out region.
        shots: Labelled tiles of that region in train.

    Returns:
        Sorted ids of ``train``, ``val``, ``test`` and ``buffer``; each available tile is in one of them.

    Raises:
        ValueError: If the data lack the region, have no other one, or have too few tiles or landslides.
    """
    name, regions = event_split_name(region, shots), group_by_region(tiles)
    if region not in regions:
        raise ValueError(
            f"{unknown_name('region', region, regions)} Split {name!r} tests on a region of the data; add it with --region."
        )
    check_regions(name, regions)
    area, test = _divide_held_out(make_grid(regions[region].values()))
    _check_held_out(name, shots, area, test, regions[region])
    val = [tile for other, group in regions.items() if other != region for tile in _pick_val(group)]
    if not val:
        raise ValueError(
            f"Split {name!r} needs val tiles with landslides, but no region besides {region} has {MIN_TILES} tiles, two "
            "of them with landslides. Add tiles or regions (--region)."
        )
    train = sorted({*tiles} - {*regions[region], *val} | {*area[:shots]})
    apart = {*find_touching([*train, *val], test, tiles)}
    parts = {"train": train, "val": sorted(val), "test": sorted(test)}
    parts = {part: [tile for tile in ids if tile not in apart] for part, ids in parts.items()}
    return parts | {BUFFER: sorted({*tiles}.difference(*parts.values()))}


def _pick_val(group: Tiles) -> tuple[str, ...]:
    """Return the val tiles of a training region, none of a small one."""
    slides = sum(tile.annotated_px > 0 for tile in group.values())
    if len(group) < MIN_TILES or slides < 2:
        return ()
    grid = make_grid(group.values())
    px = grid.annotated_px
    cuts = list_cuts(grid, np.arange(len(grid.ids)), VAL_SHARE)
    usable = [(error, here) for error, here, there in cuts if px[here].any() and px[there].any()]
    if not usable:
        return ()
    return tuple(grid.ids[i] for i in sorted(min(usable, key=lambda cut: cut[0])[1]))


def _divide_held_out(grid: TileGrid) -> tuple[list[str], list[str]]:
    """Return the tiles of the labelled area, in the order in which they become train, and the test tiles."""
    size = min(AREA_TILES, len(grid.ids) // AREA_SHARE)
    best, least = np.arange(0), math.inf
    for seed in _list_seeds(grid) if size else ():
        distance = ((grid.corners - grid.corners[seed]) ** 2).sum(axis=-1)
        area = np.argsort(distance, kind="stable")[:size]
        cost = _measure_area(grid, area)
        if cost < least:
            best, least = area, cost
    test = _list_test(grid, best)
    return [grid.ids[i] for i in best], [grid.ids[i] for i in test]


def _list_seeds(grid: TileGrid) -> np.ndarray:
    """Return the tiles with at least the median of landslide pixels of those that have some."""
    px = grid.annotated_px
    return np.flatnonzero((px > 0) & (px >= np.median(px[px > 0]))) if px.any() else np.arange(0)


def _list_test(grid: TileGrid, area: np.ndarray) -> np.ndarray:
    """Return the tiles outside a labelled area that do not touch it."""
    mask = np.zeros(len(grid.ids), bool)
    mask[area] = True
    return np.flatnonzero(~(mask | grid.find_belt(mask)))


def _measure_area(grid: TileGrid, area: np.ndarray) -> float:
    """Return belt tiles per area tile plus the error of its landslide share; infinite without landslides in test."""
    px, test = grid.annotated_px, _list_test(grid, area)
    if not px[test].any():
        return math.inf
    belt = len(px) - len(area) - len(test)
    return belt / len(area) + abs(math.log(px[area].mean() / px.mean()))


def _check_held_out(name: str, shots: int, area: list[str], test: list[str], group: Tiles) -> None:
    """Raise ValueError if test has no landslides, or the labelled area fewer tiles than shots."""
    slides = sum(tile.annotated_px > 0 for tile in group.values())
    if not any(group[tile].annotated_px for tile in test):
        raise ValueError(
            f"The tested region of split {name!r} needs landslides, but {slides} of its {len(group)} tiles have some. "
            "Add tiles of this region, or test on another one."
        )
    if shots > len(area):
        raise ValueError(
            f"Split {name!r} needs {shots} labelled tiles, but the labelled area of its region has {len(area)}, at most a "
            f"quarter of its {len(group)} tiles ({slides} with landslides). Take fewer shots or add tiles."
        )
