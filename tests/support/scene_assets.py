"""Small assets of a catalogue, as its search gives them: GeoTIFFs of gamma nought and heights, items, and a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyproj
import pystac
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from data.search.acquisitions import Acquisition, Found

CRS = "EPSG:32654"
WEST, NORTH = 576_000.0, 4_732_160.0
EVENT = np.datetime64("2018-09-05T18:08:00", "s")
SIDE_PX = 200  # of a small frame
DAYS = ("2018-08-24T08:40:10", "2018-09-05T08:40:10", "2018-09-17T08:40:11")


@dataclass
class PlainSource:
    """A source whose addresses need no signature; it notes what it was asked to sign."""

    word: str = "folder"
    address: str = "a folder"
    prefix: str = ""
    options: dict[str, str] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)

    def sign(self, href: str) -> str:
        self.signed.append(href)
        return self.prefix + href

    def environment(self, href: str = "") -> dict[str, str]:
        return self.options


def make_power(height: int, width: int, seed: int = 0, mean: float = 0.1) -> np.ndarray:
    """Return linear power with speckle, shape ``(H, W)``, float32."""
    rng = np.random.default_rng(seed)
    return (mean * rng.gamma(4.4, 1 / 4.4, (height, width))).astype(np.float32)


def write_cog(
    file: Path,
    values: np.ndarray,
    *,
    crs: str = CRS,
    west: float = WEST,
    north: float = NORTH,
    step: float = 10.0,
    nodata: float | None = None,
) -> Path:
    """Write a cloud-optimised GeoTIFF of ``values (H, W)``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    height, width = values.shape
    profile = {"driver": "COG", "height": height, "width": width, "count": 1, "dtype": values.dtype}
    profile |= {"crs": crs, "transform": from_origin(west, north, step, step), "nodata": nodata}
    with rasterio.open(file, "w", **profile, blocksize=128, compress="deflate") as out:
        out.write(values, 1)
    return file


def find_bounds(file: Path) -> BaseGeometry:
    """Return the outline of a GeoTIFF in longitude and latitude."""
    with rasterio.open(file) as raster:
        west, south, east, north = raster.bounds
        to_degrees = pyproj.Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
    return box(*to_degrees.transform_bounds(west, south, east, north))


def make_item(
    name: str, files: Mapping[str, Path], address: str = "", time: str = DAYS[0]
) -> pystac.Item:
    """Return an item of files by asset, such as ``{"VV": …}``; *address* takes the place of their folder."""
    footprint = mapping(find_bounds(next(iter(files.values()))))
    moment = datetime.fromisoformat(time).replace(tzinfo=UTC)
    item = pystac.Item(name, footprint, None, moment, {})
    for asset, file in files.items():
        item.add_asset(asset, pystac.Asset(f"{address}/{file.name}" if address else str(file)))
    return item


def make_frame(
    folder: Path, name: str, values: np.ndarray | None = None, address: str = "", **options: object
) -> pystac.Item:
    """Write both polarisations of a frame, VH a tenth of VV, by default small ones with speckle, and return its item."""
    power = make_power(SIDE_PX, SIDE_PX) if values is None else values
    files = {
        "VV": write_cog(folder / f"{name}_vv.tif", power, **options),  # type: ignore[arg-type]
        "VH": write_cog(folder / f"{name}_vh.tif", power / 10, **options),  # type: ignore[arg-type]
    }
    return make_item(name, files, address)


def make_pass(
    items: Sequence[pystac.Item], day: str = DAYS[0], orbit: str = "s1asc", track: int = 46
) -> Acquisition:
    return Acquisition(orbit, track, np.datetime64(day), "sentinel-1b", tuple(items), 1.0)


def find_area(
    rows: int, columns: int, row: int = 0, column: int = 0, crs: str = CRS
) -> BaseGeometry:
    """Return an area in degrees whose grid lies within rows and columns of the frames of ``write_cog``."""
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    west, north = WEST + 10 * column, NORTH - 10 * row
    corners = [(west, north), (west + 10 * columns, north), (west + 10 * columns, north - 10 * rows), (west, north - 10 * rows)]  # fmt: skip
    from shapely.geometry import Polygon

    return Polygon([to_degrees.transform(*corner) for corner in corners])


def make_found(
    acquisitions: Sequence[Acquisition],
    area: BaseGeometry,
    heights: Sequence[pystac.Item] = (),
    *,
    synthetic: bool = False,
) -> Found:
    orbits: dict[str, tuple[Acquisition, ...]] = {}
    for one in acquisitions:
        orbits[one.orbit] = (*orbits.get(one.orbit, ()), one)
    return Found(area, EVENT, "folder", "a folder", orbits, tuple(heights), (), synthetic)


def find_one_pass(
    area: BaseGeometry, *items: pystac.Item, heights: Sequence[pystac.Item] = ()
) -> Found:
    """Return what a search finds where one ascending pass with some frames sees an area."""
    return make_found([make_pass(items)], area, heights)
