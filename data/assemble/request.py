"""What a scene was asked for, as JSON: to tell one request from another, and to continue with the acquisitions found first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from data.assemble.blocks import BANDS, HEIGHTS
from data.assemble.layout import format_time
from data.assemble.network import strip_tokens

if TYPE_CHECKING:
    import pystac

    from data.search.acquisitions import Acquisition, Found

Request = dict[str, Any]


def describe_found(found: Found) -> Request:
    """Return the request that found acquisitions stand for, where nobody says more."""
    assets = [
        strip_tokens(item.assets[band].href)
        for series in found.acquisitions.values()
        for one in series
        for item in one.items
        for band in BANDS
    ]
    return {
        "area": shapely.to_wkt(found.area, rounding_precision=7),
        "event": format_time(found.event),
        "source": found.source,
        "address": strip_tokens(found.address),
        "assets": hashlib.sha256("\n".join(assets).encode()).hexdigest()[:16],
    }


def list_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return in words how a request differs from an earlier one, such as ``event: 2018-09-05, before 2018-09-06``."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [f"{name}: {_show(one.get(name))}, before {_show(other.get(name))}" for name in names]


def _show(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def to_json(found: Found) -> str:
    """Return found acquisitions as JSON: what is needed to load them, without the catalogue's other words."""
    content = {
        "area": shapely.to_wkt(found.area, rounding_precision=12),
        "event": format_time(found.event),
        "source": found.source,
        "address": found.address,
        "acquisitions": {
            orbit: [_write_acquisition(one) for one in series]
            for orbit, series in found.acquisitions.items()
        },
        "heights": [_write_item(item, (HEIGHTS,)) for item in found.heights],
        "notes": list(found.notes),
        "synthetic": found.synthetic,
    }
    return json.dumps(content, indent=1)


def _write_acquisition(one: Acquisition) -> dict[str, Any]:
    return {
        "track": one.track,
        "time": str(one.time),
        "platform": one.platform,
        "coverage": one.coverage,
        "items": [_write_item(item, BANDS) for item in one.items],
    }


def _write_item(item: pystac.Item, bands: Iterable[str]) -> dict[str, Any]:
    hrefs = {band: item.assets[band].href for band in bands}
    return {"id": item.id, "geometry": item.geometry, "hrefs": hrefs}


def from_json(content: Mapping[str, Any]) -> Found:
    """Return the acquisitions that `to_json` wrote.

    Raises:
        LookupError: If something is missing; likewise TypeError and ValueError.
    """
    from data.search.acquisitions import Found

    return Found(
        area=shapely.from_wkt(content["area"]),
        event=np.datetime64(content["event"]),
        source=content["source"],
        address=content["address"],
        acquisitions={
            orbit: tuple(_read_acquisition(orbit, one) for one in series)
            for orbit, series in content["acquisitions"].items()
        },
        heights=tuple(_read_item(item) for item in content["heights"]),
        notes=tuple(content["notes"]),
        synthetic=content["synthetic"],
    )


def _read_acquisition(orbit: str, one: Mapping[str, Any]) -> Acquisition:
    from data.search.acquisitions import Acquisition

    return Acquisition(
        orbit=orbit,
        track=one["track"],
        time=np.datetime64(one["time"]),
        platform=one["platform"],
        items=tuple(_read_item(item) for item in one["items"]),
        coverage=one["coverage"],
    )


def _read_item(one: Mapping[str, Any]) -> pystac.Item:
    import pystac

    item = pystac.Item(one["id"], one["geometry"], None, datetime(2000, 1, 1, tzinfo=UTC), {})
    for band, href in one["hrefs"].items():
        item.add_asset(band, pystac.Asset(href))
    return item
