"""STAC items and CMR granules as the real catalogues have them, without images: plain dictionaries to write as JSON.

Modelled on Planetary Computer's ``sentinel-1-rtc`` and ``cop-dem-glo-30`` (STAC 1.0.0, sat 1.0.0, sar 1.0.0, projection
1.0.0) and on the granules of ``OPERA_L2_RTC-S1_V1`` in NASA's Common Metadata Repository (UMM-G 1.6.6).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

Json = dict[str, Any]
RTC_STORE = "https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc"
DEM_STORE = "https://elevationeuwest.blob.core.windows.net/copernicus-dem/COP30_hh"
ASF_STORE = "https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1"
GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
FRAME_SECONDS = 25
# The absolute orbit is the track plus this, modulo 175.
_FIRST_ORBITS = {"A": 73, "B": 27, "C": 172}
_EPOCH = datetime(2014, 4, 3, tzinfo=UTC)
_EXTENSIONS = ("sar/v1.0.0", "sat/v1.0.0", "projection/v1.0.0", "file/v2.1.0", "raster/v1.1.0")


def make_rtc_item(
    time: str,
    footprint: Sequence[float] | BaseGeometry,
    *,
    track: int = 68,
    direction: str = "ascending",
    satellite: str = "A",
    polarisations: Sequence[str] = ("vv", "vh"),
    hrefs: Mapping[str, str] | None = None,
    **properties: Any,
) -> Json:
    """Make an item of ``sentinel-1-rtc``: one frame of 25 s.

    Args:
        time: Start of the frame, UTC, such as ``2018-09-06T08:35:10``.
        footprint: West, south, east, north in degrees, or any geometry.
        track: Relative orbit.
        direction: ``ascending`` or ``descending``.
        satellite: ``A``, ``B`` or ``C``.
        polarisations: Keys of the assets.
        hrefs: Addresses of the assets; others are as in the real catalogue.
        **properties: More properties, or others in place of the usual; None leaves one out. Colons are written as ``__``,
            for example ``proj__epsg=32654``.
    """
    start = datetime.fromisoformat(time).replace(tzinfo=UTC)
    end = start + timedelta(seconds=FRAME_SECONDS)
    orbit = absolute_orbit(start, track, satellite)
    name = f"S1{satellite}_IW_GRDH_1S{'DV' if len(polarisations) > 1 else 'SV'}_{start:%Y%m%dT%H%M%S}_{end:%Y%m%dT%H%M%S}_{orbit:06d}_{orbit * 8:06X}"
    folder = f"{RTC_STORE}/GRD/{start.year}/{start.month}/{start.day}/IW/DV/{name}_1A2B/measurement"
    geometry = footprint if isinstance(footprint, BaseGeometry) else box(*footprint)
    found = {
        "datetime": _write_time(start + (end - start) / 2),
        "start_datetime": _write_time(start),
        "end_datetime": _write_time(end),
        "platform": f"SENTINEL-1{satellite}",
        "constellation": "Sentinel-1",
        "sat:orbit_state": direction,
        "sat:absolute_orbit": orbit,
        "sat:relative_orbit": track,
        "sar:instrument_mode": "IW",
        "sar:product_type": "GRD",
        "sar:frequency_band": "C",
        "sar:polarizations": [word.upper() for word in polarisations],
        "s1:orbit_source": "RESORB",
        **{key.replace("__", ":"): value for key, value in properties.items()},
    }
    assets = {
        word: {
            "href": (hrefs or {}).get(word, f"{folder}/iw-{word}.rtc.tiff"),
            "type": GEOTIFF,
            "title": f"{word.upper()}: terrain-corrected gamma naught values",
            "roles": ["data"],
            "raster:bands": [
                {"nodata": -32768, "data_type": "float32", "spatial_resolution": 10.0}
            ],
        }
        for word in polarisations
    }
    return _make_item(
        f"{name}_rtc", "sentinel-1-rtc", geometry, found, {**assets, "tilejson": _tilejson(name)}
    )


def make_heights_item(south: int, west: int, href: str | None = None) -> Json:
    """Make an item of ``cop-dem-glo-30``: one square degree whose lower left corner is given."""
    corner = f"{'NS'[south < 0]}{abs(south):02d}_00_{'EW'[west < 0]}{abs(west):03d}_00"
    name = f"Copernicus_DSM_COG_10_{corner}_DEM"
    properties = {
        "datetime": "2021-04-22T00:00:00Z",
        "gsd": 30,
        "platform": "TanDEM-X",
        "proj:epsg": 4326,
        "proj:shape": [3600, 3600],
        "proj:transform": [1 / 3600, 0, west - 0.5 / 3600, 0, -1 / 3600, south + 1 + 0.5 / 3600],
    }
    asset = {"href": href or f"{DEM_STORE}/{name}.tif", "type": GEOTIFF, "roles": ["data"]}
    footprint = box(west, south, west + 1, south + 1)
    return _make_item(name, "cop-dem-glo-30", footprint, properties, {"data": asset})


def make_granule(
    time: str,
    footprint: Sequence[float] | BaseGeometry,
    *,
    burst: str = "T068-145234-IW2",
    direction: str = "ASCENDING",
    satellite: str = "A",
    polarisations: Sequence[str] = ("VV", "VH"),
    made: str = "2024-01-06T03:55:31",
    store: str = ASF_STORE,
) -> Json:
    """Make a granule of ``OPERA_L2_RTC-S1_V1`` as CMR's ``granules.umm_json`` has it: one burst.

    Args:
        time: Start of the burst, UTC.
        footprint: West, south, east, north in degrees, or a polygon.
        burst: Track, number and swath.
        direction: ``ASCENDING`` or ``DESCENDING``.
        satellite: ``A``, ``B`` or ``C``.
        polarisations: Layers beside the mask.
        made: Time of processing.
        store: Address of the folder of all products.
    """
    start, done = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (time, made))
    name = f"OPERA_L2_RTC-S1_{burst}_{start:%Y%m%dT%H%M%SZ}_{done:%Y%m%dT%H%M%SZ}_S1{satellite}_30_v1.0"
    geometry = footprint if isinstance(footprint, BaseGeometry) else box(*footprint)
    layers = [f"{name}_{layer}.tif" for layer in (*polarisations, "mask")]
    umm = {
        "GranuleUR": name,
        "CollectionReference": {"ShortName": "OPERA_L2_RTC-S1_V1", "Version": "1"},
        **_describe_place(start, geometry),
        "DataGranule": {
            "ProductionDateTime": _write_time(done),
            "Identifiers": [{"IdentifierType": "ProducerGranuleId", "Identifier": name}],
            "ArchiveAndDistributionInformation": [
                {"Name": layer, "SizeInBytes": 1_000_000, "Format": "GeoTIFF"} for layer in layers
            ],
        },
        "AdditionalAttributes": [
            {"Name": key, "Values": values}
            for key, values in _describe_burst(burst, direction, polarisations).items()
        ],
        "OrbitCalculatedSpatialDomains": [
            {"OrbitNumber": absolute_orbit(start, int(burst[1:4]), satellite)}
        ],
        "Platforms": [
            {"ShortName": f"Sentinel-1{satellite}", "Instruments": [{"ShortName": "C-SAR"}]}
        ],
        "RelatedUrls": [
            {"URL": f"{store}/{name}/{file}", "Type": "GET DATA"}
            for file in (*layers, f"{name}.h5")
        ],
    }
    meta = {"collection-concept-id": "C2777436413-ASF", "provider-id": "ASF", "native-id": name}
    return {"meta": meta, "umm": umm}


def _describe_burst(burst: str, direction: str, polarisations: Sequence[str]) -> Json:
    return {
        "ASCENDING_DESCENDING": [direction],
        "BEAM_MODE": ["IW"],
        "OPERA_BURST_ID": [burst],
        "PATH_NUMBER": [str(int(burst[1:4]))],
        "POLARIZATION": list(polarisations),
        "PROCESSING_TYPE": ["RTC"],
        "PRODUCT_VERSION": ["1.0"],
        "SUBSWATH_NAME": [burst[-3:]],
    }


def _describe_place(start: datetime, geometry: BaseGeometry) -> Json:
    """Return when and where a burst is, as UMM-G has it."""
    corners = shape(geometry).exterior.coords
    points = [{"Longitude": x, "Latitude": y} for x, y in corners]
    polygons = [{"Boundary": {"Points": points}}]
    times = {
        "BeginningDateTime": _write_time(start),
        "EndingDateTime": _write_time(start + timedelta(seconds=3)),
    }
    return {
        "TemporalExtent": {"RangeDateTime": times},
        "SpatialExtent": {"HorizontalSpatialDomain": {"Geometry": {"GPolygons": polygons}}},
    }


def make_collection(name: str) -> Json:
    """Make a collection of a STAC API, which holds for all places and times."""
    return {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "CC-BY-4.0",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2014-10-10T00:28:21Z", None]]},
        },
        "links": [],
    }


def absolute_orbit(time: datetime, track: int, satellite: str = "A") -> int:
    """Return a number of an orbit at about *time* that lies on a track: 175 orbits in 12 days."""
    about = int((time.replace(tzinfo=UTC) - _EPOCH) / timedelta(days=12) * 175)
    first = _FIRST_ORBITS[satellite]
    return about + (track - 1 + first - about) % 175


def _make_item(
    name: str, collection: str, geometry: BaseGeometry, properties: Json, assets: Json
) -> Json:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{word}/schema.json" for word in _EXTENSIONS
        ],
        "id": name,
        "collection": collection,
        "bbox": list(geometry.bounds),
        "geometry": mapping(geometry),
        "properties": {key: value for key, value in properties.items() if value is not None},
        "assets": assets,
        "links": [],
    }


def _tilejson(name: str) -> Json:
    """Return the asset that Planetary Computer adds to each item: no GeoTIFF."""
    href = f"https://planetarycomputer.microsoft.com/api/data/v1/item/tilejson.json?item={name}"
    return {"href": href, "type": "application/json", "roles": ["tiles"]}


def _write_time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
