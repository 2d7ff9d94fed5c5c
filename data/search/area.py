"""The area to map, in longitude and latitude: four numbers, or the polygons of a vector file.

Beyond the antimeridian longitudes go on past 180, so that an area is one piece: 179 to 181, not 179 to -179. Catalogues
know longitudes from -180 to 180 only, so a search is split there (:func:`list_boxes`), and the footprints that they return
are moved beside the area (:func:`place_beside`).
"""

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import shapely
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from data.io.safe_json import check_file_size, refused_error, show_value

PIXEL_M = 10
NORTH, SOUTH = 84.0, -80.0  # UTM ends there; nearer to the poles its successor is UPS
WIDEST = 180.0  # degrees of longitude
MAX_AOI_BYTES = 2**28

_ORDER = "--bbox must be W S E N in degrees: west, south, east, north"
_POLE = f"The area must lie between {-SOUTH:.0f} S and {NORTH:.0f} N, where UTM ends"
_GEOD = pyproj.Geod(ellps="WGS84")
_GUESS_DEGREES = 20  # nobody means an area wider than this
_ORDERS = ((1, 0, 3, 2), (0, 2, 1, 3), (2, 1, 0, 3), (0, 3, 2, 1), (2, 3, 0, 1))


def read_area(bbox: Sequence[float] | None, aoi: Path | None) -> BaseGeometry:
    """Read the area from four numbers or from a vector file.

    Args:
        bbox: West, south, east, north in degrees, WGS 84. West > east means across the antimeridian.
        aoi: Any vector file of one layer that geopandas reads; all its polygons together.

    Returns:
        A polygon, or several, in longitude and latitude (WGS 84); west of it from -180, east of it up to 360.

    Raises:
        ValueError: If there is neither or both, numbers are in another order, the file has no coordinate system or
            something else than polygons, or the area is too small, too wide or too near to a pole.
        FileNotFoundError: If there is no such file.
    """
    if bbox is not None and aoi is None:
        return _check_size(_read_box(bbox), "--bbox")
    if aoi is not None and bbox is None:
        return _check_size(_join_antimeridian(_read_polygons(aoi)), aoi)
    got = "neither" if bbox is None else "both"
    remedy = "Give --bbox W S E N, or --aoi FILE."
    raise refused_error("The area must be given once", got, "--bbox and --aoi", remedy)


def _read_box(bbox: Sequence[float]) -> BaseGeometry:
    values = tuple(float(value) for value in bbox)
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise refused_error(_ORDER, show_value(list(values)), "--bbox", "Give four numbers.")
    west, south, east, north = values
    if not _is_box(values):
        raise refused_error(_ORDER, _write(values), "--bbox", _guess_order(values))
    first = (west + 180) % 360 - 180
    return box(first, south, first + _width(west, east), north)


def _is_box(values: Sequence[float]) -> bool:
    west, south, east, north = values
    return (
        all(-180 <= x <= 360 for x in (west, east))
        and -90 <= south < north <= 90
        and 0 < _width(west, east) <= WIDEST
    )


def _width(west: float, east: float) -> float:
    """Return the degrees from west to east; less than 0 is across the antimeridian."""
    return east - west if east >= west else east - west + 360


def _guess_order(values: Sequence[float]) -> str:
    """Return a remedy that names the order that was probably meant."""
    guesses = [[values[place] for place in order] for order in _ORDERS]
    likely = [one for one in guesses if _is_box(one) and 0 < one[2] - one[0] <= _GUESS_DEGREES]
    if likely:
        guess = min(likely, key=lambda one: (one[2] - one[0]) * (one[3] - one[1]))
        return f"Did you mean --bbox {_write(guess)}?"
    return (
        "South must be less than north, both from -90 to 90; longitudes are from -180 to 180, and west > east means across "
        f"the antimeridian, {WIDEST:.0f} degrees wide at most."
    )


def _write(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _read_polygons(file: Path) -> BaseGeometry:
    """Return the union of a file's polygons in longitude and latitude."""
    frame = _read_frame(file)
    shapes = [shape for shape in frame.geometry if shape is not None and not shape.is_empty]
    kinds = {shape.geom_type for shape in shapes} - {"Polygon", "MultiPolygon"}
    if kinds or not shapes:
        got = ", ".join(sorted(kinds)) or "nothing"
        raise refused_error(
            "The area's file must have polygons only", got, file, "Draw the area as a polygon."
        )
    area = shapely.union_all([_take_polygons(shapely.force_2d(shape)) for shape in shapes])
    if area.is_empty or not np.isfinite(area.bounds).all():
        got = "polygons outside the range of its coordinate system"
        raise refused_error("The area must be on the earth", got, file, "Check its system.")
    return area


def _read_frame(file: Path) -> gpd.GeoDataFrame:
    """Read a vector file of one layer, in longitude and latitude."""
    if not file.exists():
        raise FileNotFoundError(f"--aoi must be a file, but got none at {file}. Check the path.")
    if file.is_file():
        check_file_size(file, MAX_AOI_BYTES)
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(file) if kind is not None]
        if len(layers) != 1:
            got = ", ".join(layers) or "none"
            raise refused_error(
                "The area's file must have one layer", got, file, "Save the layer alone."
            )
        frame = gpd.read_file(file, layer=layers[0])
    except pyogrio.errors.DataSourceError as error:
        rule = "--aoi must be a vector file that GDAL reads, such as GeoJSON or GeoPackage"
        raise refused_error(rule, str(error).splitlines()[0], file, "Save it again.") from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        remedy = "Set it, for example with QGIS or ogr2ogr -a_srs EPSG:4326."
        raise refused_error("The area's file must have a coordinate system", "none", file, remedy)
    return frame.to_crs(4326)


def _take_polygons(shape: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a shape; one that crosses itself is mended."""
    valid = shape if shape.is_valid else shapely.make_valid(shape)
    parts = [part for part in shapely.get_parts(valid) if part.area > 0]
    return shapely.union_all(list(chain.from_iterable(_list_polygons(part) for part in parts)))


def _list_polygons(part: BaseGeometry) -> list[BaseGeometry]:
    return [one for one in shapely.get_parts(part) if one.geom_type == "Polygon"]


def _join_antimeridian(area: BaseGeometry) -> BaseGeometry:
    """Return an area in one piece where it was cut at the antimeridian, its west from -180 to 180."""
    west, _, east, _ = area.bounds
    if east - west > WIDEST:
        moved = shapely.transform(area, _move_west)
        if moved.area > 0 and moved.bounds[2] - moved.bounds[0] < WIDEST:
            area = shapely.union_all([shapely.make_valid(moved)])
    first = area.bounds[0]
    return translate(area, (first + 180) % 360 - 180 - first) if not -180 <= first < 180 else area


def _move_west(points: np.ndarray) -> np.ndarray:
    """Return points, those of the western hemisphere a turn further east."""
    return np.column_stack(
        [np.where(points[:, 0] < 0, points[:, 0] + 360, points[:, 0]), points[:, 1]]
    )


def _check_size(area: BaseGeometry, place: Path | str) -> BaseGeometry:
    west, south, east, north = area.bounds
    if east - west > WIDEST:
        got = f"{east - west:.1f}"
        rule = f"The area must be at most {WIDEST:.0f} degrees wide"
        raise refused_error(rule, got, place, "Give a smaller one.")
    if south < SOUTH or north > NORTH:
        got = f"{south:g} to {north:g} degrees of latitude"
        raise refused_error(_POLE, got, place, "Cut it there: poles cannot be mapped in UTM.")
    size = abs(_GEOD.geometry_area_perimeter(area)[0])
    if size < PIXEL_M**2:
        rule = f"The area must have at least one pixel of {PIXEL_M} m, {PIXEL_M**2} m2"
        raise refused_error(rule, f"{size:.3g} m2", place, "Give a larger one, in degrees.")
    return area


def list_boxes(area: BaseGeometry) -> list[tuple[float, float, float, float]]:
    """Return the area's bounds as boxes from -180 to 180 degrees: two where it crosses the antimeridian."""
    west, south, east, north = area.bounds
    if east <= 180:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east - 360, north)]


def place_beside(footprint: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """Return a footprint with the longitudes that the area has: moved by whole turns, and in one piece.

    Catalogues write footprints across the antimeridian cut in two (RFC 7946), past 180 or -180 degrees, or as a polygon
    that jumps from one side to the other.
    """
    whole = _join_antimeridian(
        _take_polygons(footprint) if footprint.is_valid else _mend(footprint)
    )
    copies = [translate(whole, turn) for turn in (-360, 0, 360)]
    near = [copy for copy in copies if copy.intersects(area)]
    return shapely.union_all(near) if near else whole


def _mend(footprint: BaseGeometry) -> BaseGeometry:
    """Return a valid footprint; one that jumps across the antimeridian is moved before it is mended."""
    west, _, east, _ = footprint.bounds
    moved = shapely.transform(footprint, _move_west) if east - west > WIDEST else footprint
    return _take_polygons(moved)
