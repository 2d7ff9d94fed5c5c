"""Reads and checks one map of probabilities: a GeoTIFF of one band, or an array of a ``.npz`` file."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import check_file_size, refused_error, show_value
from data.tiles import TILE_PX
from tuning.score.target import Target

MAX_TIFF_BYTES = 2**24  # of one tile; 128 x 128 float64 have 0.13 MB
TOLERANCE_M = 0.1  # a hundredth of a pixel
_SHAPE = (TILE_PX, TILE_PX)
_PROBS = {"probs": ArraySpec("float", (None, None))}
_ALL = {"tile_ids": ArraySpec("str", (None,)), "probs": ArraySpec("float", (None, None, None))}
_REMEDY = "Write the tile again."
# Nothing beside the file is read, and no other format than the one that its name promises.
_GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}


def read_tiff(target: Target, tile: str, file: Path) -> np.ndarray:
    """Read a tile's probabilities from a GeoTIFF, shape ``(H, W)``, float32.

    Raises:
        RefusedError: If it cannot be read, or its bands, type, shape, coordinate system, transform or values are wrong.
    """
    check_file_size(file, MAX_TIFF_BYTES)
    with _refusing_damage(file), rasterio.Env(**_GDAL), rasterio.open(file, driver="GTiff") as tiff:
        if tiff.count != 1:
            raise refused_error("A prediction must have one band", tiff.count, file, _REMEDY)
        _check_type(np.dtype(tiff.dtypes[0]), file)
        _check_shape((tiff.height, tiff.width), tile, file)
        _check_crs(target, tile, tiff.crs.to_wkt() if tiff.crs else "", file)
        _check_transform(target, tile, tuple(tiff.transform)[:6], file)
        values = tiff.read(1)
    return check_values(values, tile, file)


def read_npz(tile: str, file: Path) -> np.ndarray:
    """Read a tile's array ``probs`` from a ``.npz``, shape ``(H, W)``, float32; row 0 is the northern one.

    Raises:
        RefusedError: If the file is no such archive, or type, shape or values are wrong.
    """
    values = read_arrays(file, _PROBS)["probs"]
    _check_shape(values.shape, tile, file)
    return check_values(values, tile, file)


def read_all(file: Path) -> Mapping[str, np.ndarray]:
    """Read the tiles of a ``predictions.npz``: ``tile_ids (N,)`` and ``probs (N, H, W)``; the values are not checked.

    Raises:
        RefusedError: If the file is no such archive, a shape is wrong, or a tile comes twice.
    """
    arrays = read_arrays(file, _ALL)
    ids, probs = [str(tile) for tile in arrays["tile_ids"]], arrays["probs"]
    if len(ids) != len(probs) or len(set(ids)) < len(ids):
        got = f"{len(set(ids))} different of {len(ids)} ids, {len(probs)} maps"
        raise refused_error("Each tile must have one id and one map", got, file, "Write it again.")
    return dict(zip(ids, probs, strict=True))


def check_values(values: np.ndarray, tile: str, file: Path) -> np.ndarray:
    """Return a tile's probabilities as float32 after a check of shape and values.

    Raises:
        RefusedError: If a value is NaN or leaves [0, 1]; the message has their number and range.
    """
    _check_shape(values.shape, tile, file)
    if missing := int(np.isnan(values).sum()):
        got = f"NaN in {missing:,} of {values.size:,} pixels of {tile}"
        raise refused_error("Every pixel must have a probability", got, file, _REMEDY)
    outside = int(((values < 0) | (values > 1)).sum())
    if outside:
        got = f"{outside:,} of {values.size:,} pixels of {tile} beyond, {values.min():.4g} to {values.max():.4g},"
        remedy = "Apply a sigmoid to logits, and divide percentages by 100."
        raise refused_error("Probabilities must lie in [0, 1]", got, file, remedy)
    return np.ascontiguousarray(values, np.float32)


def hash_maps(maps: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of maps ``(H, W)``, float32, by tile: the same for GeoTIFF and ``.npz``."""
    digest = hashlib.sha256()
    for tile in sorted(maps):
        digest.update(tile.encode())
        digest.update(maps[tile].astype("<f4").tobytes())
    return digest.hexdigest()


def _check_type(dtype: np.dtype, file: Path) -> None:
    if dtype.kind != "f":
        rule = "Probabilities must be floating-point numbers"
        raise refused_error(rule, dtype.name, file, "Write float32 in [0, 1].")


def _check_shape(shape: tuple[int, ...], tile: str, file: Path) -> None:
    if tuple(shape) != _SHAPE:
        got = f"{' x '.join(map(str, shape))} for {tile}"
        rule = f"A prediction must have {TILE_PX} x {TILE_PX} pixels"
        raise refused_error(rule, got, file, _REMEDY)


def _check_crs(target: Target, tile: str, got: str, file: Path) -> None:
    expected = target.find_crs(tile)
    if not expected:  # neither the pack nor the catalogue of regions knows it
        return
    try:
        found = CRS.from_user_input(got) if got else None
    except CRSError:
        found = None
    if found is None or not any(found.equals(CRS.from_user_input(one)) for one in expected):
        named = (
            "no coordinate system"
            if found is None
            else ":".join(found.to_authority() or (found.name,))
        )
        rule = f"{tile} must be in {' or '.join(expected)}"
        raise refused_error(rule, named, file, _REMEDY)


def _check_transform(target: Target, tile: str, got: tuple[float, ...], file: Path) -> None:
    expected = target.find_transform(tile)
    if expected is None or np.allclose(got, expected, rtol=0, atol=TOLERANCE_M):
        return
    rule = f"{tile} must have the transform {_format(expected)}"
    remedy = "Write the tile's own grid, which tiles.csv lists; do not resample."
    raise refused_error(rule, _format(got), file, remedy)


def _format(numbers: tuple[float, ...]) -> str:
    return f"({', '.join(f'{number:.10g}' for number in numbers)})"


@contextmanager
def _refusing_damage(file: Path) -> Iterator[None]:
    try:
        yield
    except RasterioError as error:
        rule = "A prediction must be a GeoTIFF that can be read"
        raise refused_error(rule, show_value(str(error)), file, _REMEDY) from error
