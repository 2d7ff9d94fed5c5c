"""The coordinate system that a datacube declares, wherever it stands."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

WKT_NAMES = ("crs_wkt", "spatial_ref")
CRS_NAMES = ("crs", "proj:code", "proj:wkt2", "epsg", "proj:epsg", "epsg_code", *WKT_NAMES)
MIN_EPSG = 1024  # of EPSG's codes; smaller numbers are placeholders


def find_crs(dataset: xr.Dataset) -> str | None:
    """Find the coordinate system of a cube: a code such as ``EPSG:32654``, or WKT; None if it names none.

    Looked for in the cube's attributes, in grid mappings (``spatial_ref``, ``crs``), in variables without dimensions
    (``epsg``, ``proj:epsg``), and in the attributes of the bands, in this order.
    """
    texts = (_to_text(value) for value in _list_values(dataset))
    return next((text for text in texts if text), None)


def _list_values(dataset: xr.Dataset) -> Iterator[Any]:
    variables = dataset.variables
    yield from (dataset.attrs.get(name) for name in CRS_NAMES)
    for variable in variables.values():
        yield from (variable.attrs.get(name) for name in WKT_NAMES)
    yield from (variables[n].values for n in CRS_NAMES if n in variables and not variables[n].dims)
    for variable in variables.values():
        yield from (variable.attrs.get(name) for name in CRS_NAMES)


def _to_text(value: Any) -> str:
    """Return a code or WKT as a text; empty if it is neither."""
    if value is None or np.size(value) != 1:
        return ""
    item = np.asarray(value).item()
    text = item.decode(errors="replace") if isinstance(item, bytes) else str(item).strip()
    with contextlib.suppress(ValueError):
        number = float(text)
        return f"EPSG:{number:.0f}" if number >= MIN_EPSG else ""
    return text if isinstance(item, (str, bytes)) else ""
