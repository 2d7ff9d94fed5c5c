"""Scores of landslides as objects: how many are detected, and how many detections are false.

An object is a connected component of pixels (8 neighbours). Tiles are evaluated one by one, so an object is **cut at a tile's border**
and counts once in each tile; landslides that touch each other are one object, as their labels say no more.

Counts add over tiles, and so do scores over seeds: sum the tiles' numbers, then score the sum. No one-to-one matching
is made: a found object that covers two adjacent references by more than 0.3 each finds both.

Reference:
    Sizes: Kasai and Yamada (2019), Earth, Planets and Space 71, doi 10.1186/s40623-019-1069-8: of the 6,117
    landslides of the 2018 Iburi event the mean area is 7,160 m2, and many have run together.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy import ndimage

from data.tiles import PIXEL_M
from tuning.metrics.histogram import check_mask

MIN_IOU = (3, 10)  # 0.3 as a fraction: an overlap counts when it is larger, in integers
# 10 px (1,000 m2) are two of the sensor's resolution cells (20 x 22 m); 72 px are the published mean area, four
# times that (288 px) is mostly several landslides that have run together.
SIZE_PX = (10, 72, 288)
SIZES = ("under 0.1 ha", "0.1 to 0.72 ha", "0.72 to 2.88 ha", "from 2.88 ha")

_PIXEL_KM2 = (PIXEL_M / 1000) ** 2
_CONNECTED = np.zeros((3, 3, 3), bool)  # within a tile, never between tiles
_CONNECTED[1] = True


@dataclass(frozen=True)
class ObjectCounts:
    """Counts that add over tiles, int64; K size classes of ``SIZES``, by the object's own area.

    Attributes:
        references: Objects of the mask, shape ``(..., K)``.
        hit: Of these, with an IoU above 0.3 with some found object.
        touched: Of these, with any pixel found.
        found: Found objects.
        right: Of these, with an IoU above 0.3 with some object of the mask.
        touching: Of these, with any pixel on the mask.
        area_px: Pixels of the mask and found pixels, shape ``(..., 2)``.
        empty: On tiles whose mask is empty: pixels, found objects, found pixels, shape ``(..., 3)``.
    """

    references: np.ndarray
    hit: np.ndarray
    touched: np.ndarray
    found: np.ndarray
    right: np.ndarray
    touching: np.ndarray
    area_px: np.ndarray
    empty: np.ndarray

    def __add__(self, other: Self) -> Self:
        return self.from_array(self.to_array() + other.to_array())

    def to_array(self) -> np.ndarray:
        """Concatenate all counts, shape ``(..., D)``, so that they can be summed and resampled."""
        return np.concatenate([getattr(self, part.name) for part in fields(self)], axis=-1)

    @classmethod
    def from_array(cls, numbers: np.ndarray) -> Self:
        """Split an array of :meth:`to_array` into counts."""
        if numbers.shape[-1] != LENGTH:
            raise ValueError(
                f"Object counts must end in {LENGTH} numbers, but got {numbers.shape}."
            )
        return cls(*np.split(numbers, _BORDERS, axis=-1))

    def total(self) -> Self:
        """Sum over all leading axes, such as tiles: every array keeps its last axis."""
        return self.from_array(self.to_array().reshape(-1, LENGTH).sum(axis=0))


_LENGTHS = [{"area_px": 2, "empty": 3}.get(part.name, len(SIZES)) for part in fields(ObjectCounts)]
_BORDERS = np.cumsum(_LENGTHS)[:-1]
LENGTH = sum(_LENGTHS)


@dataclass(frozen=True)
class _Objects:
    """The objects of one kind in all tiles: number by pixel (0 = none), and by object tile and area."""

    labels: np.ndarray
    tile: np.ndarray
    area_px: np.ndarray


def label_objects(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the objects of all tiles.

    Args:
        mask: Shape ``(B, H, W)``, other than 0 on objects.

    Returns:
        The objects' numbers from 1 up, 0 elsewhere, shape ``(B, H, W)``; and each number's area in
        pixels, that of the background first.
    """
    labels, _ = ndimage.label(mask, _CONNECTED)
    return labels, np.bincount(labels.ravel())


def class_by_size(area_px: np.ndarray) -> np.ndarray:
    """Return the class of ``SIZES`` of each area in pixels."""
    return np.asarray(np.digitize(area_px, SIZE_PX))


def _find(mask: np.ndarray) -> _Objects:
    labels, area_px = label_objects(mask)
    at = np.flatnonzero(labels)
    tile = np.zeros(len(area_px), np.int64)
    tile[labels.ravel()[at]] = at // labels[0].size
    return _Objects(labels, tile[1:], area_px[1:])


def _match(one: _Objects, other: _Objects) -> tuple[np.ndarray, ...]:
    """Return for both kinds which objects have an IoU above 0.3, and which overlap at all."""
    at = np.flatnonzero((one.labels > 0) & (other.labels > 0))
    width = len(other.area_px) + 1
    pairs, shared = np.unique(
        one.labels.ravel()[at].astype(np.int64) * width + other.labels.ravel()[at],
        return_counts=True,
    )
    a, b = pairs // width - 1, pairs % width - 1
    part, whole = MIN_IOU
    good = shared * whole > (one.area_px[a] + other.area_px[b] - shared) * part
    found = []
    for kind, index in ((one, a), (other, b)):
        for pick in (index[good], index):
            flags = np.zeros(len(kind.area_px), bool)
            flags[pick] = True
            found.append(flags)
    return tuple(found)


def count_objects(found: np.ndarray, mask: np.ndarray) -> ObjectCounts:
    """Count the objects of each tile.

    Args:
        found: Pixels called landslide, shape ``(B, H, W)``, bool.
        mask: 1 = landslide, 0 = background, the same shape.

    Returns:
        Counts whose leading axis is the tile; :meth:`ObjectCounts.total` pools them.

    Raises:
        ValueError: If the shapes differ or are not ``(B, H, W)``, *found* is not boolean
            (probabilities by mistake), or *mask* holds more than 0 and 1.
    """
    _check(found, mask)
    tiles = len(mask)
    references, detections = _find(mask), _find(found)
    hit, touched, right, touching = _match(references, detections)

    def table(kind: _Objects, chosen: np.ndarray) -> np.ndarray:
        at = kind.tile[chosen] * len(SIZES) + class_by_size(kind.area_px[chosen])
        return np.bincount(at, minlength=tiles * len(SIZES)).reshape(tiles, len(SIZES))

    size, found_px = (part.reshape(tiles, -1).sum(axis=1, dtype=np.int64) for part in (mask, found))
    alarms = np.bincount(detections.tile, minlength=tiles)
    on_empty = np.stack([np.full(tiles, mask[0].size), alarms, found_px], axis=1)
    return ObjectCounts(
        references=table(references, np.ones_like(hit)),
        hit=table(references, hit),
        touched=table(references, touched),
        found=table(detections, np.ones_like(right)),
        right=table(detections, right),
        touching=table(detections, touching),
        area_px=np.stack([size, found_px], axis=1),
        empty=on_empty * (size == 0)[:, None],
    )


def _check(found: np.ndarray, mask: np.ndarray) -> None:
    if found.shape != mask.shape or mask.ndim != 3 or not mask.size:
        raise ValueError(
            f"Found pixels and mask must have one shape (B, H, W), but got {found.shape} and {mask.shape}."
        )
    if found.dtype != bool:
        raise ValueError(
            f"Found pixels must be boolean, but got {found.dtype}. Compare probabilities with a threshold."
        )
    check_mask(float(mask.min()), float(mask.max()))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    empty = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=np.asarray(whole) > 0))


def rate_objects(counts: ObjectCounts) -> dict[str, np.ndarray]:
    """Turn counts into the scores of :func:`score_objects`, for every leading index, such as resamples."""
    pairs = {
        "object_recall": (counts.hit, counts.references),
        "object_precision": (counts.right, counts.found),
        "object_recall_any": (counts.touched, counts.references),
        "object_precision_any": (counts.touching, counts.found),
    }
    rates = {name: _divide(p.sum(axis=-1), w.sum(axis=-1)) for name, (p, w) in pairs.items()}
    recall, precision = rates["object_recall"], rates["object_precision"]
    both = recall + precision
    rates["object_f1"] = np.where(both == 0, 0.0, _divide(2 * recall * precision, both))
    for name, (part, whole) in pairs.items():
        by_size = np.moveaxis(_divide(part, whole), -1, 0)
        rates |= {f"{name}/{size}": rate for size, rate in zip(SIZES, by_size, strict=True)}
    pixels, alarms, alarm_px = np.moveaxis(counts.empty, -1, 0)
    reference_px, found_px = np.moveaxis(counts.area_px, -1, 0)
    return rates | {
        "alarms_per_km2": _divide(alarms, pixels * _PIXEL_KM2),
        "alarm_share": _divide(alarm_px, pixels),
        "area_bias": _divide(found_px, reference_px) - 1,
    }


def score_objects(counts: ObjectCounts) -> dict[str, float]:
    """Pool counts over their leading axes and turn them into scores, NaN where a denominator is 0.

    Returns:
        Scores by name:

        - ``object_recall``, ``object_precision``: shares of objects with an IoU above 0.3, and
          ``object_f1``, their harmonic mean;
        - ``object_recall_any``, ``object_precision_any``: the same with any overlap;
        - these four shares per size, such as ``object_recall/under 0.1 ha``: recall by the reference's
          area, precision by the found object's;
        - ``alarms_per_km2``, ``alarm_share``: on tiles without any landslide, found objects per km2,
          and the share of the area that is called landslide;
        - ``area_bias``: found area over reference area, minus 1; 0 is right, 1 is twice the area.
    """
    return {name: float(rate) for name, rate in rate_objects(counts.total()).items()}
