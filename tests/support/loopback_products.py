"""Products of a place as producers write them: frames of Sentinel-1 RTC and bursts of OPERA RTC-S1.

Each is a cloud-optimised GeoTIFF below a folder, and a STAC item or a CMR granule that describes it under the address that
it has at its producer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rasterio.transform import Affine, from_origin
from shapely import Polygon, to_wkt
from shapely.geometry.base import BaseGeometry

from data.tiles import PIXEL_M
from tests.support.loopback_images import BURST_STEP, PARTS, average, cut_part, write_cog
from tests.support.loopback_places import Place, Seen
from tests.support.stac_items import (
    ASF_STORE,
    DEM_STORE,
    RTC_STORE,
    make_granule,
    make_rtc_item,
)

Json = dict[str, Any]
FOLDERS = {RTC_STORE: "rtc", DEM_STORE: "dem", ASF_STORE: "opera"}
NO_DATA = -32768.0  # of Planetary Computer's frames
BURST_M = 30  # of OPERA
SHORTER = 0.6  # share of a truncated file that is left


class Oddities(NamedTuple):
    """What is not as usual, for one frame or burst each, by track, number of the pass, and part.

    Attributes:
        without_vh: Frame without cross polarisation.
        twice: Frame that was processed twice; the earlier version is wrong by 3 dB.
        truncated: Frame whose VH file ends early.
    """

    without_vh: tuple[int, int, int] | None = None
    twice: tuple[int, int, int] | None = None
    truncated: tuple[int, int, int] | None = None


USUAL = Oddities()


def write_frames(place: Place, folder: Path, odd: Oddities = USUAL) -> list[Json]:
    """Write the frames of all passes below a folder; return their items of ``sentinel-1-rtc``."""
    items = []
    for seen, number in _number(place):
        for part in range(len(PARTS)):
            key = (seen.track, number, part)
            bands = ("vv",) if key == odd.without_vh else ("vv", "vh")
            items.append(_write_frame(place, folder, seen, part, bands, {}))
            if key == odd.twice:
                _date(items[-1], seen.time + timedelta(days=400))
                items.append(_write_frame(place, folder, seen, part, bands, {"shift_db": 3.0}))
                _date(items[-1], seen.time + timedelta(days=1))
            if key == odd.truncated:
                _truncate(folder / find_file(items[-1]["assets"]["vh"]["href"]))
    return items


def _number(place: Place) -> list[tuple[Seen, int]]:
    """Return each pass with its number on its track."""
    counts: dict[tuple[str, int], int] = {}
    numbered = []
    for seen in place.passes:
        key = (seen.orbit, seen.track)
        numbered.append((seen, counts.get(key, 0)))
        counts[key] = counts.get(key, 0) + 1
    return numbered


def _write_frame(
    place: Place, folder: Path, seen: Seen, part: int, bands: Sequence[str], change: Json
) -> Json:
    """Write the files of one frame; return its item."""
    power = 10 ** ((seen.decibels + change.get("shift_db", 0.0)) / 10)
    rows, columns, cut = cut_part(power, part)
    image, transform, outline = _crop(place, cut, rows, columns)
    item = make_rtc_item(
        f"{start_of(seen, part):%Y-%m-%dT%H:%M:%S}",
        outline,
        track=seen.track,
        direction=seen.direction,
        polarisations=bands,
        proj__epsg=place.epsg,
        proj__shape=list(image.shape[1:]),
        proj__transform=[*transform][:6],
        synthetic=True if place.synthetic else None,
    )
    if change:  # as when a frame is processed again: another last word of its name
        item["id"] = item["id"].replace("_rtc", "_AGAIN_rtc")
        for asset in item["assets"].values():
            asset["href"] = asset["href"].replace("_1A2B/", "_3C4D/")
    for band, values in zip(bands, image, strict=False):
        file = folder / find_file(item["assets"][band]["href"])
        filled = np.where(np.isfinite(values), values, NO_DATA).astype(np.float32)
        write_cog(file, filled, place.epsg, transform, NO_DATA, **mark(place))
    return item


def start_of(seen: Seen, part: int) -> datetime:
    """Return the start of a frame: ascending passes see the south first."""
    order = part if seen.orbit == "s1dsc" else len(PARTS) - 1 - part
    return seen.time + timedelta(seconds=25 * order)


def _crop(
    place: Place, image: np.ndarray, rows: slice, columns: slice, pixel_m: int = PIXEL_M
) -> tuple[np.ndarray, Affine, BaseGeometry]:
    """Return an image with its transform, and the outline of its pixels with data in degrees."""
    west, north = place.west + PIXEL_M * columns.start, place.north - PIXEL_M * rows.start
    transform = from_origin(west, north, pixel_m, pixel_m)
    seen = np.isfinite(image[0])
    first = seen.argmax(axis=0)
    last = seen.shape[0] - seen[::-1].argmax(axis=0)
    right = seen.shape[1]
    corners = [(0, first[0]), (right, first[-1]), (right, last[-1]), (0, last[0])]
    return image, transform, place.unproject(Polygon([transform @ point for point in corners]))


def write_bursts(place: Place, folder: Path, tracks: Sequence[int]) -> list[Json]:
    """Write two OPERA bursts of 30 m for each pass of some tracks; return their granules."""
    granules = []
    for seen, _ in _number(place):
        if seen.track in tracks:
            granules += [_write_burst(place, folder, seen, part) for part in range(len(PARTS))]
    return granules


def _write_burst(place: Place, folder: Path, seen: Seen, part: int) -> Json:
    rows, columns, cut = cut_part(10 ** (seen.decibels / 10), part)
    # OPERA's pixels begin at multiples of 30 m.
    right = int(-place.west / PIXEL_M % BURST_STEP)
    down = int(place.north / PIXEL_M % BURST_STEP) + BURST_STEP * (rows.start // BURST_STEP)
    skip = (down - rows.start) % BURST_STEP
    coarse = average(cut[:, skip:, right:])
    image, transform, outline = _crop(
        place,
        coarse,
        slice(rows.start + skip, None),
        slice(columns.start + right, None),
        BURST_M,
    )
    granule = make_granule(
        f"{start_of(seen, part):%Y-%m-%dT%H:%M:%S}",
        outline,
        burst=f"T{seen.track:03d}-{100000 + 10 * seen.track + part}-IW2",
        direction=seen.direction.upper(),
    )
    urls = [url["URL"] for url in granule["umm"]["RelatedUrls"]]
    words = {
        "ORBIT_PASS_DIRECTION": seen.direction,
        "TRACK_NUMBER": str(seen.track),
        "BOUNDING_POLYGON": to_wkt(outline, rounding_precision=7),
        **mark(place),
    }
    for band, values in zip(("VV", "VH"), image.astype(np.float32), strict=True):
        url = next(url for url in urls if url.endswith(f"_{band}.tif"))
        write_cog(folder / find_file(url), values, place.epsg, transform, np.nan, **words)
    url = next(url for url in urls if url.endswith("_mask.tif"))
    mask = np.where(np.isfinite(image[0]), 0, 255).astype(np.uint8)
    write_cog(folder / find_file(url), mask, place.epsg, transform, 255, **words)
    return granule


def find_file(href: str, folders: dict[str, str] | None = None) -> str:
    """Return where below the folder the file of an address lies."""
    for store, name in (folders or FOLDERS).items():
        if href.startswith(f"{store}/"):
            return f"{name}/{href.removeprefix(f'{store}/')}"
    raise ValueError(f"{href} is in none of {', '.join(FOLDERS)}")


def mark(place: Place) -> dict[str, str]:
    """Return the tags by which a file says that it is simulated."""
    return {"synthetic": "landslide benchmark twin, region noto"} if place.synthetic else {}


def _date(item: Json, made: datetime) -> None:
    item["properties"]["created"] = f"{made:%Y-%m-%dT%H:%M:%SZ}"


def _truncate(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(SHORTER * len(content))])
