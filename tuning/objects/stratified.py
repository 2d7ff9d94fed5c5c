"""Scores by slope, radar geometry, land cover and landslide size.

Groups are maps of classes over the test tiles. Scores pool the pixels of a class over tiles, at the one threshold that
val chose. A rare class has few landslide pixels: its row has their number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from data.pack.tile_row import measure_slope, smooth_heights
from data.tiles import NODATA, PIXEL_M
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS, check_bins, check_mask
from tuning.metrics.scores import score_at
from tuning.objects.object_scores import SIZES, class_by_size
from tuning.objects.objects import label_objects

SLOPE_DEG = (10.0, 20.0, 30.0)
FLAT_DEG = 5.0  # below it the aspect is not meaningful
LOOK_DEG = {"ascending": 78.0, "descending": 282.0}  # clockwise from north
SECTOR_DEG = 45.0  # half of the quarter circle in which a slope faces a radar

SIZE = "landslide size"
NO_HEIGHT = "no height"
NO_CLASS = 255  # of pixels that belong to no class

Group = tuple[tuple[str, ...], np.ndarray]


@dataclass(frozen=True)
class GroupRow:
    """Scores of one class; NaN if the class has no such pixels or the score is not meaningful.

    Attributes:
        group: Such as ``slope``.
        name: The class, such as ``10 to 20 deg``.
        pixels: Number of pixels.
        landslide_px: Number of landslide pixels.
        average_precision: Within the class; at chance it is the class's own share of landslides, so it
            can be compared between models, not between classes.
        precision: At the threshold.
        recall: At the threshold.
        f1_dice: At the threshold.
    """

    group: str
    name: str
    pixels: int
    landslide_px: int
    average_precision: float
    precision: float
    recall: float
    f1_dice: float


def make_groups(maps: Mapping[str, np.ndarray]) -> dict[str, Group]:
    """Classify every pixel of some tiles.

    Args:
        maps: ``mask`` and ``dem`` (m, -9999 = no data), both of shape ``(N, H, W)``; where it is
            known also ``cover``, the same shape, with ``cover_names``, and ``neighbours``
            (:mod:`tuning.objects.mosaic`), over whose borders landslides continue.

    Returns:
        Per group the classes' names and each pixel's class, shape ``(N, H, W)``, uint8, ``NO_CLASS``
        where it has none: ``slope``, ``orbit geometry``, ``landslide size`` and, if given, ``land
        cover``. Pixels beside a height without data form the class ``no height``, where there are any.

    Raises:
        ValueError: If a map is missing or of another shape, or a land cover has no name.
    """
    _check_maps(maps)
    groups = {
        "slope": _class_slope(maps["dem"]),
        "orbit geometry": class_geometry(maps["dem"]),
        SIZE: _class_size(maps["mask"], maps.get("neighbours")),
    }
    if "cover" in maps:
        names = tuple(str(name) for name in maps["cover_names"])
        groups["land cover"] = names, maps["cover"].astype(np.uint8)
    return groups


def _check_maps(maps: Mapping[str, np.ndarray]) -> None:
    needed = {"mask", "dem"} | ({"cover", "cover_names"} if "cover" in maps else set())
    if missing := sorted(needed - set(maps)):
        raise ValueError(
            f"Groups need {' and '.join(sorted(needed))}, but {', '.join(missing)} is missing."
        )
    shapes = {name: maps[name].shape for name in sorted(needed - {"cover_names"})}
    if len(set(shapes.values())) > 1 or len(shapes["mask"]) != 3 or 0 in shapes["mask"]:
        raise ValueError(f"Reference maps must have one shape (N, H, W), but got {shapes}.")
    if "cover" in maps and (top := int(maps["cover"].max())) >= len(maps["cover_names"]):
        raise ValueError(
            f"A land cover must have a name, but got class {top} with {len(maps['cover_names'])} names."
        )


def _heights(dem: np.ndarray) -> np.ndarray:
    return np.where(dem == NODATA, np.nan, dem.astype(np.float32))


def _name_gaps(names: tuple[str, ...], classes: np.ndarray, gaps: np.ndarray) -> Group:
    """Add the class ``no height`` if any pixel has none."""
    classes = np.where(gaps, len(names), classes).astype(np.uint8)
    return (*names, NO_HEIGHT) if gaps.any() else names, classes


def _measure_slopes(height_m: np.ndarray) -> np.ndarray:
    return np.stack([measure_slope(tile) for tile in height_m])


def _class_slope(dem: np.ndarray) -> Group:
    low, middle, high = (f"{edge:g}" for edge in SLOPE_DEG)
    names = (
        f"0 to {low} deg",
        f"{low} to {middle} deg",
        f"{middle} to {high} deg",
        f"{high} deg on",
    )
    slope = _measure_slopes(_heights(dem))
    return _name_gaps(names, np.digitize(slope, SLOPE_DEG), np.isnan(slope))


def class_geometry(dem: np.ndarray) -> Group:
    """Classify pixels by the side from which the two orbits see them.

    A slope's aspect is the direction it falls to. A slope *faces* a radar when its aspect lies within 45
    degrees of the direction towards it, the opposite of where it looks: 258 degrees for ascending, 102 for
    descending orbits. There it is bright and foreshortened (a foreslope), or hidden in layover. The two
    quarter circles do not overlap; between them slopes run *across* both looks (to north and south). Below
    5 degrees all is *flat*. A slope that faces one radar lies nearly averted from the other.

    Args:
        dem: Heights in m, shape ``(N, H, W)``, -9999 = no data.

    Returns:
        Names and classes, as :func:`make_groups` has them.

    Reference:
        Looks: Sentinel-1 looks to the right of its heading, about 348 and 192 degrees here (inclination
        98.18 degrees, latitude 43). Foreslopes: Small (2011), Flattening gamma, doi
        10.1109/TGRS.2011.2120616. The sectors of 45 degrees and the 5 degrees are this project's.
    """
    height = _heights(dem)
    slope = _measure_slopes(height)
    smooth = np.stack([smooth_heights(tile) for tile in height])
    south, east = np.gradient(smooth, PIXEL_M, axis=(1, 2))  # the rise; rows run south
    aspect = np.degrees(np.arctan2(-east, south))
    classes = np.full(dem.shape, 3)
    for number, look in enumerate(LOOK_DEG.values(), start=1):
        off = np.abs((aspect - look) % 360 - 180)  # from the direction towards the radar
        classes[off <= SECTOR_DEG] = number
    classes[slope < FLAT_DEG] = 0
    names = ("flat", *(f"faces {orbit}" for orbit in LOOK_DEG), "across")
    return _name_gaps(names, classes, np.isnan(slope))


def _class_size(mask: np.ndarray, neighbours: np.ndarray | None) -> Group:
    """Class landslide pixels by the area of their object, also beyond its tile's border."""
    labels, area_px = label_objects(mask, neighbours)
    classes = class_by_size(area_px).astype(np.uint8)
    classes[0] = NO_CLASS
    return SIZES, classes[labels]


def score_groups(
    bins: np.ndarray, mask: np.ndarray, groups: Mapping[str, Group], threshold: float
) -> list[GroupRow]:
    """Score every class of every group.

    Args:
        bins: Bins of ``to_bins``, shape ``(N, H, W)``, uint16.
        mask: 1 = landslide, 0 = background, the same shape.
        groups: Of :func:`make_groups`, for the same tiles.
        threshold: The threshold that val chose.

    Returns:
        One row per class, in the groups' order. Of ``landslide size`` only the recall has a meaning: a
        false alarm belongs to no reference object.

    Raises:
        ValueError: If the shapes differ, or *bins* or *mask* hold other numbers.
    """
    check_bins(bins)
    check_mask(float(mask.min()), float(mask.max()))
    rows = []
    for group, (names, classes) in groups.items():
        if not bins.shape == mask.shape == classes.shape:
            raise ValueError(
                f"Bins, mask and {group} must have one shape, but got {bins.shape}, {mask.shape} and "
                f"{classes.shape}."
            )
        for name, counts in zip(names, _count(bins, mask, classes, len(names)), strict=True):
            rows.append(_score(group, name, counts, threshold))
    return rows


def _count(bins: np.ndarray, mask: np.ndarray, classes: np.ndarray, length: int) -> np.ndarray:
    """Return a histogram per class, shape ``(length, 2, BINS)``."""
    at = np.flatnonzero(classes != NO_CLASS)
    row = 2 * classes.ravel()[at].astype(np.intp) + mask.ravel()[at]
    counts = np.bincount(row * BINS + bins.ravel()[at], minlength=2 * length * BINS)
    return counts.reshape(length, 2, BINS)


def _score(group: str, name: str, counts: np.ndarray, threshold: float) -> GroupRow:
    scores = score_at(counts, threshold)
    if group == SIZE:
        scores |= dict.fromkeys(("precision", "f1_dice"), nan)
    return GroupRow(
        group=group,
        name=name,
        pixels=int(counts.sum()),
        landslide_px=int(counts[1].sum()),
        average_precision=nan if group == SIZE else average_precision(counts),
        **{key: scores[key] for key in ("precision", "recall", "f1_dice")},
    )
