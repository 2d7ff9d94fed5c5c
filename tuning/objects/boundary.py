"""Boundary F-score: how much of the found and of the reference outline lies near the other one.

A boundary pixel is a landslide pixel beside background (4 neighbours). Precision is the share of found boundary pixels within the
tolerance of a reference boundary pixel, recall the share of reference boundary pixels within the tolerance of a found
one, by the distance between pixel centres; the score is their harmonic mean. Counts add over tiles and are pooled before they are divided, unlike
the published means over images, so that a tile with little outline weighs little.

A tile's border is no boundary. Where the tile beyond is measured too (:mod:`tuning.objects.mosaic`), its pixels decide: cutting a map into tiles
changes no count.

Reference:
    Csurka et al. (2013), What is a good evaluation measure for semantic segmentation?, BMVC, doi 10.5244/C.27.32; after Martin,
    Fowlkes and Malik (2004), doi 10.1109/TPAMI.2004.1273918. Perazzi et al. (2016), A Benchmark Dataset and Evaluation Methodology
    for Video Object Segmentation, doi 10.1109/CVPR.2016.85: the measure F, by dilation with a disk. The tolerance of
    2 pixels is this project's: the sensor resolves 20 x 22 m.
"""

import numpy as np

from data.tiles import PIXEL_M
from tuning.objects.mosaic import STEPS, isolate, pad_with_neighbours
from tuning.objects.objects import check_maps

TOLERANCE_M = 20.0
LENGTH = 4  # numbers per tile
_STEP = 64  # tiles that are padded at once
_BESIDE = [STEPS.index(step) for step in ((-1, 0), (0, -1), (0, 1), (1, 0))]


def count_boundary(
    found: np.ndarray,
    mask: np.ndarray,
    neighbours: np.ndarray | None = None,
    tolerance_m: float = TOLERANCE_M,
) -> np.ndarray:
    """Count the boundary pixels of each tile, and those near the other map's boundary.

    Args:
        found: Pixels called landslide, shape ``(N, H, W)``, bool.
        mask: 1 = landslide, 0 = background, the same shape.
        neighbours: Of :func:`tuning.objects.mosaic.find_neighbours`, shape ``(N, 8)``; none if None.
        tolerance_m: Distance in m up to which two boundary pixels are near.

    Returns:
        Found boundary pixels near a reference one, all found ones, reference ones near a found one, all
        reference ones; shape ``(N, 4)``, int64. They add over tiles.

    Raises:
        ValueError: If the maps or neighbours are not those of :func:`tuning.objects.objects.count_objects`, or the
            tolerance is negative or reaches beyond the next tile.
    """
    check_maps(found, mask)
    radius = int(tolerance_m // PIXEL_M)
    if not 0 <= radius <= min(mask.shape[1:]):
        raise ValueError(
            f"A tolerance must be from 0 to {min(mask.shape[1:]) * PIXEL_M:g} m, a tile's side, but got "
            f"{tolerance_m:g}. Use {TOLERANCE_M:g}."
        )
    around = isolate(len(mask)) if neighbours is None else neighbours
    outlines = [find_outline(maps, around) for maps in (found, mask > 0)]
    counts = np.zeros((len(mask), LENGTH), np.int64)
    for first in range(0, len(mask), _STEP):
        tiles = np.arange(first, min(first + _STEP, len(mask)))
        for place, (own, other) in enumerate((outlines, outlines[::-1])):
            near = _grow(pad_with_neighbours(other, around, tiles, radius), radius, tolerance_m)
            counts[tiles, 2 * place] = (own[tiles] & near).sum(axis=(1, 2))
            counts[tiles, 2 * place + 1] = own[tiles].sum(axis=(1, 2))
    return counts


def find_outline(maps: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return the pixels of maps ``(N, H, W)``, bool, beside background; beyond the last tile nothing is known."""
    inner = maps.copy()
    inner[:, 1:] &= maps[:, :-1]
    inner[:, :-1] &= maps[:, 1:]
    inner[:, :, 1:] &= maps[:, :, :-1]
    inner[:, :, :-1] &= maps[:, :, 1:]
    for number in _BESIDE:
        down, right = STEPS[number]
        tiles = np.flatnonzero(neighbours[:, number] >= 0)
        beyond = maps[neighbours[tiles, number]]
        last, first = (-1, 0) if down + right > 0 else (0, -1)  # the rim, and what it meets
        if down:
            inner[tiles, last] &= beyond[:, first]
        else:
            inner[tiles, :, last] &= beyond[:, :, first]
    return np.asarray(maps & ~inner)


def _grow(padded: np.ndarray, radius: int, tolerance_m: float) -> np.ndarray:
    """Return where any pixel is within the tolerance, without the padding."""
    height, width = (size - 2 * radius for size in padded.shape[1:])
    near = np.zeros((len(padded), height, width), bool)
    for down in range(2 * radius + 1):
        for right in range(2 * radius + 1):
            if np.hypot(down - radius, right - radius) * PIXEL_M <= tolerance_m:
                near |= padded[:, down : down + height, right : right + width]
    return near


def rate_boundary(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Turn summed counts ``(..., 4)`` into scores ``(...)``.

    Returns:
        ``boundary_precision``, ``boundary_recall`` and ``boundary_f``, their harmonic mean: 0 where nothing is found, NaN
        where the reference has no boundary.

    Raises:
        ValueError: If the last axis does not have 4 numbers.
    """
    if counts.shape[-1:] != (LENGTH,):
        raise ValueError(
            f"Boundary counts must end in {LENGTH} numbers, but got {counts.shape}. Count them with "
            "tuning.objects.boundary.count_boundary."
        )
    near, found, reached, reference = np.moveaxis(counts.astype(np.float64), -1, 0)
    undefined = np.where(reference > 0, 0.0, np.nan)
    precision = np.divide(near, found, out=undefined.copy(), where=(found > 0) & (reference > 0))
    recall = np.divide(reached, reference, out=undefined.copy(), where=reference > 0)
    both = precision + recall
    f = np.divide(2 * precision * recall, both, out=undefined.copy(), where=both > 0)
    return {"boundary_precision": precision, "boundary_recall": recall, "boundary_f": f}
