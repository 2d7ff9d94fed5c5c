"""Normalised STAC items: whatever a catalogue calls things, an item has the same assets and properties afterwards.

======================== =====================================================================================
``VV``, ``VH``           assets: gamma nought as linear power, GeoTIFF
``DEM``                  asset of an item of heights, in m
``platform``             such as ``sentinel-1a``
``sat:orbit_state``      ``ascending`` or ``descending``
``sat:relative_orbit``   track, 1 to 175
``start_datetime``       start of acquisition, UTC
``processing:datetime``  when the image was made, if the catalogue says so
``synthetic``            true where the catalogue says that the pixels are simulated
======================== =====================================================================================

What a catalogue does not say is taken from the product's name, and the direction from the local time. What is missing
then is missing from the item: :func:`find_problem` says so in words.

Follows STAC 1.0.0 and 1.1.0 with the extensions sat 1, sar 1, projection 1 and 2.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pystac
from pystac.utils import datetime_to_str, str_to_datetime
from shapely.errors import ShapelyError
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from data.cubes.orbits import DIRECTIONS
from data.search.area import place_beside
from data.search.products import Product, direction_of, read_product, track_of
from data.tiles.rules import ORBITS

BANDS = ("VV", "VH")
HEIGHTS = "DEM"
HEIGHTS_COLLECTION = "cop-dem-glo-30"
SYNTHETIC = "synthetic"
OTHER = "other quantity"  # product type of an image that is not gamma nought in linear power
STATES = dict(zip(ORBITS, ("ascending", "descending"), strict=True))

_HEIGHT_KEYS = ("dem", "data", "elevation", "height")  # Planetary Computer's key is data
_CORRECTED = ("rtc", "nrb", "gamma0", "gamma-0", "gamma_0")
_UNCORRECTED = ("grd", "slc")
_MADE = ("processing:datetime", "updated", "created")


def normalise_image(item: pystac.Item, area: BaseGeometry) -> pystac.Item | None:
    """Return an image's item as the module says; None if its footprint does not touch the area.

    Args:
        item: As the catalogue has it; unchanged.
        area: From :func:`data.search.area.read_area`.
    """
    footprint = _read_footprint(item, area)
    if footprint is not None and not footprint.intersects(area):
        return None
    product = read_product(item.id) or _read_addresses(item)
    found = _copy(item, footprint, _find_bands(item))
    start = _find_start(item, product)
    platform = str(item.properties.get("platform") or (product.platform if product else ""))
    properties = {
        "platform": platform.lower().replace("_", "-"),
        "start_datetime": datetime_to_str(start) if start else None,
        "sat:relative_orbit": _find_track(item, product, platform, start),
        "sat:orbit_state": _find_direction(item, start, footprint),
        "processing:datetime": _find_made(item, product),
        SYNTHETIC: True if item.properties.get(SYNTHETIC) else None,
    }
    for name, value in properties.items():
        found.properties.pop(name, None)
        if value is not None:
            found.properties[name] = value
    return found


def normalise_heights(item: pystac.Item, area: BaseGeometry) -> pystac.Item | None:
    """Return an item of heights with the asset ``DEM``; None if it has none, or does not touch the area."""
    footprint = _read_footprint(item, area)
    if footprint is None or not footprint.intersects(area):
        return None
    keys = {key.lower(): key for key in item.assets}
    key = next((keys[word] for word in _HEIGHT_KEYS if word in keys), None)
    return None if key is None else _copy(item, footprint, {HEIGHTS: key})


def is_heights(item: pystac.Item) -> bool:
    """Return whether an item of a catalogue without collections is one of heights."""
    return item.collection_id == HEIGHTS_COLLECTION or (
        item.id.startswith("Copernicus_DSM") or {key.upper() for key in item.assets} == {HEIGHTS}
    )


def find_problem(item: pystac.Item) -> str | None:
    """Return why a normalised image cannot be used, such as ``lacking VH``; None if it can."""
    missing = [band for band in BANDS if band not in item.assets]
    lacks = {
        "not gamma nought in linear power": item.properties.get("sar:product_type") == OTHER,
        "lacking " + " and ".join(missing): bool(missing),
        "not terrain-corrected (GRD or SLC)": not _is_corrected(item),
        "without a footprint": item.geometry is None,
        "of an unknown time": "start_datetime" not in item.properties,
        "of an unknown satellite": not item.properties["platform"],
        "of an unknown track": "sat:relative_orbit" not in item.properties,
        "of an unknown orbit direction": "sat:orbit_state" not in item.properties,
    }
    return next((problem for problem, found in lacks.items() if found), None)


def start_of(item: pystac.Item) -> datetime:
    """Return a normalised item's start of acquisition, UTC."""
    return str_to_datetime(str(item.properties["start_datetime"])).astimezone(UTC)


def footprint_of(item: pystac.Item) -> BaseGeometry:
    """Return a normalised item's footprint, beside the area that it was found for."""
    return shape(item.geometry)


def _is_corrected(item: pystac.Item) -> bool:
    """Return whether an image is terrain-corrected, as far as names say: Planetary Computer's type is GRD for RTC too."""
    words = f"{item.id} {item.collection_id or ''}".lower()
    if any(word in words for word in _CORRECTED):
        return True
    kind = str(item.properties.get("sar:product_type", "")).lower()
    return not any(word in words or word in kind for word in _UNCORRECTED)


def _copy(item: pystac.Item, footprint: BaseGeometry | None, keys: dict[str, str]) -> pystac.Item:
    """Return a new item with some assets of another, under other keys and with full addresses."""
    copy = pystac.Item(
        id=item.id,
        geometry=None if footprint is None else mapping(footprint),
        bbox=None if footprint is None else list(footprint.bounds),
        datetime=item.datetime,
        properties=dict(item.properties),
        stac_extensions=list(item.stac_extensions),
        collection=item.collection_id,
    )
    for name, key in keys.items():
        asset = item.assets[key].clone()
        asset.href = item.assets[key].get_absolute_href() or asset.href
        copy.add_asset(name, asset)
    return copy


def _find_bands(item: pystac.Item) -> dict[str, str]:
    """Return the keys of the assets with VV and VH, in any case."""
    keys = {key.upper(): key for key in item.assets}
    return {band: keys[band] for band in BANDS if band in keys}


def _read_footprint(item: pystac.Item, area: BaseGeometry) -> BaseGeometry | None:
    """Return an item's footprint beside the area; None if it has none."""
    try:
        if item.geometry:
            return place_beside(shape(item.geometry), area)
        return place_beside(box(*item.bbox), area) if item.bbox else None
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None  # no geometry that can be read: named by find_problem


def _read_addresses(item: pystac.Item) -> Product | None:
    """Read a product's name in the addresses of an item's assets."""
    texts: Iterable[str] = (item.assets[key].href for key in _find_bands(item).values())
    return next(filter(None, map(read_product, texts)), None)


def _find_start(item: pystac.Item, product: Product | None) -> datetime | None:
    given = item.properties.get("start_datetime") or item.properties.get("datetime")
    if given:
        time = _parse(given)
        if time is not None:
            return time
    return product.start if product else None


def _find_track(
    item: pystac.Item, product: Product | None, platform: str, start: datetime | None
) -> int | None:
    given = item.properties.get("sat:relative_orbit")
    if isinstance(given, int) and 1 <= given <= 175:
        return given
    if product is not None and product.track is not None:
        return product.track
    orbit = item.properties.get("sat:absolute_orbit")
    if isinstance(orbit, int) and start is not None and platform[-1:].upper() in tuple("ABCD"):
        return track_of(platform, orbit, start)
    return None


def _find_direction(
    item: pystac.Item, start: datetime | None, footprint: BaseGeometry | None
) -> str | None:
    modality = DIRECTIONS.get(str(item.properties.get("sat:orbit_state", "")).lower())
    if modality is None and start is not None and footprint is not None:
        middle = footprint.centroid
        modality = direction_of(start, middle.x, middle.y)
    return STATES.get(modality or "")


def _find_made(item: pystac.Item, product: Product | None) -> str | None:
    given: Any = next((item.properties[name] for name in _MADE if item.properties.get(name)), None)
    if given is None and product is not None and product.made is not None:
        return datetime_to_str(product.made)
    time = _parse(given) if given else None
    return datetime_to_str(time) if time else None


def _parse(text: object) -> datetime | None:
    """Return a time, UTC; None if the text is none."""
    try:
        time = str_to_datetime(str(text))
    except (ValueError, OverflowError):
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
