"""Connected components of landslide pixels in a raster of any height: area and probability, counted strip by strip.

Components are 8-connected, like the objects of `tuning.metrics.objects`, but not cut at any border. A component consists
of 4-connected *pieces* that touch at pixel corners. Each strip labels its own pieces; pieces that touch across two strips
or at a corner are recorded as pairs of labels, which are merged at the end. Memory therefore grows with the number of
pieces, not of pixels.

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
    """The N components of a raster, made of M pieces, in reading order of their first pixels.

    Attributes:
        area_px: Number of pixels per component, shape ``(N,)``.
        mean: Mean over each component's pixels, shape ``(N,)``, by raster name.
        maximum: Maximum over each component's pixels, shape ``(N,)``, by raster name.
        piece_first_px: First pixel of each piece, ``row * W + column``, ascending, shape ``(M,)``.
        piece_component: Component of each piece, from 0, shape ``(M,)``.
        mapped_px: Number of pixels with data.
        nodata_px: Number of pixels without data.
    """

    area_px: np.ndarray
    mean: Mapping[str, np.ndarray]
    maximum: Mapping[str, np.ndarray]
    piece_first_px: np.ndarray
    piece_component: np.ndarray
    mapped_px: int
    nodata_px: int


@dataclass
class _Totals:
    """Totals of the strips so far, per piece of a strip."""

    area_px: list[np.ndarray] = field(default_factory=list)
    first_px: list[np.ndarray] = field(default_factory=list)
    sums: dict[str, list[np.ndarray]] = field(default_factory=dict)
    maxima: dict[str, list[np.ndarray]] = field(default_factory=dict)
    sides: list[np.ndarray] = field(default_factory=list)
    corners: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    nodata_px: int = 0


def find_components(mask: Path, values: Mapping[str, Path]) -> Components:
    """Find the components of a mask and their statistics in other rasters.

    Args:
        mask: Raster with 1 = landslide, 0 = background, and its nodata value, which counts as background.
        values: Rasters on the same grid, by name, such as the probability.

    Raises:
        ValueError: If a raster is on another grid than the mask, the mask holds other values, or a landslide pixel has
            no value.
        rasterio.errors.RasterioIOError: If a file cannot be read.
    """
    totals = _Totals(sums={name: [] for name in values}, maxima={name: [] for name in values})
    above = None
    with bound_cache(), rasterio.open(mask) as raster:
        shape = raster.shape
        opened = {name: _open_like(path, raster) for name, path in values.items()}
        strips = {name: read_strips(other) for name, other in opened.items()}
        for first, strip in read_strips(raster):
            layers = {name: next(rows)[1] for name, rows in strips.items()}
            above = _add_strip(totals, _to_bool(strip, totals, raster), first, layers, above)
        for other in opened.values():
            other.close()
    return _join(totals, shape[0] * shape[1])


def _open_like(path: Path, mask: rasterio.DatasetReader) -> rasterio.DatasetReader:
    raster = rasterio.open(path)
    if (raster.shape, raster.transform, raster.crs) != (mask.shape, mask.transform, mask.crs):
        raster.close()
        raise ValueError(
            f"A map's rasters must be on one grid, but {path.name} has shape {raster.shape} from "
            f"{raster.transform[2]:g}, {raster.transform[5]:g}, and the mask {mask.shape} from "
            f"{mask.transform[2]:g}, {mask.transform[5]:g}. Write both on the same grid."
        )
    return raster


def _to_bool(strip: np.ndarray, totals: _Totals, raster: rasterio.DatasetReader) -> np.ndarray:
    on: np.ndarray = strip == 1
    nodata = np.count_nonzero(strip == raster.nodata) if raster.nodata is not None else 0
    if np.count_nonzero(on) + np.count_nonzero(strip == 0) + nodata != strip.size:
        raise ValueError(
            f"A mask must hold 0, 1 and nodata ({raster.nodata}), but got {sorted(set(np.unique(strip)))[:5]} "
            f"in {raster.name}. Pass the mask, not the probability."
        )
    totals.nodata_px += int(nodata)
    return on


def _add_strip(
    totals: _Totals,
    on: np.ndarray,
    first_row: int,
    layers: Mapping[str, np.ndarray],
    above: np.ndarray | None,
) -> np.ndarray:
    """Label a strip's pieces, continuing the last label; return its last row of labels, 0 = background."""
    labels, count = ndimage.label(on)
    pixels = np.flatnonzero(labels)
    piece = labels.ravel()[pixels] - 1
    first = np.zeros(count, np.int64)
    first[piece[::-1]] = pixels[::-1]  # the first pixel is assigned last
    totals.first_px.append(first + first_row * on.shape[1])
    totals.area_px.append(np.bincount(piece, minlength=count))
    for name, layer in layers.items():
        landslide = layer.ravel()[pixels]
        _check_values(landslide, pixels, name, first_row, on.shape[1])
        totals.sums[name].append(np.bincount(piece, landslide, minlength=count))
        maximum = np.full(count, -np.inf)
        np.maximum.at(maximum, piece, landslide)
        totals.maxima[name].append(maximum)
    labels.ravel()[pixels] += totals.count
    totals.corners.extend(_pair_corners(labels[:-1], labels[1:]))
    if above is not None:
        totals.sides.append(_pair(above, labels[0]))
        totals.corners.extend(_pair_corners(above[None], labels[:1]))
    totals.count += count
    return np.array(labels[-1])


def _check_values(
    values: np.ndarray, pixels: np.ndarray, name: str, first_row: int, width: int
) -> None:
    if not np.isfinite(values).all():
        row, column = divmod(int(pixels[~np.isfinite(values)][0]), width)
        raise ValueError(
            f"Every landslide pixel must have a value, but the {name} at row {first_row + row}, column {column} "
            "has none. Set the mask to nodata there."
        )


def _pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the unique pairs of different labels in two arrays of one shape, shape ``(P, 2)``."""
    touching = (first > 0) & (second > 0) & (first != second)
    if not touching.any():
        return _NO_PAIRS
    keys = np.unique(first[touching].astype(np.int64) << 32 | second[touching])
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


def _pair_corners(upper: np.ndarray, lower: np.ndarray) -> Iterator[np.ndarray]:
    yield _pair(upper[:, :-1], lower[:, 1:])
    yield _pair(upper[:, 1:], lower[:, :-1])


def _connect(pairs: list[np.ndarray], count: int) -> np.ndarray:
    """Return the group, from 0, of each of *count* labels, from 1."""
    if not count:
        return np.empty(0, np.int64)
    linked = np.concatenate([_NO_PAIRS, *pairs]) - 1
    ones = np.ones(len(linked), bool)
    graph = coo_matrix((ones, (linked[:, 0], linked[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _join(totals: _Totals, pixels: int) -> Components:
    """Merge the strips' pieces into whole pieces, and these into components, both in reading order."""
    first_px = np.concatenate([np.empty(0, np.int64), *totals.first_px])
    piece_first, _ = _sort_groups(_connect(totals.sides, totals.count), first_px)
    component_first, component = _sort_groups(
        _connect(totals.sides + totals.corners, totals.count), first_px
    )
    count = len(component_first)
    area = np.bincount(component, np.concatenate([[], *totals.area_px]), count).astype(np.int64)
    mean, maximum = {}, {}
    for name, sums in totals.sums.items():
        mean[name] = np.bincount(component, np.concatenate([[], *sums]), count) / area
        maximum[name] = np.full(count, -np.inf)
        np.maximum.at(maximum[name], component, np.concatenate([[], *totals.maxima[name]]))
    order = np.argsort(first_px)
    pieces = order[np.searchsorted(first_px, piece_first, sorter=order)]
    return Components(
        area,
        mean,
        maximum,
        piece_first,
        component[pieces],
        pixels - totals.nodata_px,
        totals.nodata_px,
    )


def _sort_groups(group: np.ndarray, first_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber groups by their first pixels; return these, ascending, and each member's new number."""
    first = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, group, first_px)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group]
