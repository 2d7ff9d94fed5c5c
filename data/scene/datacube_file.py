"""Opens a datacube (NetCDF or Zarr) safely: no file can run code or exhaust memory.

A datacube has a group for each modality (``s1asc``, ``s1dsc``, ``s2``), laid out like a tile's file but of any size, with
``VV``, ``VH``, … and ``DEM`` over ``time``, ``y``, ``x`` in any order. A datacube of one modality may hold its variables in the
root group, with the attribute ``modality``.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import xarray as xr
import zarr

from data.io.safe_json import RefusedError, refused_error, show_value
from data.tiles.rules import BANDS, MODALITIES, SCENE_CLASS

DIMS = ("time", "y", "x")
MAX_CHUNK_BYTES = 2**28
MAX_COORDINATES = 2**20  # per axis
# The codecs that xarray, GDAL and zarr write by default. Others can run code from the file, as pickle does.
CODECS = frozenset(
    (
        *("blosc", "bytes", "bz2", "crc32c", "delta", "endian", "fixedscaleoffset", "gzip", "lz4"),
        *(
            "lzma",
            "packbits",
            "quantize",
            "sharding_indexed",
            "shuffle",
            "transpose",
            "zlib",
            "zstd",
        ),
    )
)
_ZARR_FILES = ("zarr.json", ".zgroup", ".zmetadata")
_LAYOUT = "See docs/maps.md for the layout."


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in _ZARR_FILES)


def open_groups(path: Path, modalities: Sequence[str]) -> dict[str, xr.Dataset]:
    """Open the groups of the given modalities without reading their bands.

    Raises:
        ValueError: If the file cannot be read, lacks a modality or a band, or uses an unsafe codec or too large chunks.
    """
    try:
        groups = _list_zarr(path) if is_zarr(path) else _list_netcdf(path)
        chosen = _choose(groups, modalities, path)
        opened = {name: _open(path, group) for name, group in chosen.items()}
    except RefusedError:
        raise
    # A damaged file can raise almost any of these.
    except (OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError) as error:
        got = f"{type(error).__name__}: {error}"
        raise refused_error("A datacube must be readable NetCDF or Zarr", got, path) from error
    for name, dataset in opened.items():
        _check_layout(dataset, name, path)
    return opened


def _list_netcdf(path: Path) -> dict[str, str]:
    """Return the modality of each group; the root group names its own in an attribute."""
    with netCDF4.Dataset(path) as file:
        modalities = {"/": getattr(file, "modality", None), **{name: name for name in file.groups}}
        members = [file, *file.groups.values()]
        for variable in (v for member in members for v in member.variables.values()):
            if variable.dtype is not str and not hasattr(variable.dtype, "kind"):
                raise refused_error(
                    "A variable must hold numbers", f"{variable.name}", path, _LAYOUT
                )
            _check_coordinate(variable.name, variable.shape, path)
    return {name: str(modality) for name, modality in modalities.items() if modality in MODALITIES}


def _list_zarr(path: Path) -> dict[str, str]:
    # Consolidated metadata may differ from the arrays' own, which are checked here.
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    modalities = {"/": root.attrs.get("modality"), **{name: name for name in root.group_keys()}}
    groups = [root, *(group for _, group in root.groups())]
    for name, array in (pair for group in groups for pair in group.arrays()):
        codecs = set(_list_codecs(array.metadata.to_dict()))
        if unknown := sorted(codecs - CODECS):
            got = f"{show_value(unknown[0])} for {show_value(name)}"
            raise refused_error(
                f"A codec must be one of {', '.join(sorted(CODECS))}", got, path, _LAYOUT
            )
        _check_coordinate(name, array.shape, path)
    return {name: str(modality) for name, modality in modalities.items() if modality in MODALITIES}


def _list_codecs(content: Any) -> Iterator[str]:
    """Yield the names of all codecs in an array's metadata, at any depth."""
    if isinstance(content, (list, tuple)):
        for item in content:
            yield from _list_codecs(item)
    elif isinstance(content, dict):
        for key in ("codecs", "index_codecs", "filters", "compressor", "configuration"):
            yield from _list_codecs(content.get(key))
        if name := content.get("id") or content.get("name"):
            yield str(name)


def _check_coordinate(name: str, shape: tuple[int, ...], path: Path) -> None:
    """Raise if a coordinate, which opening the datacube reads whole, is too long."""
    if name in DIMS and math.prod(shape) > MAX_COORDINATES:
        got = f"{math.prod(shape):,}"
        raise refused_error(f"{name} must have at most {MAX_COORDINATES:,} values", got, path)


def _choose(groups: dict[str, str], modalities: Sequence[str], path: Path) -> dict[str, str]:
    """Return the group of each modality."""
    by_modality = {modality: group for group, modality in groups.items()}
    if missing := [name for name in modalities if name not in by_modality]:
        got = ", ".join(sorted(by_modality)) or "none"
        rule = (
            f"The model reads the modalities {', '.join(modalities)}, each a group of the datacube"
        )
        raise refused_error(
            rule, got, path, f"Add {', '.join(missing)}, or choose a model without."
        )
    return {name: by_modality[name] for name in modalities}


def _open(path: Path, group: str) -> xr.Dataset:
    options: dict[str, Any] = {"engine": "netcdf4"}
    if is_zarr(path):
        options = {"engine": "zarr", "consolidated": False}
    return xr.open_dataset(path, group=group, cache=False, **options)


def _check_layout(dataset: xr.Dataset, modality: str, path: Path) -> None:
    """Check names, dimensions, number types and chunk sizes."""
    needed = [*BANDS[modality], *([SCENE_CLASS] if modality == "s2" else [])]
    source = f"{modality} of {path}"
    if missing := [name for name in (*needed, *DIMS) if name not in dataset.variables]:
        got = ", ".join(map(str, dataset.variables))
        rule = f"A datacube must have {', '.join(missing)}"
        raise refused_error(rule, show_value(got), source, _LAYOUT)
    present = [*needed, *(["DEM"] if "DEM" in dataset.variables else [])]
    for name in present:
        variable = dataset[name]
        allowed = [set(DIMS), set(DIMS[1:])] if name == "DEM" else [set(DIMS)]
        if set(variable.dims) not in allowed:
            raise refused_error(
                f"{name} must be over {', '.join(DIMS)}", variable.dims, source, _LAYOUT
            )
        if variable.dtype.kind not in "fiu":
            raise refused_error(f"{name} must hold numbers", variable.dtype, source, _LAYOUT)
        _check_chunks(variable, source)


def _check_chunks(variable: xr.DataArray, source: str) -> None:
    """Raise if reading any window would load a chunk that is too large for memory."""
    chunks = variable.encoding.get("chunksizes") or variable.encoding.get("chunks") or ()
    size = math.prod(chunks) * variable.encoding.get("dtype", variable.dtype).itemsize
    if chunks and size > MAX_CHUNK_BYTES:
        rule = f"A chunk must have at most {MAX_CHUNK_BYTES:,} bytes"
        remedy = "Rechunk it to one date and about 512 x 512 px."
        raise refused_error(rule, f"{size:,} ({variable.name}, {chunks})", source, remedy)
