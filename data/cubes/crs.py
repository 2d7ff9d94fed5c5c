"""What a datacube declares: its coordinate system, wherever it stands, and the no-data values of its variables."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

WKT_NAMES = ("crs_wkt", "spatial_ref")
CRS_NAMES = ("crs", "proj:code", "proj:wkt2", "epsg", "proj:epsg", "epsg_code", *WKT_NAMES)
NODATA_NAMES = ("nodata", "nodatavals", "_FillValue", "missing_value")
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


def mask_nodata(values: np.ndarray, variable: xr.DataArray) -> np.ndarray:
    """Replace a variable's own no-data values with NaN.

    Args:
        values: As xarray decoded them, so that ``_FillValue`` and packing are dealt with; float32.
        variable: Its attributes, of which Open Data Cube writes ``nodata``.
    """
    scale = float(variable.encoding.get("scale_factor", 1))
    offset = float(variable.encoding.get("add_offset", 0))
    given = [variable.attrs[name] for name in NODATA_NAMES if name in variable.attrs]
    for number in (_to_number(item) for items in given for item in np.atleast_1d(items)):
        if np.isnan(number):
            continue
        wanted = np.float32(number * scale + offset)
        packed = (scale, offset) != (1, 0)
        empty = np.isclose(values, wanted, 1e-6) if packed else values == wanted
        values = np.where(empty, np.float32(np.nan), values)
    return values


def _to_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
