"""A folder of products: a static STAC catalogue, or GeoTIFFs of OPERA RTC-S1 and HyP3 RTC as they were downloaded.

Names say the date, the polarisation and OPERA's track; a GeoTIFF's tags and files beside it say the rest: OPERA writes
``TRACK_NUMBER`` and ``ORBIT_PASS_DIRECTION`` as tags, HyP3 names the source granule, and so the absolute orbit, in the
``.README.md.txt`` that comes with each product (:mod:`data.search.products`).
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pystac
import rasterio
import rasterio.features
import rasterio.warp
import shapely
from rasterio.errors import RasterioError
from rasterio.transform import from_bounds
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from data.io.errors import list_first
from data.io.safe_json import refused_error
from data.search.items import BANDS, HEIGHTS, OTHER, SYNTHETIC, normalise_heights, normalise_image
from data.search.products import Product, read_granule, read_product
from data.search.stac import StacSource

CATALOGUE = "catalog.json"
SUFFIXES = (".tif", ".tiff")
MAX_FILES = 20_000
MAX_NOTE_BYTES = 2**20
FOOTPRINT_PX = 128  # the longer side of the small copy whose pixels with data make a footprint
QUANTITY = "gp"  # HyP3: gamma nought in power


class FolderSource:
    """A folder.

    Args:
        folder: A folder with ``catalog.json`` in it, or with GeoTIFFs in it or below it.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has neither.
    """

    word = "folder"

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(
                f"--source folder:PATH must be a folder, but got none at {folder}. Check the path."
            )
        self.address = str(folder.resolve())
        self._folder = folder.resolve()
        catalogue = self._folder / CATALOGUE
        self._catalogue = StacSource(str(catalogue), self.word) if catalogue.is_file() else None
        if self._catalogue is None and not self._files:
            got = list_first(sorted(file.name for file in folder.iterdir()), 5) or "nothing"
            rule = f"--source folder:PATH must have {CATALOGUE} or GeoTIFFs"
            remedy = "Put the products of OPERA RTC-S1 or HyP3 into it, unpacked."
            raise refused_error(rule, got, folder, remedy)

    def search(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[pystac.Item]:
        """Find images; see :class:`data.search.sources.Source`."""
        if self._catalogue is not None:
            yield from self._catalogue.search(area, start, end)
            return
        for product, files in self._products.items():
            if start <= product.start <= end:
                found = normalise_image(_make_item(product, files), area)
                if found is not None:
                    yield found

    def search_heights(self, area: BaseGeometry) -> Iterator[pystac.Item]:
        """Find heights: of the catalogue, or files named ``DEM`` or ``…_dem``."""
        if self._catalogue is not None:
            yield from self._catalogue.search_heights(area)
            return
        for file in self._files:
            if _word_of(file) == HEIGHTS:
                item = _make_heights(file)
                found = normalise_heights(item, area)
                if found is not None:
                    yield found

    def sign(self, href: str) -> str:
        """Return the path unchanged."""
        return href

    def environment(self, href: str = "") -> dict[str, str]:
        """Return no options."""
        return {}

    @cached_property
    def _files(self) -> list[Path]:
        """The GeoTIFFs in the folder and below it.

        Raises:
            ValueError: If there are more than ``MAX_FILES``.
        """
        found: list[Path] = []
        for file in self._folder.rglob("*"):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                found.append(file)
            if len(found) > MAX_FILES:
                rule = f"A folder must have at most {MAX_FILES:,} GeoTIFFs"
                raise refused_error(rule, "more", self._folder, "Give a folder of one place.")
        return sorted(found)

    @cached_property
    def _products(self) -> dict[Product, dict[str, Path]]:
        """The files of each product by polarisation."""
        found: dict[Product, dict[str, Path]] = defaultdict(dict)
        for file in self._files:
            product = read_product(file.name)
            if product is not None and _word_of(file) in BANDS:
                found[product][_word_of(file)] = file
        return found


def _word_of(file: Path) -> str:
    """Return the last word of a file's name, which says what it holds."""
    return file.stem.replace("-", "_").split("_")[-1].upper()


def _make_item(product: Product, files: dict[str, Path]) -> pystac.Item:
    """Make a STAC item of a product from its name, its tags and the note beside it."""
    first = next(iter(files.values()))
    item, tags = _open_item(product.name, first, product.start)
    direction = tags.get("ORBIT_PASS_DIRECTION", "")
    track = _as_int(tags.get("TRACK_NUMBER", "")) or _read_note(first)
    item.properties |= {
        "platform": product.platform,
        "sar:product_type": "RTC" if product.quantity in ("", QUANTITY) else OTHER,
        **({"sat:relative_orbit": track} if track else {}),
        **({"sat:orbit_state": direction.lower()} if direction else {}),
    }
    for band, file in files.items():
        item.add_asset(band, pystac.Asset(str(file), media_type=pystac.MediaType.GEOTIFF))
    return item


def _make_heights(file: Path) -> pystac.Item:
    item, _ = _open_item(file.stem, file, datetime(2021, 4, 22, tzinfo=UTC))
    item.add_asset(HEIGHTS, pystac.Asset(str(file), media_type=pystac.MediaType.GEOTIFF))
    return item


def _open_item(name: str, file: Path, time: datetime) -> tuple[pystac.Item, dict[str, str]]:
    """Return an item with a GeoTIFF's grid and footprint, and the file's tags.

    Raises:
        ValueError: If it is no GeoTIFF, or has no coordinate system.
    """
    try:
        with rasterio.open(file) as raster:
            if raster.crs is None:
                remedy = "Get the file again from its source."
                raise refused_error("A GeoTIFF must have a coordinate system", "none", file, remedy)
            tags = {key.upper(): value for key, value in raster.tags().items()}
            footprint = _find_footprint(raster, tags)
            properties = {
                "proj:code": raster.crs.to_string(),
                "proj:shape": list(raster.shape),
                "proj:transform": list(raster.transform)[:6],
            }
    except RasterioError as error:
        rule, remedy = "A product's GeoTIFF must be readable", "Get the file again from its source."
        raise refused_error(rule, error, file, remedy) from error
    if tags.get(SYNTHETIC.upper()):
        properties[SYNTHETIC] = True
    projection = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
    bounds = list(footprint.bounds)
    return (
        pystac.Item(
            name, mapping(footprint), bounds, time, properties, stac_extensions=[projection]
        ),
        tags,
    )


def _find_footprint(raster: rasterio.DatasetReader, tags: dict[str, str]) -> BaseGeometry:
    """Return where a GeoTIFF has data, in longitude and latitude: its tag, else its pixels of a small copy."""
    try:
        return shapely.from_wkt(tags["BOUNDING_POLYGON"])
    except (KeyError, ShapelyError):
        pass  # HyP3 and older products of OPERA do not have it
    step = max(1, *(-(-side // FOOTPRINT_PX) for side in raster.shape))
    height, width = (-(-side // step) for side in raster.shape)
    values = raster.read(1, out_shape=(height, width), masked=True).filled(0)
    has_data = np.isfinite(values) & (values != 0)
    place = from_bounds(*raster.bounds, width, height)
    shapes = rasterio.features.shapes(has_data.astype(np.uint8), mask=has_data, transform=place)
    parts = [
        shape(rasterio.warp.transform_geom(raster.crs, "EPSG:4326", part)) for part, _ in shapes
    ]
    return shapely.union_all([shapely.make_valid(part) for part in parts])


def _read_note(file: Path) -> int | None:
    """Return the track of the source granule that the notes beside a HyP3 product name."""
    product = read_product(file.name)
    name = product.name if product else file.stem
    for note in sorted(file.parent.glob(f"{name}*")):
        if note.suffix.lower() in (".txt", ".md", ".xml") and note.stat().st_size <= MAX_NOTE_BYTES:
            found = read_granule(note.read_text(encoding="utf-8", errors="replace"))
            if found is not None and found.track is not None:
                return found.track
    return None


def _as_int(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None
