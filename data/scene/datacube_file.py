"""Opening a datacube, NetCDF or Zarr: its groups, with nothing read that a stranger's file could turn into code or a flood.

A cube holds a group for each modality (``s1asc``, ``s1dsc``, ``s2``), laid out like a tile's file but of any size and any
order of dimensions: ``VV``, ``VH``, … and ``DEM`` over ``time``, ``y``, ``x``. A cube of one modality may hold its variables
at the root, with the attribute ``modality``.
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
MOST_CHUNK_BYTES = 2**28
MOST_COORDINATES = 2**20  # of one axis
# Everything that xarray, GDAL and zarr write by themselves. Others might run what is in the file: pickle does.
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
_LAYOUT = "Lay it out as docs/maps.md says."


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in _ZARR_FILES)


def open_groups(path: Path, modalities: Sequence[str]) -> dict[str, xr.Dataset]:
    """Open a cube's groups of the modalities, without reading their bands.

    Raises:
        ValueError: If the file cannot be read, lacks a modality or a band, or is stored in a way that is not safe.
    """
    try:
        groups = _list_zarr(path) if is_zarr(path) else _list_netcdf(path)
        chosen = _choose(groups, modalities, path)
        opened = {name: _open(path, group) for name, group in chosen.items()}
    except RefusedError:
        raise
    # Damage shows as almost any of these.
    except (OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError) as error:
        got = f"{type(error).__name__}: {error}"
        raise refused_error("A datacube must be readable NetCDF or Zarr", got, path) from error
    for name, dataset in opened.items():
        _check_layout(dataset, name, path)
    return opened


def _list_netcdf(path: Path) -> dict[str, str]:
    """Name the modality that each group holds, the root's as an attribute tells."""
    with netCDF4.Dataset(path) as file:
        found = {"/": getattr(file, "modality", None), **{name: name for name in file.groups}}
        members = [file, *file.groups.values()]
        for variable in (one for member in members for one in member.variables.values()):
            if variable.dtype is not str and not hasattr(variable.dtype, "kind"):
                raise refused_error(
                    "A variable must hold numbers", f"{variable.name}", path, _LAYOUT
                )
            _check_coordinate(variable.name, variable.shape, path)
    return {name: str(modality) for name, modality in found.items() if modality in MODALITIES}


def _list_zarr(path: Path) -> dict[str, str]:
    # Consolidated metadata may say something else than the arrays' own, which are looked at here.
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    found = {"/": root.attrs.get("modality"), **{name: name for name in root.group_keys()}}
    groups = [root, *(group for _, group in root.groups())]
    for name, array in (pair for group in groups for pair in group.arrays()):
        codecs = set(_list_codecs(array.metadata.to_dict()))
        if strange := sorted(codecs - CODECS):
            got = f"{show_value(strange[0])} for {show_value(name)}"
            raise refused_error(
                f"A codec must be one of {', '.join(sorted(CODECS))}", got, path, _LAYOUT
            )
        _check_coordinate(name, array.shape, path)
    return {name: str(modality) for name, modality in found.items() if modality in MODALITIES}


def _list_codecs(content: Any) -> Iterator[str]:
    """Yield the names of all codecs in an array's metadata, at any depth."""
    if isinstance(content, (list, tuple)):
        for one in content:
            yield from _list_codecs(one)
    elif isinstance(content, dict):
        for key in ("codecs", "index_codecs", "filters", "compressor", "configuration"):
            yield from _list_codecs(content.get(key))
        if name := content.get("id") or content.get("name"):
            yield str(name)


def _check_coordinate(name: str, shape: tuple[int, ...], path: Path) -> None:
    """Refuse a coordinate that opening the cube would read whole."""
    if name in DIMS and math.prod(shape) > MOST_COORDINATES:
        got = f"{math.prod(shape):,}"
        raise refused_error(f"{name} must have at most {MOST_COORDINATES:,} values", got, path)


def _choose(groups: dict[str, str], modalities: Sequence[str], path: Path) -> dict[str, str]:
    """Choose the group of each modality that is read."""
    places = {modality: group for group, modality in groups.items()}
    if lacking := [name for name in modalities if name not in places]:
        got = ", ".join(sorted(places)) or "none"
        rule = (
            f"The model reads the modalities {', '.join(modalities)}, each a group of the datacube"
        )
        raise refused_error(rule, got, path, f"Add {', '.join(lacking)}, or take a model without.")
    return {name: places[name] for name in modalities}


def _open(path: Path, group: str) -> xr.Dataset:
    options: dict[str, Any] = {"engine": "netcdf4"}
    if is_zarr(path):
        options = {"engine": "zarr", "consolidated": False}
    return xr.open_dataset(path, group=group, cache=False, **options)


def _check_layout(dataset: xr.Dataset, modality: str, path: Path) -> None:
    """Check names, dimensions, kinds of number and chunks."""
    needed = [*BANDS[modality], *([SCENE_CLASS] if modality == "s2" else [])]
    place = f"{modality} of {path}"
    if lacking := [name for name in (*needed, *DIMS) if name not in dataset.variables]:
        got = ", ".join(map(str, dataset.variables))
        rule = f"A datacube must have {', '.join(lacking)}"
        raise refused_error(rule, show_value(got), place, _LAYOUT)
    present = [*needed, *(["DEM"] if "DEM" in dataset.variables else [])]
    for name in present:
        variable = dataset[name]
        wanted = [set(DIMS), set(DIMS[1:])] if name == "DEM" else [set(DIMS)]
        if set(variable.dims) not in wanted:
            raise refused_error(
                f"{name} must be over {', '.join(DIMS)}", variable.dims, place, _LAYOUT
            )
        if variable.dtype.kind not in "fiu":
            raise refused_error(f"{name} must hold numbers", variable.dtype, place, _LAYOUT)
        _check_chunks(variable, place)


def _check_chunks(variable: xr.DataArray, place: str) -> None:
    """Refuse chunks that would fill the memory, whatever window is read."""
    chunks = variable.encoding.get("chunksizes") or variable.encoding.get("chunks") or ()
    size = math.prod(chunks) * variable.encoding.get("dtype", variable.dtype).itemsize
    if chunks and size > MOST_CHUNK_BYTES:
        rule = f"A chunk must have at most {MOST_CHUNK_BYTES:,} bytes"
        remedy = "Store it anew in chunks of one date and some 512 x 512 px."
        raise refused_error(rule, f"{size:,} ({variable.name}, {chunks})", place, remedy)
