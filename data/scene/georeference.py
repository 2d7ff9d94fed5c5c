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
    """A north-up raster grid in a projected coordinate system.

    Attributes:
        crs: Such as ``EPSG:32654``.
        west_m: Easting of the left edge of column 0.
        north_m: Northing of the upper edge of row 0.
        pixel_m: Side of a pixel.
        height: Rows.
        width: Columns.
    """

    crs: str
    west_m: float
    north_m: float
    pixel_m: float
    height: int
    width: int

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """The affine coefficients ``(a, b, c, d, e, f)``: column and row to easting and northing of a pixel's corner."""
        return self.pixel_m, 0.0, self.west_m, 0.0, -self.pixel_m, self.north_m

    @property
    def pixel_m2(self) -> float:
        """Area of a pixel."""
        return self.pixel_m**2


_CLOSE_M = 0.01  # of coordinates, which may be stored as float32 or come from a projection
_MAPPING = ("crs_wkt", "spatial_ref")


def read_grid(dataset: xr.Dataset, place: Path | str) -> tuple[Grid, str | None]:
    """Find out where a cube lies.

    Pixels' coordinates may be their upper left corners, as in the tiles, or their centres, as most programs write
    them. A ``GeoTransform`` (of GDAL, rioxarray or the tiles) tells; without one, coordinates that are multiples of the
    pixel size are corners, and those half a pixel off are centres.

    Args:
        dataset: Has ``x`` and ``y``, in m.
        place: Where it was read, for the message.

    Returns:
        The grid, rows to the south; and what was concluded, as a sentence.

    Raises:
        ValueError: If the coordinate system or the pixel size is another than a network is made for, or the
            corner cannot be told.
    """
    crs = _find_crs(dataset, place)
    x, y = (np.asarray(dataset[name].values, np.float64) for name in ("x", "y"))
    if len(y) > 1 and y[0] < y[-1]:
        y = y[::-1]
    _check_spacing(x, y, place)
    half, note = _find_offset(dataset, float(x[0]), float(y[0]), place)
    west, north = (_tidy(value) for value in (float(x[0]) - half, float(y[0]) + half))
    return Grid(crs, west, north, PIXEL_M, len(y), len(x)), note


def _tidy(value: float) -> float:
    """Round to whole centimetres what was stored in too few digits."""
    return round(value, 2)


def _find_crs(dataset: xr.Dataset, place: Path | str) -> str:
    found = [dataset.attrs.get("crs")]
    for variable in dataset.variables.values():
        found += [variable.attrs.get(name) for name in _MAPPING]
    texts = [text for text in found if isinstance(text, str) and text]
    if not texts:
        remedy = 'Add the attribute crs, such as "EPSG:32654".'
        raise refused_error("A datacube must name its coordinate system", "none", place, remedy)
    try:
        crs = pyproj.CRS.from_user_input(texts[0])
    except CRSError as error:
        raise refused_error(
            "crs must be a coordinate system", show_value(texts[0]), place
        ) from error
    metres = all(math.isclose(axis.unit_conversion_factor, 1) for axis in crs.axis_info)
    if not crs.is_projected or not metres:
        remedy = "Project it to UTM, for example with gdalwarp."
        raise refused_error(
            "The coordinate system must be projected, in m", crs.name, place, remedy
        )
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _check_spacing(x: np.ndarray, y: np.ndarray, place: Path | str) -> None:
    if min(len(x), len(y)) < 2:
        raise refused_error("A datacube must have 2 x 2 px or more", f"{len(y)} x {len(x)}", place)
    for name, values, step in (("x", x, PIXEL_M), ("y", y, -PIXEL_M)):
        steps = np.diff(values)
        if not np.allclose(steps, step, rtol=0, atol=_CLOSE_M):
            remedy = "Resample it, for example with gdalwarp -tr 10 10 -r average."
            got = f"{steps.min():g} to {steps.max():g} m"
            raise refused_error(f"Pixels must be {PIXEL_M:g} m ({name})", got, place, remedy)


def _find_offset(
    dataset: xr.Dataset, x: float, y: float, place: Path | str
) -> tuple[float, str | None]:
    """Return how far the first coordinates lie inside the first pixel, 0 or half a pixel, and how that was told."""
    texts = [
        one.attrs["GeoTransform"]
        for one in dataset.variables.values()
        if "GeoTransform" in one.attrs
    ]
    if texts:
        offsets, note = _read_transform(str(texts[0]), x, y, dataset.sizes["y"], place), None
    else:
        offsets, note = (x % PIXEL_M, -y % PIXEL_M), "x and y were taken for the pixels' {}."
    for offset, what in ((0.0, "upper left corners"), (PIXEL_M / 2, "centres")):
        if all(_is_near(value, offset, exact=note is None) for value in offsets):
            return offset, note and note.format(what)
    remedy = "Write a GeoTransform, for example with rioxarray's write_transform()."
    got = f"({x:.2f}, {y:.2f})"
    raise refused_error(
        "x and y must be the corners or the centres of the pixels", got, place, remedy
    )


def _read_transform(
    text: str, x: float, y: float, rows: int, place: Path | str
) -> tuple[float, float]:
    """Return how far the first coordinates lie inside the pixel that GDAL's GeoTransform says is first."""
    try:
        west, _, _, edge, _, step = (float(word) for word in text.split())
    except ValueError as error:
        raise refused_error("GeoTransform must be six numbers", show_value(text), place) from error
    north = edge if step < 0 else edge + rows * PIXEL_M  # rows stored from south to north
    return x - west, north - y


def _is_near(value: float, offset: float, *, exact: bool) -> bool:
    """Tell whether a value is the offset, to the nearest pixel or altogether."""
    gap = value - offset
    return abs(gap if exact else (gap + PIXEL_M / 2) % PIXEL_M - PIXEL_M / 2) < _CLOSE_M
