"""One NetCDF tile of Sen12Landslides: names, layout, units and checks.

No other module knows the file format. A tile is one 128 x 128 px patch of one orbit direction with 15
acquisitions; its files lie as ``<root>/<orbit>/hokkaido_<orbit>_<number>.nc``.

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2;
    repository PaulH97/Sen12Landslides, commit 5b313f2; data under CC BY 4.0.
"""

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
import xarray as xr

logger = logging.getLogger(__name__)

ORBITS = ("s1asc", "s1dsc")  # ascending, descending
POLARISATIONS = ("VV", "VH")
TILE_PX = 128
PIXEL_M = 10.0
ACQUISITIONS = 15
# Eastern Iburi earthquake, Mw 6.6, in UTC (Japan Meteorological Agency: 03:07 on 6 September, UTC+9).
EVENT = np.datetime64("2018-09-05T18:08")

DIMS = ("time", "x", "y")  # the files' order; a Tile has (time, y, x)
SIZES = (ACQUISITIONS, TILE_PX, TILE_PX)
NODATA = -9999
DB_RANGE = (-50.0, 10.0)  # dB; bounds of the harmonized release
DEM_RANGE = (0, 8800)  # m; bounds of both releases
MAX_CLIPPED = 0.01  # share of linear power that may lie above DB_RANGE: strong scatterers do
_KINDS = {"VV": "f", "VH": "f", "MASK": "iu", "DEM": "iu"}
_NAME = re.compile(r"hokkaido_(s1asc|s1dsc)_(\d+)\.nc")
_RENEW = "Get the file again, or remove the tile from both orbit folders."

Units = Literal["dB", "linear"]


class TileError(ValueError):
    """A tile file that breaks the format; the message names the file and the remedy."""


@dataclass(frozen=True)
class Tile:
    """One orbit direction of one tile, as a map: rows run south, columns run east.

    Attributes:
        tile_id: Such as ``hokkaido_579``; both orbit directions share it.
        orbit: ``s1asc`` or ``s1dsc``.
        backscatter: Gamma nought in dB, shape ``(T, 2, H, W)`` in the order VV, VH; NaN = no data.
        dem: Height in m, shape ``(H, W)``; -9999 = no data.
        mask: 1 = landslide, 0 = background, shape ``(H, W)``.
        times: Acquisition times in UTC, shape ``(T,)``, ascending.
        x: Easting of each column's left edge in m, shape ``(W,)``, ascending.
        y: Northing of each row's upper edge in m, shape ``(H,)``, descending.
        crs: Such as ``EPSG:32654``.
    """

    tile_id: str
    orbit: str
    backscatter: np.ndarray
    dem: np.ndarray
    mask: np.ndarray
    times: np.ndarray
    x: np.ndarray
    y: np.ndarray
    crs: str


def tile_path(root: Path, tile_id: str, orbit: str) -> Path:
    """Name the file of one orbit direction of a tile."""
    if orbit not in ORBITS:
        raise ValueError(f"An orbit must be one of {', '.join(ORBITS)}, but got {orbit!r}.")
    if not re.fullmatch(r"hokkaido_\d+", tile_id):
        raise ValueError(f"A tile id must look like hokkaido_579, but got {tile_id!r}.")
    return Path(root) / orbit / f"hokkaido_{orbit}_{tile_id.removeprefix('hokkaido_')}.nc"


def tile_id_of(path: Path) -> str:
    """Read the tile id off a file's name."""
    return f"hokkaido_{_parse_name(path)[1]}"


def list_tiles(root: Path) -> list[str]:
    """List the tiles that have both orbit directions.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``.

    Returns:
        Tile ids, sorted as strings. Files left out are named in a warning.

    Raises:
        FileNotFoundError: If a folder is missing or no tile has both orbit directions.
    """
    ascending, descending = (_list_orbit(root, orbit) for orbit in ORBITS)
    if not ascending & descending:
        raise FileNotFoundError(_explain_layout(root, "no tile that has both files"))
    if unpaired := sorted(ascending ^ descending):
        logger.warning("Left out, one orbit only: %s", ", ".join(unpaired))
    return sorted(ascending & descending)


def list_unpaired(root: Path) -> list[str]:
    """List the tiles that have one orbit direction only, sorted as strings."""
    ascending, descending = (_list_orbit(root, orbit) for orbit in ORBITS)
    return sorted(ascending ^ descending)


def open_tile(path: Path, units: Units = "dB") -> Tile:
    """Read and check one file.

    Args:
        path: File named ``hokkaido_<orbit>_<number>.nc``.
        units: What the file holds: ``dB`` (harmonized release) or ``linear`` power (raw release).

    Returns:
        The tile in dB. Linear power of zero or less becomes NaN; what lies beyond [-50, 10] dB is
        set to that bound, as in the harmonized release.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is damaged, or its layout, values or units are not as published.
    """
    if units not in ("dB", "linear"):
        raise ValueError(f"Units must be 'dB' or 'linear', but got {units!r}.")
    orbit, number = _parse_name(path)
    raw = _read(Path(path))
    _check_grid(raw, path)
    _check_maps(raw, path)
    bands = [_convert(raw[name], name, units, path) for name in POLARISATIONS]
    return Tile(
        tile_id=f"hokkaido_{number}",
        orbit=orbit,
        backscatter=np.ascontiguousarray(np.stack(bands, axis=1).swapaxes(-1, -2)),
        dem=np.ascontiguousarray(raw["DEM"][0].T, np.int16),
        mask=np.ascontiguousarray(raw["MASK"][0].T, np.uint8),
        times=raw["time"],
        x=raw["x"],
        y=raw["y"],
        crs=raw["crs"],
    )


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _error(rule: str, got: str, path: Path, remedy: str = _RENEW) -> TileError:
    return TileError(f"{rule}, but got {got} in {path}. {remedy}")


def _parse_name(path: Path) -> tuple[str, str]:
    match = _NAME.fullmatch(Path(path).name)
    if match is None:
        raise TileError(
            f"A tile file must be named hokkaido_<orbit>_<number>.nc, but got {path}. "
            "Give it the name it was published under."
        )
    return match[1], match[2]


def _explain_layout(root: Path, found: str) -> str:
    files = " and ".join(f"{orbit}/hokkaido_{orbit}_<number>.nc" for orbit in ORBITS)
    return (
        f"A tile folder must hold {files}, but got {found} in {root}. Give the folder above s1asc/ "
        "and s1dsc/; `python -m tuning.run --data twin` works without any data."
    )


def _list_orbit(root: Path, orbit: str) -> set[str]:
    folder = Path(root) / orbit
    if not folder.is_dir():
        raise FileNotFoundError(_explain_layout(root, f"no folder {orbit}/"))
    matches = {path.name: _NAME.fullmatch(path.name) for path in folder.glob("*.nc")}
    if strange := sorted(name for name, match in matches.items() if not match or match[1] != orbit):
        logger.warning("Left out of %s, not a tile's name: %s", folder, ", ".join(strange))
    return {f"hokkaido_{match[2]}" for match in matches.values() if match and match[1] == orbit}


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"A tile file must exist, but got {path}. Check the tile folder.")
    try:
        # netCDF4 alone takes a third of the time that xarray needs to open a tile.
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            _check_layout(file, path)
            raw = {name: file[name][:] for name in (*_KINDS, "x", "y")}
            return raw | {"time": _decode_times(file["time"], path), "crs": str(file.crs)}
    except (OSError, RuntimeError) as error:
        raise _error("A tile must be readable NetCDF", str(error), path) from error


def _check_layout(file: netCDF4.Dataset, path: Path) -> None:
    if missing := [name for name in (*_KINDS, *DIMS) if name not in file.variables]:
        raise _error(f"A tile must have {', '.join(missing)}", "none", path)
    if not getattr(file, "crs", ""):
        raise _error("A tile must have the attribute crs", "none", path)
    for name, kinds in _KINDS.items():
        dims, shape = file[name].dimensions, file[name].shape
        if (dims, shape) != (DIMS, SIZES):
            raise _error(f"{name} must have {DIMS} of {SIZES}", f"{dims} of {shape}", path)
        if np.dtype(file[name].dtype).kind not in kinds:
            rule = f"{name} must be {'floating point' if kinds == 'f' else 'integer'}"
            raise _error(rule, str(file[name].dtype), path)


def _decode_times(variable: Any, path: Path) -> np.ndarray:
    attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
    coded = xr.Dataset({"time": ("time", variable[:], attributes)})
    try:
        dates = xr.decode_cf(coded)["time"].to_numpy()
    except ValueError as error:
        raise _error("time must be dates", str(error), path) from error
    if dates.dtype.kind != "M":
        raise _error("time must be dates", f"units {attributes.get('units')!r}", path)
    return np.asarray(dates, "datetime64[ns]")


def _check_grid(raw: dict[str, Any], path: Path) -> None:
    if (np.diff(raw["time"]) <= np.timedelta64(0)).any():
        raise _error("time must ascend without repeats", str(raw["time"].astype("M8[s]")), path)
    for name, step in (("x", PIXEL_M), ("y", -PIXEL_M)):
        if not np.allclose(np.diff(raw[name]), step):
            got = f"{raw[name][0]}, {raw[name][1]} .. {raw[name][-1]}"
            raise _error(f"{name} must go by {step:+g} m", got, path)


def _check_maps(raw: dict[str, Any], path: Path) -> None:
    mask, heights = raw["MASK"], raw["DEM"][0][raw["DEM"][0] != NODATA]
    if mask.max() > 1 or mask.min() < 0:
        raise _error("MASK must be 0 or 1", str(np.unique(mask)[:5]), path)
    if (mask != mask[0]).any():
        raise _error("MASK must be the same in every step", "a change", path)
    if heights.size and (heights.min() < DEM_RANGE[0] or heights.max() > DEM_RANGE[1]):
        got = f"{heights.min()} to {heights.max()}"
        raise _error(f"DEM must be in {DEM_RANGE} m", got, path)


def _convert(values: np.ndarray, name: str, units: Units, path: Path) -> np.ndarray:
    """Return *values* as checked dB, NaN where there is no data."""
    values = np.where(values == NODATA, np.nan, values).astype(np.float32)
    if np.isinf(values).any():
        raise _error(f"{name} must be finite or NaN", "inf", path)
    known = values[~np.isnan(values)]
    if units == "linear" and (known < 0).any():
        remedy = "That looks like dB (harmonized release): use --units dB."
        raise _error(f"{name} must be linear power", f"{known.min():.4g}", path, remedy)
    if units == "dB" and known.size and known.min() >= 0 and np.median(known) < 1:
        remedy = "That looks like linear power (raw release): use --units linear."
        raise _error(f"{name} must be dB", f"a median of {np.median(known):.4g}", path, remedy)
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
    if np.isnan(values).all():
        raise _error(f"{name} must have data", "no usable pixel", path)
    low, high = DB_RANGE
    if units == "dB":
        outside, allowed = (values < low) | (values > high), 0.0
    else:  # power near zero over water is real: the harmonized release has it at the lower bound
        outside, allowed = values > high, MAX_CLIPPED
    if np.mean(outside) > allowed:
        got = f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}"
        raise _error(f"{name} must be in [{low:g}, {high:g}] dB", got, path)
    return np.asarray(np.clip(values, low, high), np.float32)
