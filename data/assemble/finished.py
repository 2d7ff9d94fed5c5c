"""A scene that is there already: used as it is for the same request, and never replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.assemble.blocks import HEIGHTS
from data.assemble.layout import DIRECTIONS, METADATA, read_attributes
from data.assemble.report import SceneReport
from data.assemble.request import list_differences
from data.io.safe_json import read_json, refused_error
from data.tiles.netcdf import SYNTHETIC
from data.tiles.rules import PIXEL_M

_OTHER = "Choose another --to, or delete it yourself."


def read_finished(to: Path, request: Mapping[str, Any]) -> SceneReport | None:
    """Return the report of a complete scene; None if there is nothing of this name.

    Raises:
        ValueError: If there is something else, or a scene of another request.
    """
    if not to.exists() and not to.is_symlink():
        return None
    attributes = read_attributes(to) if to.is_dir() else None
    asked = None if attributes is None else attributes.get("request")
    if attributes is None or not isinstance(asked, dict):
        rule = "A scene needs a new name, since nothing that exists is replaced"
        raise refused_error(rule, "something that is no scene of this command", to, _OTHER)
    if changed := list_differences(request, asked):
        rule = "A scene that exists is used for the request that it was made for"
        raise refused_error(rule, "; ".join(changed), to, _OTHER)
    return _report(to, attributes)


def _report(to: Path, attributes: Mapping[str, Any]) -> SceneReport:
    try:
        return _read_report(to, attributes)
    except (LookupError, TypeError, ValueError, OSError) as error:
        raise refused_error("A scene must be as it was written", error, to, _OTHER) from error


def _read_report(to: Path, attributes: Mapping[str, Any]) -> SceneReport:
    groups = {name: read_attributes(to / name) for name in DIRECTIONS}
    series = {name: one["acquisitions"] for name, one in groups.items() if one is not None}
    first = to / next(iter(series))
    height, width = read_json(first / "VV" / METADATA)["shape"][-2:]
    return SceneReport(
        path=to,
        source=attributes["source"],
        address=attributes["address"],
        event=np.datetime64(attributes["event_date"]),
        crs=attributes["crs"],
        area_km2=height * width * PIXEL_M**2 / 1e6,
        shape=(height, width),
        dates={name: tuple(np.datetime64(x["time"]) for x in one) for name, one in series.items()},
        tracks={name: tuple(sorted({x["track"] for x in one})) for name, one in series.items()},
        has_heights=(first / HEIGHTS).is_dir(),
        synthetic=bool(attributes.get(SYNTHETIC)),
        notes=(
            *attributes["notes"],
            f"{to} was there already, made at {attributes['created']}; to search again, delete it or choose another --to.",
        ),
    )
