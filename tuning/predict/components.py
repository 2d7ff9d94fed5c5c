"""Patches of landslide pixels in a raster of any height: how large, and how sure, counted strip by strip.

A patch is 8-connected, as an object of `tuning.metrics.objects`, but it is not cut at any border. It is made of *parts*,
which are 4-connected: two parts of a patch touch at a pixel's corner. A strip numbers its parts by itself; what touches
across two strips, or at a corner, is noted as a pair of numbers, and the pairs are joined at the end. So memory grows
with the number of parts, and not with the pixels.

Reference:
    Two passes with a table of equal labels: Rosenfeld and Pfaltz (1966), Journal of the ACM 13(4), doi
    10.1145/321356.321357.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tuning.predict.raster_io import bound_cache, read_strips

_NO_PAIRS = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class Components:
    """The patches of a raster in reading order of their first pixels, N of them in M parts.

    Attributes:
        area_px: Pixels of each patch, shape ``(N,)``.
        mean: By the name of a raster, its mean over each patch's pixels, shape ``(N,)``.
        greatest: By the name of a raster, its greatest value, shape ``(N,)``.
        part_first_px: Of each part its first pixel, ``row * W + column``, ascending, shape ``(M,)``.
        part_patch: Of each part its patch, from 0, shape ``(M,)``.
        mapped_px: Pixels of the raster with data.
        nodata_px: Pixels without.
    """

    area_px: np.ndarray
    mean: Mapping[str, np.ndarray]
    greatest: Mapping[str, np.ndarray]
    part_first_px: np.ndarray
    part_patch: np.ndarray
    mapped_px: int
    nodata_px: int


@dataclass
class _Sums:
    """What the strips gave so far, by number of a strip's part."""

    area_px: list[np.ndarray] = field(default_factory=list)
    first_px: list[np.ndarray] = field(default_factory=list)
    sums: dict[str, list[np.ndarray]] = field(default_factory=dict)
    greatest: dict[str, list[np.ndarray]] = field(default_factory=dict)
    sides: list[np.ndarray] = field(default_factory=list)
    corners: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    nodata_px: int = 0


def find_components(mask: Path, values: Mapping[str, Path]) -> Components:
    """Find the patches of a mask and look at other rasters over each.

    Args:
        mask: Raster with 1 = landslide, 0 = background, and its nodata value, which is background too.
        values: Rasters on the same grid, by name, such as the probability.

    Raises:
        ValueError: If a raster lies on another grid than the mask, the mask holds more than 0 and 1, or a
            landslide pixel has no value.
        rasterio.errors.RasterioIOError: If a file cannot be read.
    """
    found = _Sums(sums={name: [] for name in values}, greatest={name: [] for name in values})
    above = None
    with bound_cache(), rasterio.open(mask) as raster:
        shape = raster.shape
        opened = {name: _open_like(path, raster) for name, path in values.items()}
        strips = {name: read_strips(other) for name, other in opened.items()}
        for first, strip in read_strips(raster):
            layers = {name: next(some)[1] for name, some in strips.items()}
            above = _add_strip(found, _to_bool(strip, found, raster), first, layers, above)
        for other in opened.values():
            other.close()
    return _join(found, shape[0] * shape[1])


def _open_like(path: Path, mask: rasterio.DatasetReader) -> rasterio.DatasetReader:
    raster = rasterio.open(path)
    if (raster.shape, raster.transform, raster.crs) != (mask.shape, mask.transform, mask.crs):
        raster.close()
        raise ValueError(
            f"A map's rasters must lie on one grid, but {path.name} has shape {raster.shape} from "
            f"{raster.transform[2]:g}, {raster.transform[5]:g}, and the mask {mask.shape} from "
            f"{mask.transform[2]:g}, {mask.transform[5]:g}. Write both on the same grid."
        )
    return raster


def _to_bool(strip: np.ndarray, found: _Sums, raster: rasterio.DatasetReader) -> np.ndarray:
    on: np.ndarray = strip == 1
    nodata = np.count_nonzero(strip == raster.nodata) if raster.nodata is not None else 0
    if np.count_nonzero(on) + np.count_nonzero(strip == 0) + nodata != strip.size:
        raise ValueError(
            f"A mask must hold 0, 1 and nodata ({raster.nodata}), but got {sorted(set(np.unique(strip)))[:5]} "
            f"in {raster.name}. Give the mask, not the probability."
        )
    found.nodata_px += int(nodata)
    return on


def _add_strip(
    found: _Sums,
    on: np.ndarray,
    first_row: int,
    layers: Mapping[str, np.ndarray],
    above: np.ndarray | None,
) -> np.ndarray:
    """Number a strip's parts on from the last number; return its last row of numbers, 0 = background."""
    labels, count = ndimage.label(on)
    at = np.flatnonzero(labels)
    part = labels.ravel()[at] - 1
    first = np.zeros(count, np.int64)
    first[part[::-1]] = at[::-1]  # the last to be written is the first to be read
    found.first_px.append(first + first_row * on.shape[1])
    found.area_px.append(np.bincount(part, minlength=count))
    for name, layer in layers.items():
        over = layer.ravel()[at]
        _check_values(over, at, name, first_row, on.shape[1])
        found.sums[name].append(np.bincount(part, over, minlength=count))
        greatest = np.full(count, -np.inf)
        np.maximum.at(greatest, part, over)
        found.greatest[name].append(greatest)
    labels.ravel()[at] += found.count
    found.corners.extend(_pair_corners(labels[:-1], labels[1:]))
    if above is not None:
        found.sides.append(_pair(above, labels[0]))
        found.corners.extend(_pair_corners(above[None], labels[:1]))
    found.count += count
    return np.array(labels[-1])


def _check_values(over: np.ndarray, at: np.ndarray, name: str, first_row: int, width: int) -> None:
    if not np.isfinite(over).all():
        row, column = divmod(int(at[~np.isfinite(over)][0]), width)
        raise ValueError(
            f"Every landslide pixel must have a value, but the {name} at row {first_row + row}, column {column} "
            "has none. Set the mask to nodata there."
        )


def _pair(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the pairs of different numbers in two arrays of one shape, none twice, shape ``(P, 2)``."""
    touching = (one > 0) & (other > 0) & (one != other)
    if not touching.any():
        return _NO_PAIRS
    keys = np.unique(one[touching].astype(np.int64) << 32 | other[touching])
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


def _pair_corners(upper: np.ndarray, lower: np.ndarray) -> Iterator[np.ndarray]:
    yield _pair(upper[:, :-1], lower[:, 1:])
    yield _pair(upper[:, 1:], lower[:, :-1])


def _connect(pairs: list[np.ndarray], count: int) -> np.ndarray:
    """Return of each of *count* numbers, from 1, the group that it belongs to, from 0."""
    if not count:
        return np.empty(0, np.int64)
    linked = np.concatenate([_NO_PAIRS, *pairs]) - 1
    ones = np.ones(len(linked), bool)
    graph = coo_matrix((ones, (linked[:, 0], linked[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _join(found: _Sums, pixels: int) -> Components:
    """Join the strips' parts to whole parts, and these to patches, both in reading order."""
    first_px = np.concatenate([np.empty(0, np.int64), *found.first_px])
    part_first, _ = _sort_groups(_connect(found.sides, found.count), first_px)
    patch_first, patch = _sort_groups(_connect(found.sides + found.corners, found.count), first_px)
    count = len(patch_first)
    area = np.bincount(patch, np.concatenate([[], *found.area_px]), count).astype(np.int64)
    mean, greatest = {}, {}
    for name, sums in found.sums.items():
        mean[name] = np.bincount(patch, np.concatenate([[], *sums]), count) / area
        greatest[name] = np.full(count, -np.inf)
        np.maximum.at(greatest[name], patch, np.concatenate([[], *found.greatest[name]]))
    order = np.argsort(first_px)
    at = order[np.searchsorted(first_px, part_first, sorter=order)]
    return Components(
        area, mean, greatest, part_first, patch[at], pixels - found.nodata_px, found.nodata_px
    )


def _sort_groups(group: np.ndarray, first_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number groups by their first pixel; return these, ascending, and each member's number."""
    first = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, group, first_px)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group]
