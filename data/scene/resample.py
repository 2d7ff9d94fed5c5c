"""Rasters on another grid than the map's: choice of the map's grid, and resampling window by window.

GDAL's warper (``rasterio.warp.reproject``) runs on arrays of one window. GDAL's virtual rasters (``WarpedVRT``) use the
same warper, but they resample values as stored, dB included, and do not open the groups of a datacube.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform_bounds

from data.io.safe_json import refused_error
from data.scene.georeference import MAX_DISTORTION, Frame, Grid, is_metric, measure_distortion
from data.tiles.rules import PIXEL_M

MARGIN_PX = 2  # of the file's pixels, besides the kernel's reach of one pixel of the map
SAME_M = 0.01  # corners that are this close to a multiple of 10 m are on it
TOLERANCE_PX = 0.01  # of approximated positions; the default of 0.125 px shows between windows

Read = Callable[[slice, slice], np.ndarray]


def choose_grid(frames: Sequence[Frame], source: Path | str) -> Grid:
    """Choose the grid of a map from its files' grids: 10 m, over the area that all of them cover.

    The coordinate system is that of the first file if it is true to scale in m, else the UTM zone of its middle.

    Raises:
        ValueError: If the files have no area in common.
    """
    first = frames[0]
    crs = _choose_crs(first)
    edges = np.array([transform_bounds(frame.crs, crs, *frame.bounds) for frame in frames])
    keeps_pixels = first.crs == crs and first.step_x == first.step_y == PIXEL_M
    shift = (first.west % PIXEL_M, first.north % PIXEL_M) if keeps_pixels else (0.0, 0.0)
    west, east = _snap(edges[:, 0].max(), edges[:, 2].min(), shift[0])
    south, north = _snap(edges[:, 1].max(), edges[:, 3].min(), shift[1])
    height, width = round((north - south) / PIXEL_M), round((east - west) / PIXEL_M)
    if min(height, width) < 2:
        got = "; ".join(dict.fromkeys(map(str, frames)))
        remedy = "Choose files of one place."
        raise refused_error("All files must cover a common area", got[:500], source, remedy)
    return Grid(crs, west, north, PIXEL_M, height, width)


def _snap(low: float, high: float, shift: float) -> tuple[float, float]:
    """Return the outermost pixel edges, which are *shift* off multiples of 10 m, between two coordinates."""
    first = math.ceil((low - shift - SAME_M) / PIXEL_M) * PIXEL_M + shift
    last = math.floor((high - shift + SAME_M) / PIXEL_M) * PIXEL_M + shift
    return round(first, 2), round(last, 2)


def _choose_crs(frame: Frame) -> str:
    crs = pyproj.CRS.from_user_input(frame.crs)
    if is_metric(crs) and measure_distortion(crs, frame) <= MAX_DISTORTION:
        return frame.crs
    west, south, east, north = transform_bounds(frame.crs, "EPSG:4326", *frame.bounds)
    east += 360 if east < west else 0  # across 180 degrees
    x, y = ((west + east) / 2 + 180) % 360 - 180, (south + north) / 2
    zones = query_utm_crs_info("WGS 84", AreaOfInterest(x, y, x, y), contains=True)
    if not zones:  # beyond 84 degrees north or 80 degrees south
        return "EPSG:5041" if y > 0 else "EPSG:5042"  # universal polar stereographic
    return f"EPSG:{zones[0].code}"


def describe_resampling(frame: Frame, grid: Grid, name: str) -> list[str]:
    """Return what resampling does to a raster, one sentence each; nothing if its pixels stay."""
    if frame.matches(grid.frame):
        return []
    side = measure_pixel(frame, grid)
    notes = [
        f"{name} was resampled from {side:.3g} m to {grid.pixel_m:g} m, in {grid.crs[:40]}"
        + (f" instead of {frame.crs[:40]}." if frame.crs != grid.crs else ".")
    ]
    if side > 1.05 * grid.pixel_m:
        notes.append(
            f"Its pixels of {side:.3g} m are larger than the {grid.pixel_m:g} m that models learn from: small "
            "landslides are blurred, and speckle is weaker than in training."
        )
    return notes


def measure_pixel(frame: Frame, grid: Grid) -> float:
    """Return the mean side of a frame's pixels in m, from the area of the frame's middle pixel."""
    x = frame.west + frame.width // 2 * frame.step_x
    y = frame.north - frame.height // 2 * frame.step_y
    xs, ys = rasterio.warp.transform(
        frame.crs, grid.crs, [x, x + frame.step_x, x], [y, y, y - frame.step_y]
    )
    right, down = (np.array([xs[i] - xs[0], ys[i] - ys[0]]) for i in (1, 2))
    return math.sqrt(abs(right[0] * down[1] - right[1] * down[0]))


def resample_window(
    read: Read, frame: Frame, grid: Grid, rows: slice, columns: slice
) -> np.ndarray:
    """Read a window of a map from a file on another grid.

    The kernel is bilinear between larger pixels; over smaller ones GDAL widens it to the map's pixels, so that all of them count.
    Values without data have no weight.

    Args:
        read: Reads rows and columns of the file, shape ``(T, h, w)``, float32; NaN = no data.
        frame: The file's grid.
        grid: The map's grid.
        rows: Rows of the map.
        columns: Columns of the map.

    Returns:
        Shape ``(T, H, W)``, float32; NaN = no data.
    """
    to_map = _place(grid.frame, rows, columns)
    cut = _find_cut(frame, grid, rows, columns)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    values = read(*(cut or (slice(0, 1), slice(0, 1)))).astype(np.float32, copy=False)
    resampled = np.full((len(values), *shape), np.nan, np.float32)
    if cut is None or np.isnan(values).all():
        return resampled
    reproject(
        *(np.ascontiguousarray(values), resampled),
        src_transform=_place(frame, *cut),
        src_crs=frame.crs,
        src_nodata=np.nan,
        dst_transform=to_map,
        dst_crs=grid.crs,
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
        tolerance=TOLERANCE_PX,
    )
    return resampled


def _place(frame: Frame, rows: slice, columns: slice) -> rasterio.Affine:
    """Return the transform of a window of a frame."""
    west = frame.west + columns.start * frame.step_x
    north = frame.north - rows.start * frame.step_y
    return rasterio.Affine(frame.step_x, 0.0, west, 0.0, -frame.step_y, north)


def _find_cut(frame: Frame, grid: Grid, rows: slice, columns: slice) -> tuple[slice, slice] | None:
    """Return the rows and columns of a file below a window of the map; None if there are none."""
    corner = _place(grid.frame, rows, columns)
    west, north = corner.c, corner.f
    east = west + (columns.stop - columns.start) * grid.pixel_m
    south = north - (rows.stop - rows.start) * grid.pixel_m
    west, south, east, north = transform_bounds(grid.crs, frame.crs, west, south, east, north)
    top, bottom = (frame.north - north) / frame.step_y, (frame.north - south) / frame.step_y
    left, right = (west - frame.west) / frame.step_x, (east - frame.west) / frame.step_x
    down = _widen(top, bottom, rows.stop - rows.start, frame.height)
    across = _widen(left, right, columns.stop - columns.start, frame.width)
    return (down, across) if down and across else None


def _widen(low: float, high: float, size: int, length: int) -> slice | None:
    """Add the kernel's reach to a span of a file that is *size* pixels of the map; None if it is outside."""
    margin = math.ceil((high - low) / size) + MARGIN_PX
    start, stop = max(math.floor(low) - margin, 0), min(math.ceil(high) + margin, length)
    return slice(start, stop) if start < stop else None
