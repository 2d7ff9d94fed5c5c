"""Coordinate systems and pixel grids: of a map (10 m, projected) and of a file (any); rows run south."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
from pyproj.exceptions import CRSError

from data.io.safe_json import refused_error, show_value
from data.tiles.rules import PIXEL_M
from data.values.corners import TOLERANCE

MAX_DISTORTION = 0.01  # of lengths: in UTM 0.001, in Web Mercator 0.37 at 43 degrees north
RESAMPLE = "Pass --resample to map it on a grid of 10 m."


@dataclass(frozen=True)
class Frame:
    """A north-up pixel grid in any coordinate system.

    Attributes:
        crs: Such as ``EPSG:4326``.
        west: Left edge of column 0, in the units of *crs*.
        north: Upper edge of row 0.
        step_x: Width of a pixel.
        step_y: Height of a pixel, positive.
        height: Number of rows.
        width: Number of columns.
    """

    crs: str
    west: float
    north: float
    step_x: float
    step_y: float
    height: int
    width: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north edge."""
        east = self.west + self.width * self.step_x
        return self.west, self.north - self.height * self.step_y, east, self.north

    def matches(self, other: "Frame") -> bool:
        """Return whether both have the same pixels, apart from rounding."""
        if (self.crs, self.height, self.width) != (other.crs, other.height, other.width):
            return False
        gaps = np.subtract(self.bounds, other.bounds) / min(self.step_x, self.step_y)
        return bool(np.abs(gaps).max() < 10 * TOLERANCE)

    def locate(self, other: "Frame") -> tuple[int, int]:
        """Return the row and column of another frame's first pixel, which has the same pixels."""
        row = (self.north - other.north) / self.step_y
        return round(row), round((other.west - self.west) / self.step_x)

    def overlap(self, other: "Frame") -> float:
        """Return the share of the smaller one of two frames of one coordinate system that is in the other, too."""
        (west, south, east, north), (west_2, south_2, east_2, north_2) = self.bounds, other.bounds
        width = max(min(east, east_2) - max(west, west_2), 0.0)
        height = max(min(north, north_2) - max(south, south_2), 0.0)
        smaller = min((east - west) * (north - south), (east_2 - west_2) * (north_2 - south_2))
        return width * height / smaller

    def __str__(self) -> str:
        size = f"{self.height} x {self.width} px of {self.step_x:g} x {self.step_y:g}"
        return f"{size} from ({self.west:.10g}, {self.north:.10g}) in {self.crs[:40]}"


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
    def frame(self) -> Frame:
        """The same grid as a frame."""
        corner = (self.west_m, self.north_m)
        return Frame(self.crs, *corner, self.pixel_m, self.pixel_m, self.height, self.width)


def find_grid(frame: Frame, source: Path | str) -> Grid:
    """Return the grid of a map that takes a file's pixels as they are.

    Raises:
        ValueError: If the pixels are not squares of 10 m.
    """
    crs = pyproj.CRS.from_user_input(frame.crs)
    if not is_metric(crs):
        rule = "The coordinate system must be projected, in m"
        raise refused_error(rule, crs.name, source, RESAMPLE)
    steps = np.array([frame.step_x, frame.step_y])
    if np.abs(steps - PIXEL_M).max() > TOLERANCE * PIXEL_M:
        got = " x ".join(f"{step:g}" for step in steps)
        raise refused_error(f"Pixels must be {PIXEL_M:g} m", f"{got} m", source, RESAMPLE)
    if (distortion := measure_distortion(crs, frame)) > MAX_DISTORTION:
        got = f"lengths off by {distortion:.0%} in {crs.name}"
        raise refused_error("Pixels must be 10 m on the ground", got, source, RESAMPLE)
    # Coordinates stored with few digits are rounded to centimetres.
    west, north = round(frame.west, 2), round(frame.north, 2)
    return Grid(frame.crs, west, north, PIXEL_M, frame.height, frame.width)


def join_frames(frames: Sequence[Frame], source: Path | str) -> Frame:
    """Return the frame around several that have the same pixels.

    Raises:
        ValueError: If they have other coordinate systems, or pixels of another size or position.
    """
    first = frames[0]
    for other in frames[1:]:
        steps = np.array([first.step_x, first.step_y])
        gaps = np.array([other.west - first.west, other.north - first.north]) / steps
        sizes = np.array([other.step_x, other.step_y]) / steps - 1
        reach = max(first.height, first.width, other.height, other.width)
        if (
            other.crs != first.crs
            or np.abs(gaps - gaps.round()).max() > 10 * TOLERANCE
            or np.abs(sizes).max() * reach > 10 * TOLERANCE
        ):
            rule = "Slices of a pass must have the same pixels"
            remedy = "Merge the frames of a day, for example with rasterio merge."
            raise refused_error(rule, f"{first}, and {other}", source, remedy)
    west, south = (min(one.bounds[i] for one in frames) for i in (0, 1))
    east, north = (max(one.bounds[i] for one in frames) for i in (2, 3))
    height, width = round((north - south) / first.step_y), round((east - west) / first.step_x)
    return Frame(first.crs, west, north, first.step_x, first.step_y, height, width)


def is_metric(crs: pyproj.CRS) -> bool:
    """Return whether coordinates are eastings and northings in m."""
    return crs.is_projected and all(
        math.isclose(axis.unit_conversion_factor, 1) for axis in crs.axis_info
    )


def measure_distortion(crs: pyproj.CRS, frame: Frame) -> float:
    """Return the largest relative error of lengths in a projected system: in a frame's middle, corners and edges' middles.

    Positions outside the system's area, such as made-up coordinates, do not count.
    """
    west, south, east, north = frame.bounds
    x, y = np.meshgrid(np.linspace(west, east, 3), np.linspace(south, north, 3))
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    longitude, latitude = to_degrees.transform(x.ravel(), y.ravel())
    inside = np.isfinite(longitude) & np.isfinite(latitude)
    factors = pyproj.Proj(crs).get_factors(longitude[inside], latitude[inside])
    errors = np.abs(np.stack([factors.meridional_scale, factors.parallel_scale]) - 1)
    return float(errors[np.isfinite(errors)].max(initial=0.0))


def parse_crs(text: str, source: Path | str) -> str:
    """Return a coordinate system as its EPSG code, or as WKT if it has none.

    Raises:
        ValueError: If the text names none.
    """
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise refused_error("crs must be a coordinate system", show_value(text), source) from error
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())
