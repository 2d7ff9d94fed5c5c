"""Opens the groups of a NetCDF file or a Zarr folder safely: no file can run code or exhaust memory."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import netCDF4
import xarray as xr
import zarr

from data.io.memory import measure_chunk
from data.io.safe_json import refused_error, show_value

ROOT = "/"
MAX_CHUNK_BYTES = 2**28
MAX_COORDINATES = 2**20  # per axis
# The codecs that xarray, GDAL and zarr write by default. Others can run code from the file, as pickle does.
CODECS = frozenset(
    (
        *("blosc", "bytes", "bz2", "crc32c", "delta", "endian", "fixedscaleoffset", "gzip", "lz4"),
        *("lzma", "packbits", "quantize", "sharding_indexed", "shuffle", "transpose"),
        *("vlen-utf8", "zlib", "zstd"),
    )
)
LAYOUT = "See docs/maps.md for the layout."
_ZARR_FILES = ("zarr.json", ".zgroup", ".zmetadata")


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in _ZARR_FILES)


def list_groups(path: Path) -> list[str]:
    """List a file's groups, the root first, and check what opening them would read or decode.

    Raises:
        ValueError: If a variable uses an unsafe codec or type, or a coordinate is too long.
    """
    return _list_zarr(path) if is_zarr(path) else _list_netcdf(path)


def _list_netcdf(path: Path) -> list[str]:
    with netCDF4.Dataset(path) as file:
        members = [file, *file.groups.values()]
        for variable in (v for member in members for v in member.variables.values()):
            if variable.dtype is not str and not hasattr(variable.dtype, "kind"):
                raise refused_error(
                    "A variable must hold numbers", f"{variable.name}", path, LAYOUT
                )
            _check_coordinate(variable.name, variable.shape, measure_chunk(variable), path)
        return [ROOT, *file.groups]


def _list_zarr(path: Path) -> list[str]:
    # Consolidated metadata may differ from the arrays' own, which are checked here.
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    groups = [root, *(group for _, group in root.groups())]
    for name, array in (pair for group in groups for pair in group.arrays()):
        codecs = set(_list_codecs(array.metadata.to_dict()))
        if unknown := sorted(codecs - CODECS):
            got = f"{show_value(unknown[0])} for {show_value(name)}"
            raise refused_error(
                f"A codec must be one of {', '.join(sorted(CODECS))}", got, path, LAYOUT
            )
        itemsize = getattr(array.dtype, "itemsize", 8)
        _check_coordinate(name, array.shape, math.prod(array.chunks) * itemsize, path)
    return [ROOT, *root.group_keys()]


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


def _check_coordinate(name: str, shape: tuple[int, ...], chunk_bytes: int, path: Path) -> None:
    """Raise if a coordinate, which opening the datacube reads whole, is too long, or its chunk too large."""
    if len(shape) == 1 and math.prod(shape) > MAX_COORDINATES:
        got = f"{math.prod(shape):,}"
        raise refused_error(f"{name} must have at most {MAX_COORDINATES:,} values", got, path)
    if len(shape) < 2 and chunk_bytes > MAX_CHUNK_BYTES:
        rule = f"A chunk of {name} must have at most {MAX_CHUNK_BYTES:,} bytes"
        raise refused_error(rule, f"{chunk_bytes:,}", path)


def open_group(path: Path, group: str) -> xr.Dataset:
    """Open a group; its bands are read later, its coordinates on demand."""
    options: dict[str, Any] = {"engine": "netcdf4"}
    if is_zarr(path):
        options = {"engine": "zarr", "consolidated": False}
    return xr.open_dataset(path, group=group, cache=False, **options)


def read_chunks(variable: xr.DataArray) -> tuple[int, ...]:
    """Return a variable's chunk as stored, in the order of its dimensions; empty if it is not chunked."""
    chunks = variable.encoding.get("chunksizes") or variable.encoding.get("chunks") or ()
    return tuple(int(size) for size in chunks)


def measure_chunk_bytes(variable: xr.DataArray) -> int:
    """Return the bytes of a variable's chunk, decompressed; 0 if it is not chunked."""
    chunks = read_chunks(variable)
    itemsize = int(variable.encoding.get("dtype", variable.dtype).itemsize)
    return math.prod(chunks) * itemsize if chunks else 0


def check_chunks(variable: xr.DataArray, source: str) -> None:
    """Raise if reading any window would load a chunk that is too large for memory."""
    if (size := measure_chunk_bytes(variable)) > MAX_CHUNK_BYTES:
        chunks = read_chunks(variable)
        rule = f"A chunk must have at most {MAX_CHUNK_BYTES:,} bytes"
        remedy = "Rechunk it to one date and about 512 x 512 px."
        raise refused_error(rule, f"{size:,} ({variable.name}, {chunks})", source, remedy)
