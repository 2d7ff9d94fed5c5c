"""Decode one NetCDF tile file; any error of its content becomes a TileError.

The file is read whole before the library sees it: no lock of another program stands in the way, and an error of the disk
or the memory (:class:`data.io.read_file.TransientError`) is told from damaged content.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.io.memory import limited_memory
from data.io.read_file import TransientError, read_file, transient_error
from data.io.safe_json import RefusedError
from data.tiles.paths import tile_id_of
from data.tiles.rules import DIMS, TileError, check_crs, check_layout, list_variables, tile_error
from data.tiles.warnings import find_storage_warnings
from data.values.decode import decode, read_attributes

if TYPE_CHECKING:  # this and xarray take a second to import, and names of tiles need neither
    import netCDF4

SYNTHETIC = "synthetic"  # the attribute that every file of the twin has, and no real file
ATTRIBUTES = ("annotated", "crs", "event_date", SYNTHETIC)
MAX_TILE_BYTES = 2**26  # a tile has up to 6 MB before compression


def read_attribute(file: netCDF4.Dataset, name: str) -> str:
    """Return a global attribute as text; empty if the file lacks it."""
    return str(getattr(file, name, "")).strip()


def read_tile_file(path: Path) -> bytes:
    """Read a tile's file.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If it is not a file, too large, or may not be read.
        TransientError: If an error of the moment stays.
    """
    try:
        return read_file(path, MAX_TILE_BYTES)
    except TransientError:
        raise
    except FileNotFoundError as error:
        got = "a link to nothing" if path.is_symlink() else "none"
        raise FileNotFoundError(
            f"A tile file must exist, but got {got} at {path}. Check the tile folder."
        ) from error
    except (OSError, RefusedError) as error:
        raise _unreadable(error, path) from error


def _unreadable(error: Exception, path: Path) -> TileError:
    got = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    return tile_error("unreadable", "A tile must be readable NetCDF", got, path)


@contextmanager
def open_netcdf(
    path: Path, modality: str, content: bytes | None = None
) -> Iterator[netCDF4.Dataset]:
    """Open a file and check its layout.

    Args:
        path: The file.
        modality: The modality in its name.
        content: Its bytes, if they have been read.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is unreadable or its layout is not the published one.
        TransientError: If an error of the moment stays.
    """
    import netCDF4

    content = read_tile_file(path) if content is None else content
    try:
        with limited_memory(), netCDF4.Dataset(path.name, memory=content) as file:
            file.set_auto_maskandscale(False)
            check_layout(file.variables, modality, path)
            check_crs(tile_id_of(path), read_attribute(file, "crs"), path)
            yield file
    except (TileError, TransientError):
        raise
    except Exception as error:  # a damaged file raises almost any type
        if isinstance(error, MemoryError) or not _has_memory():
            raise transient_error(str(path), MemoryError()) from error
        raise _unreadable(error, path) from error


def _has_memory() -> bool:
    """Return whether there is memory for a tile: without it the library reports errors of the content."""
    try:
        return len(bytearray(MAX_TILE_BYTES)) > 0
    except MemoryError:
        return False


def read_values(variable: Any, step: int | None = None) -> np.ndarray:
    """Read and decode a variable over the dims that it has of (time, x, y), in this order.

    Args:
        variable: A netCDF4 variable; its dims are found by their names.
        step: Acquisition to read, without the dim of time; all if None.

    Returns:
        The values as stored, if the file declares neither packing nor no data for them; else float32, NaN = no data.
    """
    dims = [dim for dim in DIMS if dim in variable.dimensions]
    index = [
        step if dim == "time" and step is not None else slice(None) for dim in variable.dimensions
    ]
    values = np.asarray(variable[tuple(index)])
    if step is not None:
        dims.remove("time")
    stored = [dim for dim in variable.dimensions if dim in dims]
    turned = values.transpose([stored.index(dim) for dim in dims])
    return decode(turned, read_attributes(variable))


def read_netcdf(path: Path, modality: str, content: bytes | None = None) -> dict[str, Any]:
    """Read everything a tile needs, over (time, x, y) whatever the file's order, in the file's units.

    Args:
        path: The file.
        modality: The modality in its name.
        content: Its bytes, if they have been read.

    Returns:
        Arrays by variable name, decoded, with ``time`` as datetime64[ns]; the GeoTransform as ``transform``; the
        ``attributes`` as text; and ``storage_warnings``.
    """
    # netCDF4 alone opens a tile in a third of the time that xarray needs.
    with open_netcdf(path, modality, content) as file:
        raw = {name: read_values(file[name]) for name in (*list_variables(modality), "x", "y")}
        return raw | {
            "time": _decode_times(file["time"], path),
            "transform": find_transform(file),
            "attributes": {name: read_attribute(file, name) for name in ATTRIBUTES},
            "storage_warnings": tuple(find_storage_warnings(file.variables, modality)),
        }


def find_transform(file: netCDF4.Dataset) -> str | None:
    """Return the GeoTransform of a file's grid mapping; None without one."""
    texts = (getattr(one, "GeoTransform", None) for one in file.variables.values())
    return next((str(text) for text in texts if text is not None), None)


def _decode_times(variable: Any, path: Path) -> np.ndarray:
    import xarray as xr

    attributes = read_attributes(variable)
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
