"""Decode one NetCDF tile file; any error while reading becomes a TileError."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from data.tiles.paths import tile_id_of
from data.tiles.rules import DIMS, TileError, check_crs, check_layout, list_variables, tile_error
from data.tiles.warnings import find_storage_warnings

SYNTHETIC = "synthetic"  # the attribute that every file of the twin has, and no real file
ATTRIBUTES = ("annotated", "crs", "event_date", SYNTHETIC)


def read_attribute(file: netCDF4.Dataset, name: str) -> str:
    """Return a global attribute as text; empty if the file lacks it."""
    return str(getattr(file, name, "")).strip()


@contextmanager
def open_netcdf(path: Path, modality: str) -> Iterator[netCDF4.Dataset]:
    """Open a file and check its layout.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is unreadable or its layout is not the published one.
    """
    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            check_layout(file.variables, modality, path)
            check_crs(tile_id_of(path), read_attribute(file, "crs"), path)
            yield file
    except TileError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"A tile file must exist, but got none at {path}. Check the tile folder."
        ) from error
    except Exception as error:  # a damaged file raises almost any type
        got = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
        raise tile_error("unreadable", "A tile must be readable NetCDF", got, path) from error


def read_values(variable: Any, step: int | None = None) -> np.ndarray:
    """Read a variable over the dims that it has of (time, x, y), in this order.

    Args:
        variable: A netCDF4 variable; its dims are told by their names.
        step: Acquisition to read, without the dim of time; all if None.
    """
    dims = [dim for dim in DIMS if dim in variable.dimensions]
    index = [
        step if dim == "time" and step is not None else slice(None) for dim in variable.dimensions
    ]
    values = np.asarray(variable[tuple(index)])
    if step is not None:
        dims.remove("time")
    stored = [dim for dim in variable.dimensions if dim in dims]
    return values.transpose([stored.index(dim) for dim in dims])


def read_netcdf(path: Path, modality: str) -> dict[str, Any]:
    """Read everything a tile needs, over (time, x, y) whatever the file's order, in the file's units.

    Returns:
        Arrays by variable name, with ``time`` as datetime64[ns]; the ``attributes`` as text; and
        ``storage_warnings``.
    """
    # netCDF4 alone opens a tile in a third of the time that xarray needs.
    with open_netcdf(path, modality) as file:
        raw = {name: read_values(file[name]) for name in (*list_variables(modality), "x", "y")}
        return raw | {
            "time": _decode_times(file["time"], path),
            "attributes": {name: read_attribute(file, name) for name in ATTRIBUTES},
            "storage_warnings": tuple(find_storage_warnings(file.variables, modality)),
        }


def _decode_times(variable: Any, path: Path) -> np.ndarray:
    attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
    encoded = xr.Dataset({"dates": ("step", variable[:], attributes)})
    try:
        with warnings.catch_warnings(action="ignore"):  # dates that warn are refused below
            dates = xr.decode_cf(encoded)["dates"].to_numpy()
    except (ValueError, OverflowError) as error:
        raise tile_error("time-not-dates", "time must be dates", str(error), path) from error
    if dates.dtype.kind != "M":
        got = f"units {attributes.get('units')!r}"
        raise tile_error("time-not-dates", "time must be dates", got, path)
    return np.asarray(dates, "datetime64[ns]")
