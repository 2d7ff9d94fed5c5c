"""Coordinate system and pixel grid of a raster; rows run south."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import xarray as xr
from pyproj.exceptions import CRSError

from data.io.safe_json import refused_error, show_value
from data.tiles.rules import PIXEL_M


@dataclass(frozen=True)
class Grid:
    """A north-up pixel grid in a projected coordinate system.

    Attributes:
        crs: Such as ``EPSG:32654``.
        west_m: Easting of the left edge of column 0.
        north_m: Northing of the upper edge of row 0.
        pixel_m: Side of a pixel.
        height: Number of rows.
        width: Number of columns.
    """

    crs: str
    west_m: float
    north_m: float
    pixel_m: float
    height: int
    width: int

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients ``(a, b, c, d, e, f)`` from column and row to easting and northing of a pixel's corner."""
        return self.pixel_m, 0.0, self.west_m, 0.0, -self.pixel_m, self.north_m

    @property
    def pixel_m2(self) -> float:
        """Area of a pixel in m2."""
        return self.pixel_m**2


TOLERANCE_M = 0.01  # coordinates may be stored as float32 or come from a projection
CRS_ATTRIBUTES = ("crs_wkt", "spatial_ref")


def read_grid(dataset: xr.Dataset, source: Path | str) -> tuple[Grid, str | None]:
    """Return a datacube's pixel grid.

    ``x`` and ``y`` may be the pixels' upper left corners, as in the tiles, or their centres, as most programs write
    them. A ``GeoTransform`` attribute (of GDAL, rioxarray or the tiles) decides. Without one, multiples of the pixel size
    are taken for corners, and coordinates half a pixel off for centres.

    Args:
        dataset: Has ``x`` and ``y``, in m.
        source: Group and file, for error messages.

    Returns:
        The grid, rows running south; and a note if corners or centres were guessed.

    Raises:
        ValueError: If the coordinate system or the pixel size does not fit the networks, or the coordinates are neither
            corners nor centres.
    """
    crs = _read_crs(dataset, source)
    x, y = (np.asarray(dataset[name].values, np.float64) for name in ("x", "y"))
    if len(y) > 1 and y[0] < y[-1]:
        y = y[::-1]
    _check_spacing(x, y, source)
    offset, note = _find_offset(dataset, float(x[0]), float(y[0]), source)
    # Coordinates stored with few digits are rounded to centimetres.
    west, north = round(float(x[0]) - offset, 2), round(float(y[0]) + offset, 2)
    return Grid(crs, west, north, PIXEL_M, len(y), len(x)), note


def _read_crs(dataset: xr.Dataset, source: Path | str) -> str:
    values = [dataset.attrs.get("crs")]
    for variable in dataset.variables.values():
        values += [variable.attrs.get(name) for name in CRS_ATTRIBUTES]
    texts = [text for text in values if isinstance(text, str) and text]
    if not texts:
        remedy = 'Add the attribute crs, such as "EPSG:32654".'
        raise refused_error("A datacube must name its coordinate system", "none", source, remedy)
    try:
        crs = pyproj.CRS.from_user_input(texts[0])
    except CRSError as error:
        raise refused_error(
            "crs must be a coordinate system", show_value(texts[0]), source
        ) from error
    metres = all(math.isclose(axis.unit_conversion_factor, 1) for axis in crs.axis_info)
    if not crs.is_projected or not metres:
        remedy = "Reproject it to UTM, for example with gdalwarp."
        raise refused_error(
            "The coordinate system must be projected, in m", crs.name, source, remedy
        )
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _check_spacing(x: np.ndarray, y: np.ndarray, source: Path | str) -> None:
    if min(len(x), len(y)) < 2:
        raise refused_error("A datacube must have 2 x 2 px or more", f"{len(y)} x {len(x)}", source)
    for name, values, step in (("x", x, PIXEL_M), ("y", y, -PIXEL_M)):
        steps = np.diff(values)
        if not np.allclose(steps, step, rtol=0, atol=TOLERANCE_M):
            remedy = "Resample it, for example with gdalwarp -tr 10 10 -r average."
            got = f"{steps.min():g} to {steps.max():g} m"
            raise refused_error(f"Pixels must be {PIXEL_M:g} m ({name})", got, source, remedy)


def _find_offset(
    dataset: xr.Dataset, x: float, y: float, source: Path | str
) -> tuple[float, str | None]:
    """Return the offset of the first coordinates from the first pixel's corner, 0 or half a pixel, and a note if guessed."""
    texts = [
        variable.attrs["GeoTransform"]
        for variable in dataset.variables.values()
        if "GeoTransform" in variable.attrs
    ]
    if texts:
        offsets, note = _read_transform(str(texts[0]), x, y, dataset.sizes["y"], source), None
    else:
        offsets, note = (x % PIXEL_M, -y % PIXEL_M), "x and y were taken for the pixels' {}."
    for offset, point in ((0.0, "upper left corners"), (PIXEL_M / 2, "centres")):
        if all(_is_near(value, offset, exact=note is None) for value in offsets):
            return offset, note and note.format(point)
    remedy = "Add a GeoTransform, for example with rioxarray's write_transform()."
    got = f"({x:.2f}, {y:.2f})"
    raise refused_error(
        "x and y must be the corners or the centres of the pixels", got, source, remedy
    )


def _read_transform(
    text: str, x: float, y: float, rows: int, source: Path | str
) -> tuple[float, float]:
    """Return the offsets of the first coordinates from the corner in GDAL's GeoTransform."""
    try:
        west, _, _, edge, _, step = (float(word) for word in text.split())
    except ValueError as error:
        raise refused_error("GeoTransform must be six numbers", show_value(text), source) from error
    north = edge if step < 0 else edge + rows * PIXEL_M  # rows stored from south to north
    return x - west, north - y


def _is_near(value: float, offset: float, *, exact: bool) -> bool:
    """Return whether a value equals an offset: exactly, or modulo the pixel size."""
    gap = value - offset
    return abs(gap if exact else (gap + PIXEL_M / 2) % PIXEL_M - PIXEL_M / 2) < TOLERANCE_M
