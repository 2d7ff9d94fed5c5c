"""Connected components of landslide pixels in a raster of any height: outline, area, and what other rasters hold there.

GDAL traces 4-connected *pieces*, which are valid polygons. Pieces that touch at a pixel's corner belong to one 8-connected
component, like an object of `tuning.objects.objects`; together they are a valid multipolygon. (GDAL
warns that 8-connected outlines may touch themselves and be invalid.) Values are read strip by strip, so memory grows with
the number of pieces, not of pixels.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.features import rasterize, shapes
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from data.cubes.ground import PixelAreas
from tuning.predict.landslides.evidence import EvidenceSums, Found
from tuning.predict.raster_io import bound_cache, read_strips

_CHUNK = 10_000  # polygons made at once


@dataclass(frozen=True)
class Components:
    """The N components of a raster in reading order of their first pixels.

    Attributes:
        outlines: Multipolygon of each component in the raster's coordinates, shape ``(N,)``.
        area_m2: Area on the ground per component, shape ``(N,)``.
        mean: Mean over each component's pixels, shape ``(N,)``, by raster name.
        maximum: Maximum over each component's pixels, shape ``(N,)``, by raster name.
        mapped_m2: Area on the ground with data.
        nodata_m2: Area on the ground without data.
        too_few_m2: The part of it that has backscatter, but too few acquisitions before or after the event.
        found: What was measured of change and slope; None if not asked for.
    """

    outlines: np.ndarray
    area_m2: np.ndarray
    mean: Mapping[str, np.ndarray]
    maximum: Mapping[str, np.ndarray]
    mapped_m2: float
    nodata_m2: float
    too_few_m2: float
    found: Found | None = None


@dataclass
class _Sums:
    """Sums over the pixels of *count* components."""

    count: int
    size: np.ndarray = field(init=False)
    area: np.ndarray = field(init=False)
    total: dict[str, np.ndarray] = field(default_factory=dict)
    maximum: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.size, self.area = np.zeros(self.count, np.int64), np.zeros(self.count)

    def add_areas(self, labels: np.ndarray, area_m2: np.ndarray) -> None:
        self.size += np.bincount(labels, minlength=self.count)
        self.area += np.bincount(labels, area_m2, self.count)

    def add(self, name: str, labels: np.ndarray, pixels: np.ndarray) -> None:
        total = self.total.setdefault(name, np.zeros(self.count))
        total += np.bincount(labels, pixels, self.count)
        highest = self.maximum.setdefault(name, np.full(self.count, -np.inf))
        np.maximum.at(highest, labels, pixels)


def find_components(
    mask: Path,
    values: Mapping[str, Path],
    coverage: Path | None = None,
    *,
    change: Path | None = None,
    heights: Path | None = None,
) -> Components:
    """Find the components of a mask and their statistics in other rasters.

    Args:
        mask: Raster with 1 = landslide, 0 = background, and its nodata value, which counts as background.
        values: Rasters on the same grid, by name, such as the probability.
        coverage: Raster of the acquisitions on the same grid, whose nodata value is where there is no backscatter at all.
        change: Raster of the change of backscatter on the same grid, a band for each orbit; None to measure no evidence.
        heights: Raster of heights in m on the same grid, for slopes; only beside *change*.

    Raises:
        ValueError: If a raster is on another grid than the mask, the mask holds other values, or a landslide pixel has
            no value.
        rasterio.errors.RasterioIOError: If a file cannot be read.
    """
    with bound_cache(), ExitStack() as stack:
        raster = stack.enter_context(rasterio.open(mask))
        rasters = {name: stack.enter_context(_open_like(p, raster)) for name, p in values.items()}
        areas = PixelAreas(raster.crs.to_wkt(), raster.transform, *raster.shape)
        counts = stack.enter_context(_open_like(coverage, raster)) if coverage else None
        changes, relief = (
            stack.enter_context(_open_like(path, raster)) if path else None
            for path in (change, heights)
        )
        measured = _measure(raster, areas, counts)
        pieces = np.concatenate([np.empty(0, object), *_trace_pieces(raster)])
        component = _group_pieces(pieces, raster)
        sums = _Sums(int(component.max(initial=-1)) + 1)
        evidence = EvidenceSums(sums.count, changes, relief) if changes else None
        strips = {name: read_strips(other) for name, other in rasters.items()}
        for first_row, strip in read_strips(raster):
            layers = {name: next(rows)[1] for name, rows in strips.items()}
            landslide = strip == 1
            labels = _rasterize(pieces, component, raster, first_row, len(strip))[landslide]
            on_ground = areas.read(first_row, len(strip))
            sums.add_areas(labels, on_ground[landslide])
            for name, layer in layers.items():
                sums.add(name, labels, _take(name, layer, landslide, first_row))
            if evidence:
                evidence.add(first_row, strip, labels, on_ground)
    return Components(
        _join(pieces, component, sums.count),
        sums.area,
        {name: total / sums.size for name, total in sums.total.items()},
        sums.maximum,
        *measured,
        evidence.finish(sums.size) if evidence else None,
    )


def _take(name: str, layer: np.ndarray, landslide: np.ndarray, first_row: int) -> np.ndarray:
    """Return a layer's values at the landslide pixels."""
    pixels: np.ndarray = layer[landslide]
    if not np.isfinite(pixels).all():
        raise _missing_value(name, first_row, landslide & ~np.isfinite(layer))
    return pixels


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


def _trace_pieces(raster: rasterio.DatasetReader) -> Iterator[np.ndarray]:
    """Yield the polygons of the 4-connected pieces, some thousands at a time."""
    band = rasterio.band(raster, 1)
    polygons = []
    for shape, value in shapes(band, mask=band, connectivity=4):
        if value != 1:
            continue  # no data
        shell, *holes = shape["coordinates"]
        polygons.append(shapely.Polygon(shell, holes))
        if len(polygons) == _CHUNK:
            yield np.array(polygons, object)
            polygons = []
    yield np.array(polygons, object)


def _group_pieces(pieces: np.ndarray, raster: rasterio.DatasetReader) -> np.ndarray:
    """Return each piece's component: pieces that share a vertex, numbered in reading order."""
    if not len(pieces):
        return np.empty(0, np.int64)
    corners, piece = shapely.get_coordinates(pieces, return_index=True)
    transform = raster.transform
    column = np.rint((corners[:, 0] - transform.c) / transform.a).astype(np.int64)
    row = np.rint((corners[:, 1] - transform.f) / transform.e).astype(np.int64)
    vertex = row * (raster.width + 1) + column
    unique, index = np.unique(vertex, return_inverse=True)
    links = np.ones(len(piece), bool), (piece, len(pieces) + index)
    graph = coo_matrix(links, shape=(len(pieces) + len(unique),) * 2)
    group = connected_components(graph, directed=False)[1][: len(pieces)]
    first = np.full(group.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, group[piece], vertex)
    return np.asarray(np.argsort(np.argsort(first))[group])


def _rasterize(
    pieces: np.ndarray,
    labels: np.ndarray,
    raster: rasterio.DatasetReader,
    first_row: int,
    rows: int,
) -> np.ndarray:
    """Burn the labels of pieces into a strip, shape ``(rows, W)``, int32; -1 = background."""
    transform = raster.transform @ rasterio.Affine.translation(0, first_row)
    _, low, _, high = shapely.bounds(pieces).reshape(-1, 4).T
    inside = (low < transform.f) & (high > transform.f + rows * transform.e)
    strip = np.full((rows, raster.width), -1, np.int32)
    if inside.any():
        rasterize(zip(pieces[inside], labels[inside], strict=True), out=strip, transform=transform)
    return strip


def _measure(
    raster: rasterio.DatasetReader, areas: PixelAreas, coverage: rasterio.DatasetReader | None
) -> tuple[float, float, float]:
    """Check a mask; return its areas with data, without data, and with too few acquisitions, in m2."""
    mapped, without, too_few = 0.0, 0.0, 0.0
    counts = read_strips(coverage) if coverage else None
    for first_row, strip in read_strips(raster):
        nodata = _find_nodata(strip, raster)
        on_ground = areas.read(first_row, len(strip))
        mapped += float(on_ground[~nodata].sum())
        without += float(on_ground[nodata].sum())
        if counts and coverage:
            too_few += float(on_ground[nodata & (next(counts)[1] != coverage.nodata)].sum())
    return mapped, without, too_few


def _find_nodata(strip: np.ndarray, raster: rasterio.DatasetReader) -> np.ndarray:
    """Check a strip of the mask and find its pixels without data."""
    nodata = np.zeros(strip.shape, bool) if raster.nodata is None else strip == raster.nodata
    if not (nodata | (strip == 1) | (strip == 0)).all():
        raise ValueError(
            f"A mask must hold 0, 1 and nodata ({raster.nodata}), but got {sorted(set(np.unique(strip)))[:5]} "
            f"in {raster.name}. Pass the mask, not the probability."
        )
    return np.asarray(nodata)


def _missing_value(name: str, first_row: int, missing: np.ndarray) -> ValueError:
    row, column = np.argwhere(missing)[0]
    return ValueError(
        f"Every landslide pixel must have a value, but the {name} at row {first_row + row}, column {column} "
        "has none. Set the mask to nodata there."
    )


def _join(pieces: np.ndarray, component: np.ndarray, count: int) -> np.ndarray:
    """Return each component's multipolygon, shape ``(N,)``."""
    order = np.argsort(component, kind="stable")
    outlines = np.empty(count, object)
    shapely.multipolygons(pieces[order], indices=component[order], out=outlines)
    return outlines
