"""Decoding one NetCDF tile file: whatever is wrong with it becomes a TileError, never a crash."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from data.tiles.rules import TileError, check_layout, list_variables, tile_error
from data.tiles.warnings import find_storage


@contextmanager
def reading(path: Path, modality: str) -> Iterator[netCDF4.Dataset]:
    """Open a file whose layout is right; whatever the library raises meanwhile is a TileError."""
    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            check_layout(file.variables, str(getattr(file, "crs", "")), modality, path)
            yield file
    except TileError:
        raise
    except FileNotFoundError as error:
        rule = f"A tile file must exist, but got {path}. Check the tile folder."
        raise FileNotFoundError(rule) from error
    except Exception as error:  # damage shows as almost any type
        got = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
        raise tile_error("unreadable", "A tile must be readable NetCDF", got, path) from error


def read(path: Path, modality: str) -> dict[str, Any]:
    """Read all that a tile needs, in the file's order and units.

    Returns:
        Arrays by variable name, ``time`` decoded; ``annotated``, the attribute; ``storage``, findings.
    """
    # netCDF4 alone takes a third of the time that xarray needs to open a tile.
    with reading(path, modality) as file:
        raw = {name: file[name][:] for name in (*list_variables(modality), "x", "y")}
        return raw | {
            "time": _decode_times(file["time"], path),
            "annotated": str(getattr(file, "annotated", "")),
            "storage": tuple(find_storage(file.variables, modality)),
        }


def _decode_times(variable: Any, path: Path) -> np.ndarray:
    attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
    coded = xr.Dataset({"dates": ("step", variable[:], attributes)})
    try:
        with warnings.catch_warnings(action="ignore"):  # of dates that are refused below
            dates = xr.decode_cf(coded)["dates"].to_numpy()
    except (ValueError, OverflowError) as error:
        raise tile_error("time-not-dates", "time must be dates", str(error), path) from error
    if dates.dtype.kind != "M":
        got = f"units {attributes.get('units')!r}"
        raise tile_error("time-not-dates", "time must be dates", got, path)
    return np.asarray(dates, "datetime64[ns]")
