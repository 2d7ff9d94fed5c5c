"""Scores of landslides as objects: how many are detected, and how many detections are false.

An object is a connected component of pixels (8 neighbours). Landslides that touch each other are one object, as their labels
say no more. An object that reaches into other measured tiles (:mod:`tuning.objects.mosaic`) is one object; it counts in the
tile that holds most of its pixels, so that counts add over tiles and tiles can be resampled. Where nothing is measured beyond the tile, it
ends at the border.

Found and reference objects are matched one to one (:mod:`tuning.objects.matching`). With a minimum mapping unit M,

- a found object below M is not mapped: it is removed before anything is counted;
- a reference object below M is neither hit nor missed;
- a found object that has no match, and an IoU above 0.3 with a reference object below M, is neither right nor wrong.

This is how COCO's evaluation treats objects outside the range of areas (``cocoeval.evaluateImg``: a detection is matched to an ignored
object only if no other matches, and is then ignored), but for found objects below M, which COCO would match.

Reference:
    Sizes: Kasai and Yamada (2019), Earth, Planets and Space 71, doi 10.1186/s40623-019-1069-8: of the 6,117
    landslides of the 2018 Iburi event the mean area is 7,160 m2, and many have run together.
    Lin et al. (2014), Microsoft COCO, arXiv:1405.0312, and its evaluation code, github.com/cocodataset/cocoapi.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data.tiles import PIXEL_M
from tuning.metrics.histogram import check_mask
from tuning.objects.matching import exceed_limit, match_one_to_one
from tuning.objects.mosaic import check_neighbours, isolate, join_parts, take_rims
from tuning.objects.object_scores import SIZES, ObjectCounts, class_by_size

_STEP = 64  # tiles whose labels are in memory at once
_CONNECTED = np.zeros((3, 3, 3), bool)  # within a tile, never between the tiles of a stack
_CONNECTED[1] = True


@dataclass(frozen=True)
class _Objects:
    """The objects of one kind in all tiles, joined over borders.

    Attributes:
        part_tile, part_px, part_object: Tile, pixels and object of each part.
        area_px: Pixels of each object.
        home: Tile that holds most of them; the first of several.
    """

    part_tile: np.ndarray
    part_px: np.ndarray
    part_object: np.ndarray
    area_px: np.ndarray
    home: np.ndarray

    def sum_pixels(self, chosen: np.ndarray, tiles: int) -> np.ndarray:
        """Return the pixels of the chosen objects in each tile, shape ``(tiles,)``."""
        counted = chosen[self.part_object]
        sums = np.bincount(self.part_tile[counted], self.part_px[counted], minlength=tiles)
        return sums.astype(np.int64)

    def table(self, chosen: np.ndarray, tiles: int) -> np.ndarray:
        """Count the chosen objects by tile and size, shape ``(tiles, K)``."""
        at = self.home[chosen] * len(SIZES) + class_by_size(self.area_px[chosen])
        return np.bincount(at, minlength=tiles * len(SIZES)).reshape(tiles, len(SIZES))


class _Parts:
    """Collects the parts of objects within single tiles, tiles after tiles."""

    def __init__(self) -> None:
        self.count = 0
        self._tile: list[np.ndarray] = []
        self._px: list[np.ndarray] = []
        self._rims: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, maps: np.ndarray, first_tile: int) -> np.ndarray:
        """Return the numbers of the parts of ``(B, H, W)``, from 1 up over all calls; 0 for background."""
        labels, count = ndimage.label(maps, _CONNECTED)
        at = np.flatnonzero(labels)
        px = np.bincount(labels.ravel()[at], minlength=count + 1)[1:]
        tile = np.zeros(count + 1, np.int64)
        tile[labels.ravel()[at]] = first_tile + at // labels[0].size
        labels.ravel()[at] += self.count
        self._tile.append(tile[1:])
        self._px.append(px)
        self._rims.append(take_rims(labels))
        self.count += count
        return np.asarray(labels)

    def join(self, neighbours: np.ndarray) -> _Objects:
        """Join the parts that touch over a border."""
        tile, px = np.concatenate(self._tile), np.concatenate(self._px)
        rows, columns = (np.concatenate(rims) for rims in zip(*self._rims, strict=True))
        of = join_parts(rows, columns, neighbours, self.count)
        places, at = np.unique(of * len(neighbours) + tile, return_inverse=True)
        objects, tiles = np.divmod(places, len(neighbours))
        here = np.bincount(at, px)
        order = np.lexsort((tiles, -here, objects))
        _, first = np.unique(objects[order], return_index=True)
        area_px = np.bincount(of, px).astype(np.int64)
        return _Objects(tile, px, of, area_px, tiles[order][first])


def label_objects(
    mask: np.ndarray, neighbours: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Number the objects of all tiles.

    Args:
        mask: Shape ``(N, H, W)``, other than 0 on objects.
        neighbours: Of :func:`tuning.objects.mosaic.find_neighbours`; none if None.

    Returns:
        The objects' numbers from 1 up, 0 elsewhere, shape ``(N, H, W)``; and each number's area in
        pixels, that of the background first.
    """
    parts = _Parts()
    labels = parts.add(mask, 0)
    objects = parts.join(_choose_neighbours(neighbours, len(mask)))
    numbers = np.concatenate([[0], objects.part_object + 1])
    background = mask.size - int(objects.area_px.sum())
    return numbers[labels], np.concatenate([[background], objects.area_px])


def _choose_neighbours(neighbours: np.ndarray | None, tiles: int) -> np.ndarray:
    if neighbours is None:
        return isolate(tiles)
    check_neighbours(neighbours, tiles)
    return neighbours


def _find(
    mask: np.ndarray, found: np.ndarray, neighbours: np.ndarray
) -> tuple[_Objects, _Objects, np.ndarray, np.ndarray]:
    """Return reference and found objects, each two that overlap ``(P, 2)``, and the pixels that they share ``(P,)``."""
    kinds, overlaps = (_Parts(), _Parts()), []
    for first in range(0, len(mask), _STEP):
        here = slice(first, first + _STEP)
        one, other = (
            kind.add(maps[here], first) for kind, maps in zip(kinds, (mask, found), strict=True)
        )
        at = np.flatnonzero((one > 0) & (other > 0))
        overlaps.append(np.stack([one.ravel()[at], other.ravel()[at]], axis=1) - 1)
    references, detections = (kind.join(neighbours) for kind in kinds)
    parts = np.concatenate(overlaps)
    width = max(len(detections.area_px), 1)
    keys = references.part_object[parts[:, 0]] * width + detections.part_object[parts[:, 1]]
    pairs, shared = np.unique(keys, return_counts=True)
    return references, detections, np.stack(np.divmod(pairs, width), axis=1), shared


def _flag(count: int, chosen: np.ndarray) -> np.ndarray:
    flags = np.zeros(count, bool)
    flags[chosen] = True
    return flags


def count_objects(
    found: np.ndarray,
    mask: np.ndarray,
    neighbours: np.ndarray | None = None,
    min_area_m2: float = 0.0,
) -> ObjectCounts:
    """Count the objects of each tile.

    Args:
        found: Pixels called landslide, shape ``(N, H, W)``, bool.
        mask: 1 = landslide, 0 = background, the same shape.
        neighbours: Of :func:`tuning.objects.mosaic.find_neighbours`, shape ``(N, 8)``; without them every object
            ends at its tile's border.
        min_area_m2: Minimum mapping unit in m2; see the module.

    Returns:
        Counts whose leading axis is the tile; :meth:`ObjectCounts.total` pools them.

    Raises:
        ValueError: If the shapes differ or are not ``(N, H, W)``, *found* is not boolean (probabilities by
            mistake), *mask* holds more than 0 and 1, or *neighbours* are of other tiles.
    """
    check_maps(found, mask)
    tiles, least_px = len(mask), min_area_m2 / PIXEL_M**2
    around = _choose_neighbours(neighbours, tiles)
    references, detections, pairs, shared = _find(mask, found, around)
    counted, mapped = references.area_px >= least_px, detections.area_px >= least_px
    kept = mapped[pairs[:, 1]]
    pairs, shared = pairs[kept], shared[kept]
    large = counted[pairs[:, 0]]
    areas = references.area_px, detections.area_px
    hit, right = match_one_to_one(pairs[large], shared[large], *areas).T
    near = exceed_limit(shared, areas[0][pairs[:, 0]], areas[1][pairs[:, 1]])
    matched = _flag(len(mapped), right)
    neither = _flag(len(mapped), pairs[near & ~large, 1]) & ~matched
    judged, touching = mapped & ~neither, _flag(len(mapped), pairs[:, 1])
    sizes = [
        kind.sum_pixels(keep, tiles) for kind, keep in ((references, counted), (detections, judged))
    ]
    empty = np.logical_not(mask.any(axis=(1, 2)))
    alarms = np.bincount(detections.home[judged & ~touching], minlength=tiles)
    on_empty = np.stack([np.full(tiles, mask[0].size), alarms, sizes[1]], axis=1)
    return ObjectCounts(
        references=references.table(counted, tiles),
        hit=references.table(_flag(len(counted), hit), tiles),
        touched=references.table(_flag(len(counted), pairs[:, 0]) & counted, tiles),
        found=detections.table(judged, tiles),
        right=detections.table(matched, tiles),
        touching=detections.table(touching & judged, tiles),
        area_px=np.stack(sizes, axis=1),
        empty=on_empty * np.expand_dims(empty, 1),
    )


def check_maps(found: np.ndarray, mask: np.ndarray) -> None:
    """Check a found map and its mask.

    Raises:
        ValueError: If the shapes differ or are not ``(N, H, W)``, *found* is not boolean (probabilities by
            mistake), or *mask* holds more than 0 and 1.
    """
    if found.shape != mask.shape or mask.ndim != 3 or not mask.size:
        raise ValueError(
            f"Found pixels and mask must have one shape (N, H, W), but got {found.shape} and {mask.shape}."
        )
    if found.dtype != bool:
        raise ValueError(
            f"Found pixels must be boolean, but got {found.dtype}. Compare probabilities with a threshold."
        )
    check_mask(float(mask.min()), float(mask.max()))
