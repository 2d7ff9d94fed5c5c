"""Packed numbers as the CF conventions define them: ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value``, valid ranges.

xarray decodes them, for tiles as for datacubes; the attributes that xarray does not know are dealt with here.

This module becomes part of every logged model.

Reference:
    CF conventions 1.11, sections 2.5.1 and 8.1, https://cfconventions.org.
"""

import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

PACKING = ("scale_factor", "add_offset", "_Unsigned")
FILL_NAMES = ("nodata", "nodatavals", "_FillValue", "missing_value")
RANGE_NAMES = ("valid_min", "valid_max", "valid_range")


def is_packed(attributes: Mapping[str, Any]) -> bool:
    """Return whether a variable is packed: integers may then stand for backscatter."""
    return any(name in attributes for name in PACKING)


def read_attributes(variable: Any) -> dict[str, Any]:
    """Return the attributes of a netCDF4 variable."""
    return {name: variable.getncattr(name) for name in variable.ncattrs()}


def decode(values: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    """Decode stored values.

    Args:
        values: As stored, in any shape.
        attributes: The variable's.

    Returns:
        The given array if nothing is packed and no number declared as no data; else float32 with NaN for no data.

    Raises:
        ValueError: If an attribute is no number, or values are packed and xarray is not installed.
    """
    known = (*PACKING, *FILL_NAMES, *RANGE_NAMES)
    given = {name: attributes[name] for name in known if name in attributes}
    if not is_packed(given) and all(_is_nan(number) for number in given.values()):
        return values
    if not is_packed(given):
        with np.errstate(over="ignore"):
            return mask_declared(values.astype(np.float32, copy=False), given)
    xr = _import_xarray()
    cf = {name: given.pop(name) for name in (*PACKING, *FILL_NAMES[2:]) if name in given}
    for name in ("scale_factor", "add_offset"):
        if name in cf and not np.isfinite(_to_number(cf[name])):
            raise ValueError(f"{name} must be a number, but got {str(cf[name])[:40]!r}.")
    packed = xr.Variable([f"d{n}" for n in range(values.ndim)], values, cf)
    with warnings.catch_warnings(action="ignore"):  # of several fill values, each is no data
        decoded = xr.conventions.decode_cf_variable("packed", packed, decode_times=False)
    scale = float(cf.get("scale_factor", 1)), float(cf.get("add_offset", 0))
    with np.errstate(over="ignore"):
        numbers = decoded.values.astype(np.float32)
    return mask_declared(numbers, given, scale)


def _import_xarray() -> ModuleType:
    """Import xarray, which a served model's environment need not have."""
    try:
        import xarray
    except ImportError as error:
        raise ValueError(
            "Packed values (scale_factor, add_offset) need xarray, but it is not installed. Install it: "
            "pip install xarray"
        ) from error
    return xarray


def decode_rest(
    values: np.ndarray, attributes: Mapping[str, Any], encoding: Mapping[str, Any]
) -> np.ndarray:
    """Return values that xarray decoded when it opened a file as float32, with NaN for what it leaves.

    Args:
        values: As xarray gives them.
        attributes: The variable's that are left.
        encoding: What xarray decoded.
    """
    packing = float(encoding.get("scale_factor", 1)), float(encoding.get("add_offset", 0))
    with np.errstate(over="ignore"):
        return mask_declared(values.astype(np.float32, copy=False), attributes, packing)


def mask_declared(
    values: np.ndarray, attributes: Mapping[str, Any], packing: tuple[float, float] = (1.0, 0.0)
) -> np.ndarray:
    """Replace no data with NaN that attributes declare which xarray leaves: ``nodata`` (Open Data Cube), valid ranges.

    Args:
        values: Decoded values, float32.
        attributes: The variable's, in which numbers are as stored.
        packing: ``scale_factor`` and ``add_offset``.
    """
    given = [attributes[name] for name in FILL_NAMES if name in attributes]
    for number in (_to_number(item) for items in given for item in np.atleast_1d(items)):
        if not np.isnan(number):
            values = np.where(_equals(values, number, packing), np.float32(np.nan), values)
    low, high = _find_range(attributes)
    (low, high), slack = sorted((_unpack(low, packing), _unpack(high, packing))), 1e-6
    if np.isfinite([low, high]).any():
        with np.errstate(invalid="ignore"):
            outside = (values < low - slack * abs(low)) | (values > high + slack * abs(high))
        values = np.where(outside, np.float32(np.nan), values)
    return values


def _equals(values: np.ndarray, number: float, packing: tuple[float, float]) -> np.ndarray:
    with np.errstate(over="ignore"):
        wanted = np.float32(_unpack(number, packing))
    exact = packing == (1, 0)
    return np.asarray(values == wanted if exact else np.isclose(values, wanted, 1e-6))


def _unpack(number: float, packing: tuple[float, float]) -> float:
    return number * packing[0] + packing[1]


def _find_range(attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Return the valid range as stored; infinite bounds where none is declared."""
    both = np.atleast_1d(attributes.get("valid_range", ()))
    low, high = both if both.size == 2 else (-np.inf, np.inf)
    low = _to_number(attributes.get("valid_min", low))
    high = _to_number(attributes.get("valid_max", high))
    return (-np.inf if np.isnan(low) else low), (np.inf if np.isnan(high) else high)


def _is_nan(value: Any) -> bool:
    return all(np.isnan(_to_number(item)) for item in np.atleast_1d(value))


def _to_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
