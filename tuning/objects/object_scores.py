"""Counts of landslides as objects, which add over tiles, and the scores that follow from their sums."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from data.tiles import PIXEL_M

# 10 px (1,000 m2) are two of the sensor's resolution cells (20 x 22 m); 72 px are the published mean area, four
# times that (288 px) is mostly several landslides that have run together.
SIZE_PX = (10, 72, 288)
SIZES = ("under 0.1 ha", "0.1 to 0.72 ha", "0.72 to 2.88 ha", "from 2.88 ha")

_PIXEL_KM2 = (PIXEL_M / 1000) ** 2


@dataclass(frozen=True)
class ObjectCounts:
    """Counts that add over tiles, int64; K size classes of ``SIZES``, by the object's own area.

    Attributes:
        references: Objects of the mask, shape ``(..., K)``.
        hit: Of these, matched with a found object.
        touched: Of these, with any pixel found.
        found: Found objects.
        right: Of these, matched with an object of the mask: as many as *hit*, by the sizes of the found ones.
        touching: Of these, with any pixel on the mask.
        area_px: Pixels of the reference objects and of the found ones, shape ``(..., 2)``.
        empty: On tiles whose mask is empty: pixels, found objects that touch no mask beyond either, found
            pixels, shape ``(..., 3)``.
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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Let numpy stack counts as :meth:`to_array` lays them out."""
        return np.asarray(self.to_array(), dtype)

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


def class_by_size(area_px: np.ndarray) -> np.ndarray:
    """Return the class of ``SIZES`` of each area in pixels."""
    return np.asarray(np.digitize(area_px, SIZE_PX))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    empty = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=np.asarray(whole) > 0))


def _pair_counts(counts: ObjectCounts) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        "object_recall": (counts.hit, counts.references),
        "object_precision": (counts.right, counts.found),
        "object_recall_any": (counts.touched, counts.references),
        "object_precision_any": (counts.touching, counts.found),
    }


def rate_objects(counts: ObjectCounts) -> dict[str, np.ndarray]:
    """Turn counts into the scores of :func:`score_objects`, for every leading index, such as resamples."""
    rates = rate_all_sizes(counts)
    for name, (part, whole) in _pair_counts(counts).items():
        by_size = np.moveaxis(_divide(part, whole), -1, 0)
        rates |= {f"{name}/{size}": rate for size, rate in zip(SIZES, by_size, strict=True)}
    return rates


def rate_all_sizes(counts: ObjectCounts) -> dict[str, np.ndarray]:
    """Return those of :func:`rate_objects` that are of objects of every size."""
    pairs = _pair_counts(counts)
    rates = {name: _divide(p.sum(axis=-1), w.sum(axis=-1)) for name, (p, w) in pairs.items()}
    references, found = counts.references.sum(axis=-1), counts.found.sum(axis=-1)
    blind = (references > 0) & (found == 0)
    for name in ("object_precision", "object_precision_any"):
        rates[name] = np.where(blind, 0.0, rates[name])
    # The harmonic mean of precision and recall, as there are as many hits as right objects.
    doubled = 2 * counts.hit.sum(axis=-1)
    rates["object_f1"] = _divide(doubled, np.where(references > 0, references + found, 0))
    pixels, alarms, alarm_px = np.moveaxis(counts.empty, -1, 0)
    reference_px, found_px = np.moveaxis(counts.area_px, -1, 0)
    return rates | {
        "alarms_per_km2": _divide(alarms, pixels * _PIXEL_KM2),
        "alarm_share": _divide(alarm_px, pixels),
        "area_bias": _divide(found_px, reference_px) - 1,
    }


def score_objects(counts: ObjectCounts) -> dict[str, float]:
    """Pool counts over their leading axes and turn them into scores.

    A score is NaN only if the reference has nothing to score, such as no landslide; nothing found is a precision and an F1 of 0. By size
    it is NaN if there is no object of that size.

    Returns:
        Scores by name:

        - ``object_recall``, ``object_precision``: shares of objects that are matched one to one, and ``object_f1``, their
          harmonic mean;
        - ``object_recall_any``, ``object_precision_any``: shares of objects with any overlap, however many share it;
        - these four shares per size, such as ``object_recall/under 0.1 ha``: recall by the reference's
          area, precision by the found object's;
        - ``alarms_per_km2``, ``alarm_share``: on tiles without any landslide, found objects per km2,
          and the share of the area that is called landslide;
        - ``area_bias``: found area over reference area, minus 1; 0 is right, 1 is twice the area.
    """
    return {name: float(rate) for name, rate in rate_objects(counts.total()).items()}
